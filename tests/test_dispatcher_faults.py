"""The dispatcher goes on when something of ours fails in it."""

from __future__ import annotations

import pytest

from scripted import answers
from sojourn.function import Function
from sojourn.pool import Instance
from virtual_time import run
from world import World

QUEUED = ["Enqueued", "Dequeued"]


def test_a_round_that_fails_does_not_end_the_loop(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours is logged, and the next round runs the task."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", answers())
            acquire, failures = world.pool.acquire, [RuntimeError("a fault of ours")]

            def failing_once(wanted: Function) -> Instance | None:
                if failures:
                    raise failures.pop()
                return acquire(wanted)

            monkeypatch.setattr(world.pool, "acquire", failing_once)
            task = await world.submit(function)
            await world.end(task)

            assert world.path(task) == [*QUEUED, "Running", "Succeeded"]
            assert "a round of the dispatcher failed" in caplog.text

    run(main())
