"""Retention in virtual time: when tasks go, what is counted, and what a store that fails does to the loop."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter

import pytest

from behaviours import answers
from sojourn import retention
from sojourn.clock import FasterClock
from sojourn.errors import TaskNotFound
from sojourn.retention import Retention
from sojourn.task import Status
from virtual_time import VirtualClock, run
from world import World

HOUR = 3600.0


def test_a_task_goes_when_it_has_been_over_for_long_enough() -> None:
    """Not before, within the rest of one round after it; its name is free again, and the counts say so."""

    async def work() -> None:
        async with World() as world:
            function = world.deploy("f", answers(b""))
            kept = Retention(world.queue, world.clock, HOUR)
            kept.start()
            kept.start()
            task = await world.queue.submit(function, b"", name="mine")
            await world.store.until(lambda: world.store.data.tasks[task.id].over)
            await asyncio.sleep(0.1)
            assert world.queue.tally.counts[1, Status.SUCCEEDED] == 1

            await asyncio.sleep(HOUR - 2 * retention.REST_SECONDS)
            assert (await world.queue.find(function, "mine")).id == task.id
            await asyncio.sleep(4 * retention.REST_SECONDS)

            with pytest.raises(TaskNotFound):
                await world.queue.find(function, "mine")
            assert world.queue.tally.forgotten == 1
            assert +world.queue.tally.counts == Counter()
            assert (await world.queue.submit(function, b"", name="mine")).id != task.id
            await kept.close()

    run(work())


def test_a_task_that_waits_stays_however_long() -> None:
    """Age is no end: what is open is not deleted."""

    async def work() -> None:
        async with World() as world:
            function = world.deploy("f", answers(b""), reserved=0)
            kept = Retention(world.queue, world.clock, 60.0)
            kept.start()
            task = await world.queue.submit(function, b"", delay_seconds=3600)
            await asyncio.sleep(3000)
            assert (await world.queue.read(task.id)) is not None
            assert world.queue.tally.forgotten == 0
            await kept.close()

    run(work())


def test_for_ever_is_for_ever() -> None:
    """With 0 there is no loop, and closing what was not begun is fine."""

    async def work() -> None:
        async with World() as world:
            function = world.deploy("f", answers(b""))
            kept = Retention(world.queue, world.clock, 0)
            kept.start()
            await world.queue.submit(function, b"")
            await asyncio.sleep(100 * 86_400)
            assert len(world.store.data.tasks) == 1
            await kept.close()

    run(work())


def test_more_than_a_piece_goes_in_one_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Piece after piece, without a rest in between."""
    monkeypatch.setattr(retention, "PIECE_TASKS", 3)

    async def work() -> None:
        async with World() as world:
            function = world.deploy("f", answers(b""))
            for _ in range(10):
                await world.queue.submit(function, b"")
            await world.store.until(lambda: all(task.over for task in world.store.data.tasks.values()))
            await asyncio.sleep(61)
            kept = Retention(world.queue, world.clock, 60.0)
            kept.start()
            await asyncio.sleep(retention.REST_SECONDS + 1)
            assert world.store.data.tasks == {}
            assert world.queue.tally.forgotten == 10
            await kept.close()

    run(work())


def test_a_store_that_fails_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    """The loop says so and goes on."""

    async def work() -> None:
        async with World() as world:
            function = world.deploy("f", answers(b""))
            await world.queue.submit(function, b"")
            await world.store.until(lambda: all(task.over for task in world.store.data.tasks.values()))
            kept = Retention(world.queue, world.clock, 5.0)
            world.store.failing = True
            kept.start()
            await asyncio.sleep(3 * retention.REST_SECONDS)
            world.store.failing = False
            assert len(world.store.data.tasks) == 1
            await asyncio.sleep(2 * retention.REST_SECONDS)
            assert world.store.data.tasks == {}
            await kept.close()

    with caplog.at_level(logging.WARNING):
        run(work())
    assert "tasks that are over cannot be deleted now" in caplog.text


def test_a_faster_clock_lets_go_sooner() -> None:
    """What is over for an hour of a clock that runs 100 times as fast goes after 36 seconds."""

    async def work() -> None:
        async with World() as world:
            function = world.deploy("f", answers(b""))
            faster = FasterClock(100, VirtualClock())
            await world.queue.submit(function, b"")
            await world.store.until(lambda: all(task.over for task in world.store.data.tasks.values()))
            kept = Retention(world.queue, faster, HOUR)
            kept.start()
            await asyncio.sleep(35)
            assert len(world.store.data.tasks) == 1
            await asyncio.sleep(3)
            assert world.store.data.tasks == {}
            await kept.close()

    run(work())


def test_a_restart_knows_how_many_there_are() -> None:
    """Counts by function and status are those of all starts."""

    async def work() -> None:
        async with World() as world:
            function = world.deploy("f", answers(b""))
            await world.queue.submit(function, b"")
            await world.store.until(lambda: all(task.over for task in world.store.data.tasks.values()))
            waiting = await world.queue.submit(function, b"", delay_seconds=60)
            await world.crash()
            async with World(store=world.store, functions=world.functions) as again:
                again.script.behaviours["f"] = answers(b"")
                assert +again.queue.tally.counts == {(1, Status.SUCCEEDED): 1, (1, Status.ENQUEUED): 1}
                assert again.queue.tally.open[Status.ENQUEUED] == 1
                await again.store.until(lambda: again.store.data.tasks[waiting.id].over)
                await asyncio.sleep(0.1)
                assert +again.queue.tally.counts == {(1, Status.SUCCEEDED): 2}

    run(work())
