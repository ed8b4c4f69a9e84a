"""The simulation at a tiny scale: it replays, it shrinks, it is silent about the product and not about the others."""

from __future__ import annotations

import asyncio
import contextvars
import os
import subprocess
import sys
from pathlib import Path

import pytest
from proof.mutants import part as mutants
from proof.mutants.mutant import applied
from proof.result import Scale
from proof.simulation import coverage, part
from proof.simulation.chance import Chance
from proof.simulation.loop import DOMAIN, Domain, SimLoop, Stuck
from proof.simulation.seed import run
from proof.simulation.shrink import shrink

ROOT = Path(__file__).resolve().parents[2]
SEEDS = range(1, 7)


def digests(hash_seed: str) -> list[str]:
    """What another process makes of some seeds, under another hash seed."""
    script = (
        "import sys; sys.path[:0] = [sys.argv[1]]\n"
        "from proof.simulation.seed import run\n"
        f"for seed in range({SEEDS.start}, {SEEDS.stop}):\n"
        "    report = run(seed)\n"
        "    print(report.digest, report.tape, sorted(report.statuses.items()))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, str(ROOT)],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_seed_takes_the_same_way_in_every_process() -> None:
    """Bit by bit, whatever the hash seed, and whatever ran in the process before."""
    here = [run(seed) for seed in reversed(SEEDS)]
    found = digests("1")

    assert found == digests("2")
    assert [line.split(" ", 1)[0] for line in found] == [str(report.digest) for report in reversed(here)]
    assert len(set(found)) == len(SEEDS)


def test_some_seeds_hold(tmp_path: Path) -> None:
    """The part as it is, on a few."""
    result = part.run(Scale(share=0.003, directory=tmp_path))

    assert result.ok, result.details
    assert result.line.startswith("simulation: 6 seeds, ")
    assert " 0 violations; " in result.line


def test_a_seed_that_fails_is_shrunk_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its report has the few faults it fails by, its last events, and how to run it again."""
    kept = tmp_path / "kept.txt"
    kept.write_text("7  # something\n", encoding="utf-8")
    monkeypatch.setattr(part, "REGRESSIONS", kept)
    assert part.regressions() == [7]
    assert mutants.MODULES
    with applied("a stop proves nothing"):
        failed = next(report for report in map(run, range(2, 30)) if report.violations and len(report.tape) > 12)
        shortest, muted = shrink(failed, runs_max=25)
        text = part.told(failed, Scale(directory=tmp_path))

    assert len(shortest.tape) < len(failed.tape)
    assert muted
    assert text[0].startswith(f"seed {failed.seed}: I6: ")
    assert any("VIOLATION I6" in line for line in text)
    assert part.regressions() == [7, failed.seed]


def test_coverage_asks_for_every_row_and_every_pair() -> None:
    """An edge that is not met is told."""
    wanted = coverage.wanted()

    assert ("task", "Stopping", "Ended") in wanted
    assert ("instance", "Frozen", "Thawed") in wanted
    assert ("pair", "Dequeued", "server: killed") in wanted
    assert len(coverage.missing(run(1).met, 1)) < len(wanted)
    assert coverage.missing(run(1).met, 1_000_000) == sorted(wanted)


def test_a_draw_depends_on_its_place_alone() -> None:
    """So that taking a fault out leaves the others where they were."""
    one, other = Chance(5), Chance(5, muted=["x#1"])
    one.rates = other.rates = {"x": 1.0}
    drawn = [one.draw("a"), one.fault("x"), one.draw("a"), one.fault("x")]

    assert [other.draw("a"), other.draw("b") < 1, other.draw("a")] == [drawn[0], True, drawn[2]]
    assert (drawn[1], other.fault("x"), other.fault("x")) == (True, False, True)
    assert (one.tape, other.tape) == (["x#1", "x#2"], ["x#2"])


def test_what_is_dead_never_runs_again() -> None:
    """No cancellation, no `finally`: as after a SIGKILL. What stands still goes on later."""
    loop, seen = SimLoop(1), list[str]()
    dead, still = Domain("dead"), Domain("still")
    contexts = {domain: contextvars.copy_context() for domain in (dead, still)}
    for domain, context in contexts.items():
        context.run(DOMAIN.set, domain)

    async def work(domain: Domain) -> None:
        try:
            await asyncio.sleep(1)
            seen.append(domain.name)
        finally:
            seen.append("finally")

    async def main() -> None:
        for domain, context in contexts.items():
            loop.create_task(work(domain), context=context)
        await asyncio.sleep(0.5)
        dead.dead = still.still = True
        await asyncio.sleep(5)
        assert seen == []
        loop.resume(still)
        await asyncio.sleep(0)
        await asyncio.sleep(0.1)
        assert seen == ["still", "finally"]

    loop.run(main())
    assert loop.time() == pytest.approx(5.6)
    loop.discard()


def test_what_the_dead_would_have_read_is_not_held_against_them() -> None:
    """An answer that was there when its reader was killed is let go of without a word; one of the living is told."""
    loop, told, domain, context = SimLoop(1), list[str](), Domain("killed"), contextvars.copy_context()
    context.run(DOMAIN.set, domain)
    loop.on_exception = lambda context: told.append(str(context["exception"]))

    async def read(answer: asyncio.Future[None]) -> None:
        await answer

    async def main() -> None:
        loop.create_task(read(answer := loop.create_future()), context=context)
        await asyncio.sleep(1)
        domain.dead = True
        answer.set_exception(LookupError("unread by the dead"))
        loop.create_future().set_exception(LookupError("unread by the living"))
        await asyncio.sleep(1)

    loop.run(main())
    loop.discard()
    assert told == ["unread by the living"]


def test_a_wait_for_nothing_is_found() -> None:
    """Nothing is ready, no timer is set: nothing would ever happen."""

    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    loop = SimLoop(1)
    with pytest.raises(Stuck):
        loop.run(main())
    loop.discard()
