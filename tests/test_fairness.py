"""Fairness: a crowd before one function delays no other, large ones are not overtaken, shares follow weights."""

from __future__ import annotations

import asyncio
from collections import Counter

import msgspec
import pytest

from scripted import Gate, answers, takes
from sojourn.capacity import Capacity
from sojourn.fleet import Fleet, Instance
from sojourn.function import Function
from sojourn.task import Status, Success, Task
from virtual_time import run, settle, steps
from world import OTHER_ACCOUNT, SECOND, World, new_function

CROWD = 100_000
STEPS_MAX = 60


async def crowd(world: World, function: Function, count: int) -> None:
    """Let so many tasks of a function stand in its line, each with its row."""
    for _ in range(count // 1000):
        await asyncio.gather(*(world.submit(function) for _ in range(1000)))


async def first_task(world: World, function: Function) -> tuple[Task, int]:
    """Submit one task and let it end; how many turns of the loop it took."""
    began = steps()
    task = await world.submit(function)
    (after,) = await world.end(task)
    return after, steps() - began


def test_a_hundred_thousand_queued_tasks_do_not_delay_the_first_one_of_another_function() -> None:
    """It starts in the same moment, while none of theirs has ended, in as few steps as on an idle server."""

    async def main() -> None:
        async with World(headroom=0.125, submits_pending_max=2000, tasks_open_max=2 * CROWD) as world:
            idle = world.deploy("idle", answers())
            _, steps_idle = await first_task(world, idle)
            gate = Gate()
            busy = world.deploy("busy", gate, timeout_seconds=3600)
            others = [world.deploy("other", answers()), world.deploy("others", answers(), account=OTHER_ACCOUNT)]
            await crowd(world, busy, CROWD)
            await gate.busy(20)
            await asyncio.sleep(5)
            before = asyncio.get_running_loop().time()
            for other in others:
                after, steps_other = await first_task(world, other)

                assert after.status is Status.SUCCEEDED
                assert asyncio.get_running_loop().time() == before
                assert after.started_at - after.created_at < SECOND // 1000
                assert steps_other <= steps_idle + STEPS_MAX
            await settle()
            assert world.queue.open_count == CROWD
            assert len(world.queue.line(busy.id)) == CROWD - gate.arrived
            world.change(busy, deleted=True)
            world.queue.line(busy.id)._waiting.clear()  # nobody needs to see them all become Invalid
            world.queue._open -= CROWD - gate.arrived
            for task_id, row in list(world.store.data.tasks.items()):
                if row.status is Status.ENQUEUED:
                    del world.store.data.tasks[task_id]
            gate.leave()
            await settle(300)

    run(main())


def test_a_synchronous_call_passes_a_crowd_too() -> None:
    """It goes through the same gate."""

    async def main() -> None:
        async with World(headroom=0.125) as world:
            gate = Gate()
            busy, other = world.deploy("busy", gate), world.deploy("other", answers())
            tasks = [await world.submit(busy) for _ in range(500)]
            await gate.busy(20)
            before = asyncio.get_running_loop().time()
            answer = await world.dispatcher.invoke(other, b"", "r")

            assert isinstance(answer.outcome, Success)
            assert asyncio.get_running_loop().time() == before
            gate.leave()
            await world.end(*tasks)

    run(main())


@pytest.mark.parametrize("seconds", [0.02, 1.0])
def test_starts_follow_the_weights_under_contention(seconds: float) -> None:
    """1 : 3 within a tenth, for short and for long tasks, and everybody's capacity is used."""

    async def main() -> None:
        async with World(memory_mb=1024) as world:
            world.script.create_seconds, world.script.stop_seconds = 0.005, 0.005
            light = world.deploy("light", takes(seconds), weight=1)
            heavy = world.deploy("heavy", takes(seconds), weight=3)
            tasks = [await world.submit(function) for _ in range(2000) for function in (light, heavy)]
            await asyncio.sleep(200 * seconds)
            names = {function.id: function.name for function in (light, heavy)}
            counts = Counter(names[world.row(task).function_id] for task in tasks if world.row(task).started_at)

            assert counts["heavy"] / counts.total() == pytest.approx(0.75, abs=0.075)
            assert counts.total() > 0.8 * 8 * 200
            await world.end(*tasks)

    run(main())


def test_accounts_get_equal_shares_however_many_functions_crowd() -> None:
    """Five functions of one account, one of another, all crowded: half each, within a tenth."""

    async def main() -> None:
        async with World(memory_mb=1024) as world:
            world.script.create_seconds = 0.005
            many = [world.deploy(f"many{number}", takes(0.5)) for number in range(5)]
            one = world.deploy("one", takes(0.5), account=OTHER_ACCOUNT)
            tasks = [await world.submit(function) for _ in range(200) for function in many]
            mine = [await world.submit(one) for _ in range(1000)]
            await asyncio.sleep(40)
            counts = Counter(task.function_id for task in (*tasks, *mine) if world.row(task).started_at)

            assert counts[one.id] / counts.total() == pytest.approx(0.5, abs=0.05)
            await world.end(*tasks, *mine)

    run(main())


def test_a_function_with_large_instances_does_not_starve_behind_small_ones() -> None:
    """A crowd of short small tasks; the large one starts as soon as those that ran when its turn came have ended."""

    async def main() -> None:
        async with World(memory_mb=1024) as world:
            small, large = world.deploy("small", takes(0.3)), world.deploy("large", takes(0.1), memory_mb=896)
            tasks = [await world.submit(small) for _ in range(1000)]
            await asyncio.sleep(1.1)
            task = await world.submit(large)
            (after,) = await world.end(task)

            assert after.started_at - after.created_at < SECOND
            await world.end(*tasks)

    run(main())


def test_a_function_that_never_fits_is_said_so_and_holds_nobody_up() -> None:
    """Its tasks become Invalid instead of waiting for ever."""

    async def main() -> None:
        async with World(memory_mb=512) as world:
            huge, small = world.deploy("huge", answers(), memory_mb=1024), world.deploy("small", answers())
            task, other = await world.submit(huge), await world.submit(small)
            await world.end(task, other)

            assert world.row(task).status is Status.INVALID
            assert world.details(task, Status.INVALID)[0]["Error"] == "ResourceThrottled"
            assert world.row(other).status is Status.SUCCEEDED

    run(main())


def test_a_warm_instance_is_not_taken_from_a_function_that_has_work_for_it_at_once() -> None:
    """Two crowds on few instances: far fewer instances are made than tasks run."""

    async def main() -> None:
        async with World(memory_mb=512) as world:
            functions = [world.deploy(f"f{number}", takes(0.01)) for number in range(6)]
            tasks = [await world.submit(function) for _ in range(200) for function in functions]
            await world.end(*tasks)

            assert len(world.script.made) < len(tasks) / 5

    run(main())


def capacity(fleet: Fleet, *, headroom: float = 0.125, accounts: int = 2) -> Capacity:
    """The bounds of 4096 MB and 64 instances."""
    return Capacity(fleet, memory_mb=4096, instances_max=64, headroom=headroom, accounts=lambda: accounts)


@pytest.mark.parametrize(
    ("headroom", "accounts", "expected"),
    [
        (0.125, 2, {"established": 3584, "new function": 3840, "new account": 4096}),
        (0.125, 1, {"established": 3584, "new function": 4096, "new account": 4096}),
        (0.25, 2, {"established": 3072, "new function": 3584, "new account": 4096}),
        (0.0, 2, {"established": 4096, "new function": 4096, "new account": 4096}),
    ],
)
def test_what_is_left_for_whom(headroom: float, accounts: int, expected: dict[str, int]) -> None:
    """The last part of the budget is for functions without instances, half of it for accounts without."""
    fleet = Fleet()
    bounds = capacity(fleet, headroom=headroom, accounts=accounts)
    established, fresh = new_function("a", 1), new_function("b", 2)
    strange = new_function("c", 3, account=OTHER_ACCOUNT)
    most = {}
    for name, function in {"established": established, "new function": fresh, "new account": strange}.items():
        fleet = Fleet()
        bounds = capacity(fleet, headroom=headroom, accounts=accounts)
        fleet.add(Instance("c-0", established, 0))
        taken = 128
        while bounds.fits(function):
            fleet.memory_mb += 64
            taken += 64
        most[name] = taken - 64 + 128

    assert most == expected


def test_a_template_counts_like_an_instance_while_there_is_one() -> None:
    """The first instance of each revision takes twice its memory, the last one gives that back."""
    fleet = Fleet()
    bounds = capacity(fleet, headroom=0.0)
    first = new_function("a", 1, config={"preload": ["json"]})
    size_mb = first.config.memory_size
    second = msgspec.structs.replace(first, revision=first.revision + 1)
    made = [Instance("c-1", first, 0), Instance("c-2", first, 0), Instance("c-3", second, 0)]
    counted = []
    for each in made:
        fleet.add(each)
        counted.append(fleet.memory_mb // size_mb)
    for each in made:
        fleet.remove(each)
        counted.append(fleet.memory_mb // size_mb)
    fleet.memory_mb = 4096 - size_mb

    assert counted == [2, 3, 5, 4, 2, 0]
    assert not bounds.fits(first)
    assert bounds.fits(new_function("b", 2))
    assert bounds.possible(first) is (2 * size_mb <= 4096)
