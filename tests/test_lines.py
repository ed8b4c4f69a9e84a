"""Lines that are rebuilt at a start: what is there before anything runs, and what follows."""

from __future__ import annotations

import pytest

from sojourn import identity
from sojourn.queue import Queue
from sojourn.task import Claimed, Started
from test_queue import Fixture
from virtual_time import START, run, settle


def test_a_long_line_is_rebuilt_while_its_first_tasks_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start waits for the first ones only; all are counted at once, and each that follows is announced."""
    monkeypatch.setattr("sojourn.lines.LOADED_FIRST_TASKS", 10)

    async def main() -> None:
        fixture = Fixture()
        await fixture.open()
        tasks = [await fixture.queue.submit(fixture.function, b"") for _ in range(30)]
        running = tasks[29]
        await fixture.queue.apply(running, Claimed(1), Started("c-1"))

        queue = Queue(fixture.store, fixture.clock, identity.Numbers(), submits_pending_max=1, tasks_open_max=100)
        due: list[int] = []
        queue.on_due = due.append
        orphans = await queue.load(2)
        line = queue.line(fixture.function.id)

        assert [row.id for row in orphans] == [running.id]
        assert (len(line), queue.open_count, due) == (9, 30, [])
        assert line.take(START) == tasks[0].id
        await settle(500)
        assert len(line) == 28
        assert len(due) == 20
        assert [line.take(START) for _ in range(29)] == [*(task.id for task in tasks[1:29]), None]

    run(main())


def test_a_server_that_ends_reads_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left in the rows is for the next start."""
    monkeypatch.setattr("sojourn.lines.LOADED_FIRST_TASKS", 1)

    async def main() -> None:
        fixture = Fixture()
        await fixture.open()
        for _ in range(30):
            await fixture.queue.submit(fixture.function, b"")
        queue = Queue(fixture.store, fixture.clock, identity.Numbers(), submits_pending_max=1, tasks_open_max=100)
        await queue.load(2)
        queue.closed = True
        await settle(500)
        assert len(queue.line(fixture.function.id)) == 1

    run(main())
