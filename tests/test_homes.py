"""The mark of a data directory, by which what a server left running is found; what a sandbox's start waits for."""

from __future__ import annotations

import asyncio
from pathlib import Path

from scripted import Script, ScriptedRuntime
from sojourn.function import Account
from sojourn.homes import Homes, mark_of
from sojourn.runtime import Interpreter


def test_a_mark_stays(tmp_path: Path) -> None:
    """The same at every start, and another one for another directory."""
    first, second = tmp_path / "first", tmp_path / "second"
    for each in (first, second):
        each.mkdir()

    assert mark_of(first) == mark_of(first)
    assert mark_of(first) != mark_of(second)
    assert [path.name for path in first.iterdir()] == ["mark"]


def test_half_a_mark_is_made_anew(tmp_path: Path) -> None:
    """An empty one, as a death could leave it, would be that of every directory."""
    (tmp_path / "mark").touch()
    (tmp_path / "mark.new").write_text("sojo")

    assert mark_of(tmp_path).startswith("sojourn-")
    assert mark_of(tmp_path) == (tmp_path / "mark").read_text().strip()


def test_a_sandbox_waits_for_the_look_for_interpreters(tmp_path: Path) -> None:
    """Runtimes that are still looking are not asked, for that would hold up the whole server."""
    asked: list[str] = []

    class Asked(ScriptedRuntime):
        def interpreters(self) -> tuple[Interpreter, ...]:
            asked.append("asked")
            return super().interpreters()

    async def told() -> None:
        looking = asyncio.get_running_loop().create_future()
        homes = Homes(
            Script(),
            [Asked()],
            tmp_path / "sandboxes",
            lambda account_id: tmp_path / account_id,
            mark="mark",
            network="host",
            network_others="none",
            region="local",
            looking=looking,
        )
        homes.admit(1, Account(id="1", created_at=0, owner=True))
        starting = asyncio.ensure_future(homes.sandbox("1"))
        for _ in range(10):
            await asyncio.sleep(0)
        asked.append("over")
        looking.set_result(None)
        await starting
        await homes.close()

    asyncio.run(told())
    assert asked == ["over", "asked"]
