"""What is counted and how it is shown."""

from __future__ import annotations

import asyncio

import pytest

from scripted import answers, in_turn, raises
from sojourn.errors import IllegalFact
from sojourn.metrics import Histogram, Page
from sojourn.tally import Tally
from sojourn.task import (
    TERMINAL,
    Claimed,
    Ended,
    Fact,
    Failure,
    Faltered,
    Returned,
    Started,
    Status,
    StopRequested,
    Success,
    advance,
)
from task_samples import new_task
from virtual_time import run
from world import World


def test_a_page_is_what_prometheus_reads() -> None:
    """Buckets add up, labels are escaped, each family says what it is."""
    page, took = Page(), Histogram((0.1, 1))
    for value in (0.05, 0.1, 0.5, 7):
        took.observe(value)
    page.family("tasks", "gauge", "How many.", {(("function", 'a"\\\n'),): 2})
    page.histogram("took_seconds", "How long.", took)

    assert page.text().splitlines() == [
        "# HELP tasks How many.",
        "# TYPE tasks gauge",
        'tasks{function="a\\"\\\\\\n"} 2',
        "# HELP took_seconds How long.",
        "# TYPE took_seconds histogram",
        'took_seconds_bucket{le="0.1"} 2',
        'took_seconds_bucket{le="1"} 3',
        'took_seconds_bucket{le="+Inf"} 4',
        "took_seconds_sum 7.65",
        "took_seconds_count 4",
    ]


def test_a_queue_counts_what_its_tasks_do() -> None:
    """Each move once, attempts by what they came to, and in the end nothing is open."""

    async def work() -> None:
        async with World() as world:
            tally = world.queue.tally
            function = world.deploy("f", in_turn(raises(), answers()))
            task = await world.submit(function)
            assert tally.open[Status.ENQUEUED] == 1
            await world.end(task)
            waiting = await world.submit(function, delay_seconds=60)
            await world.stop(waiting)
            await asyncio.sleep(1)

            assert {status: count for status, count in tally.open.items() if count} == {}
            assert tally.attempts == {"UnhandledInvocationError": 1, "succeeded": 1}
            assert tally.moves == {
                (None, Status.ENQUEUED): 2,
                (Status.ENQUEUED, Status.DEQUEUED): 1,
                (Status.DEQUEUED, Status.RUNNING): 1,
                (Status.RUNNING, Status.RETRYING): 1,
                (Status.RETRYING, Status.RETRYING): 1,
                (Status.RETRYING, Status.RUNNING): 1,
                (Status.RUNNING, Status.SUCCEEDED): 1,
                (Status.ENQUEUED, Status.STOPPING): 1,
                (Status.STOPPING, Status.STOPPED): 1,
            }
            assert (sum(tally.waits.counts), sum(tally.runs.counts)) == (1, 2)
            assert sum(tally.writes.counts) == len(world.store.written)
            assert tally.illegal + world.pool.fleet.illegal == 0

    run(work())


def test_a_restart_counts_what_is_open() -> None:
    """By status, from the rows."""

    async def work() -> None:
        async with World() as world:
            task = await world.submit(world.deploy("f", answers()), delay_seconds=60)
            await world.crash()
            async with World(store=world.store, functions=world.functions) as later:
                assert +later.queue.tally.open == {Status.ENQUEUED: 1}
                assert later.queue.line(1).first(later.clock.now()) is None
                await later.stop(task)

    run(work())


def test_an_illegal_step_is_counted_and_changes_nothing() -> None:
    """The guard is our last one: whoever gets there has a bug."""

    async def work() -> None:
        async with World() as world:
            task = await world.submit(world.deploy("f", answers()), delay_seconds=60)
            with pytest.raises(IllegalFact):
                await world.queue.apply(task, Returned(Success(result=b"")))
            assert world.queue.tally.illegal == 1
            assert world.row(task) == task
            await world.stop(task)

    run(work())


def test_moves_of_one_commit_are_counted_one_by_one() -> None:
    """A stop of what waits is two moves."""
    tally, before = Tally(), new_task()
    tally.submitted(1)
    stopping = advance(before, StopRequested(), before.created_at)
    over = advance(stopping, Ended(), before.created_at)
    tally.moved(before, over, [stopping.status, over.status], [StopRequested(), Ended()])

    assert tally.moves[Status.ENQUEUED, Status.STOPPING] == tally.moves[Status.STOPPING, Status.STOPPED] == 1
    assert not +tally.open


def test_what_is_open_is_exact() -> None:
    """From the rows of a start and through every step; silent ones too, and for each function."""
    tally, task = Tally(), new_task()
    tally.found({(2, Status.ENQUEUED): 2, (2, Status.RUNNING): 1, (2, Status.FAILED): 5, (1, Status.STOPPING): 1})

    def step(*facts: Fact) -> None:
        nonlocal task
        before, path = task, list[Status]()
        for fact in facts:
            task = advance(task, fact, task.created_at)
            path.append(task.status)
        tally.moved(before, task, path, facts)

    def told() -> dict[Status, int]:
        return {status: count for status, count in tally.of(2).items() if count and status not in TERMINAL}

    tally.submitted(2)
    step(Claimed(1), Started("i"))
    step(Faltered(Failure(kind="k", type="t", message="m"), 0))
    assert told() == {Status.ENQUEUED: 2, Status.RUNNING: 1, Status.RETRYING: 1}
    step(Claimed(1))
    assert told()[Status.RETRYING] == 1
    assert tally.open == {**told(), Status.STOPPING: 1}
    step(Started("i"))
    step(StopRequested(), Ended())
    assert told() == {Status.ENQUEUED: 2, Status.RUNNING: 1}
    assert tally.open == {**told(), Status.STOPPING: 1}
    assert tally.of(2)[Status.FAILED] == 5
    assert tally.of(2)[Status.STOPPED] == 1
    assert set(tally.of(3).values()) == {0}
