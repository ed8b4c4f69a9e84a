"""The engine when things around it fail: a store that is away, a drain, a SIGKILL at any moment."""

from __future__ import annotations

import asyncio
import random

import pytest

from histories import faults
from reference_store import ReferenceStore
from scripted import Behaviour, Call, Gate, answers, in_turn, raises, takes
from sojourn.errors import ServiceUnavailable, StoreFailed, TaskAlreadyCompleted
from sojourn.sandbox import Reply
from sojourn.task import INSTANCE_LOST, LEASE_LOST, LOSSES_MAX, Status, Task
from virtual_time import run, settle
from world import World

RUNNING = ["Enqueued", "Dequeued", "Running"]


@pytest.mark.parametrize("warm", [True, False])
def test_a_claim_the_store_does_not_take_is_put_back(*, warm: bool) -> None:
    """Nothing has happened, so the task waits again, however long the store is away; its instance serves others."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", answers())
            if warm:
                await world.warm(function)
            task = await world.submit(function)
            world.store.failing = True
            await asyncio.sleep(20)
            assert world.row(task).status is Status.ENQUEUED
            assert world.script.calls == []
            world.store.failing = False
            (after,) = await world.end(task)

            assert (after.status, after.attempts) == (Status.SUCCEEDED, 1)
            assert len(world.script.made) == 1

    run(main())


@pytest.mark.parametrize(
    ("behaviour", "status"), [(answers(), Status.SUCCEEDED), (raises(), Status.FAILED)], ids=["success", "failure"]
)
def test_a_result_is_insisted_on_until_the_store_takes_it(behaviour: Behaviour, status: Status) -> None:
    """User code has run; it is not run again because a disk was full for a while."""

    async def main() -> None:
        async with World() as world:
            gate = Gate()

            async def behave(call: Call) -> Reply:
                await gate(call)
                return await behaviour(call)

            task = await world.submit(world.deploy("f", behave, retries=0))
            await gate.busy()
            world.store.failing = True
            gate.leave()
            await asyncio.sleep(30)
            assert world.row(task).status is Status.RUNNING
            world.store.failing = False
            (after,) = await world.end(task)

            assert (after.status, after.attempts) == (status, 1)

    run(main())


def test_the_end_of_a_stop_is_insisted_on() -> None:
    """The tree is gone; Stopped is written as soon as it can be."""

    async def main() -> None:
        async with World() as world:
            world.script.stop_seconds = 0.5
            gate = Gate()
            task = await world.submit(world.deploy("f", gate))
            await gate.busy()
            await world.stop(task)
            world.store.failing = True
            await asyncio.sleep(30)
            assert world.row(task).status is Status.STOPPING
            world.store.failing = False
            (after,) = await world.end(task)
            assert after.status is Status.STOPPED

    run(main())


def test_an_expiry_the_store_does_not_take_is_not_forgotten() -> None:
    """The task stays in its line and expires when the store is back."""

    async def main() -> None:
        async with World() as world:
            task = await world.submit(world.deploy("f", answers(), reserved=0, age_seconds=2))
            await asyncio.sleep(1)
            world.store.failing = True
            await asyncio.sleep(10)
            world.store.failing = False
            (after,) = await world.end(task)
            assert after.status is Status.EXPIRED

    run(main())


def test_a_store_that_fails_at_random_loses_nothing() -> None:
    """Every third call fails: every accepted task ends as if it had not, none ran twice for it."""

    async def main() -> None:
        async with World(memory_mb=512) as world:
            chance = random.Random(7)
            function = world.deploy("f", takes(0.01), retries=0)
            world.store.fails = lambda: chance.random() < 0.33
            tasks: list[Task] = []
            while len(tasks) < 100:
                try:
                    tasks.append(await world.submit(function))
                except StoreFailed:
                    continue
            ended = await world.end(*tasks)
            world.store.fails = lambda: False

            assert {task.status for task in ended} == {Status.SUCCEEDED}
            assert {task.attempts for task in ended} == {1}
            assert len(world.store.data.tasks) == 100

    run(main())


def test_a_drain_starts_nothing_and_waits_for_what_runs() -> None:
    """Queued stays queued, new submits are refused, the running one ends in its grace."""

    async def main() -> None:
        store = ReferenceStore()
        async with World(store=store) as world:
            gate = Gate()
            function = world.deploy("f", gate, reserved=1)
            running, waiting = await world.submit(function), await world.submit(function)
            await gate.busy()
            drain = asyncio.ensure_future(world.dispatcher.drain(10))
            await asyncio.sleep(3)
            assert not drain.done()
            with pytest.raises(ServiceUnavailable):
                await world.submit(function)
            gate.leave()
            await drain
            assert world.row(running).status is Status.SUCCEEDED
            assert world.row(waiting).status is Status.ENQUEUED
        async with World(store=store, functions=world.functions) as world:
            world.script.behaviours["f"] = answers()
            await world.end(waiting)

    run(main())


def test_what_outlives_the_grace_of_a_drain_runs_again_at_the_next_start() -> None:
    """The attempt is ours to have lost: it costs no retry."""

    async def main() -> None:
        store = ReferenceStore()
        async with World(store=store) as world:
            task = await world.submit(world.deploy("f", takes(1000), timeout_seconds=2000, retries=0))
            await world.reach(task, Status.RUNNING)
            await world.dispatcher.drain(10)
            assert asyncio.get_running_loop().time() == pytest.approx(10, abs=0.5)
        assert store.data.tasks[task.id].status is Status.RETRYING
        async with World(store=store, functions=world.functions) as world:
            world.script.behaviours["f"] = answers()
            (after,) = await world.end(task)
            assert (after.status, after.attempts, after.losses, after.retries) == (Status.SUCCEEDED, 2, 1, 0)

    run(main())


def test_a_drain_leaves_a_task_whose_instance_is_being_made_unstarted() -> None:
    """It was claimed, not started: the next server takes the claim over and says so."""

    async def main() -> None:
        store = ReferenceStore()
        async with World(store=store) as world:
            world.script.create_seconds = 2
            task = await world.submit(world.deploy("f", answers()))
            await world.reach(task, Status.DEQUEUED)
            await world.dispatcher.drain(10)
            assert world.script.calls == []
        async with World(store=store, functions=world.functions) as world:
            world.script.behaviours["f"] = answers()
            await world.end(task)
            assert world.path(task) == ["Enqueued", "Dequeued", *RUNNING[1:], "Succeeded"]
            assert world.details(task, Status.DEQUEUED)[1] == {"cause": LEASE_LOST}

    run(main())


def test_an_idle_server_drains_at_once() -> None:
    """Nothing runs, nothing to wait for."""

    async def main() -> None:
        async with World() as world:
            await world.dispatcher.drain(100)
            assert asyncio.get_running_loop().time() < 1

    run(main())


def test_closing_while_the_store_is_away_ends_all_the_same() -> None:
    """A result that cannot be written is not waited for for ever; the next start judges the row."""

    async def main() -> None:
        store = ReferenceStore()
        async with World(store=store) as world:
            gate = Gate()
            task = await world.submit(world.deploy("f", gate))
            await gate.busy()
            store.failing = True
            gate.leave()
            await asyncio.sleep(3)
            await world.dispatcher.drain(1)
            await world.pool.close()
            await world.dispatcher.close()
            assert world.row(task).status is Status.RUNNING

    run(main())


def test_after_a_crash_every_task_goes_on_from_its_row() -> None:
    """One in each status: what ran is lost and runs again, what was being stopped is stopped, the rest is done."""

    async def main() -> None:
        store = ReferenceStore()
        world = await World(store=store).__aenter__()
        gate = Gate()
        busy, slow = world.deploy("busy", gate, retries=0), world.deploy("slow", answers(), reserved=1)
        flaky = world.deploy("flaky", raises())
        stopping, running, retrying = (
            await world.submit(busy),
            await world.submit(busy),
            await world.submit(flaky),
        )
        await gate.busy(2)
        await world.reach(retrying, Status.RETRYING)
        world.script.stop_seconds = 1
        await world.stop(stopping)
        world.script.create_seconds = 100
        dequeued, enqueued = await world.submit(slow), await world.submit(slow)
        await world.reach(dequeued, Status.DEQUEUED)
        delayed = await world.submit(slow, delay_seconds=60)
        await world.crash()

        async with World(store=store, functions=world.functions) as world:
            world.script.behaviours |= dict.fromkeys(("busy", "slow", "flaky"), answers())
            await world.end(stopping, running, retrying, dequeued, enqueued, delayed)

            assert world.path(stopping) == [*RUNNING, "Stopping", "Stopped"]
            assert world.details(stopping, Status.STOPPED) == [{"cause": INSTANCE_LOST, "processesLeft": 0}]
            assert world.path(running) == [*RUNNING, "Retrying", "Running", "Succeeded"]
            assert world.details(running, Status.RETRYING)[0]["errorType"] == INSTANCE_LOST
            assert world.path(retrying) == [*RUNNING, "Retrying", "Running", "Succeeded"]
            assert world.path(dequeued) == ["Enqueued", "Dequeued", "Dequeued", "Running", "Succeeded"]
            assert world.path(enqueued) == world.path(delayed) == [*RUNNING, "Succeeded"]
            assert world.row(delayed).started_at >= delayed.due_at
            assert world.row(running).losses == 1

    run(main())


def test_a_task_that_takes_the_server_down_every_time_is_given_up() -> None:
    """After a bounded number of starts, so that a poison task does not keep a server down for good."""

    async def main() -> None:
        store = ReferenceStore()
        world = World(store=store)
        async with world:
            task = await world.submit(world.deploy("f", Gate(), retries=0))
            await world.reach(task, Status.RUNNING)
            await world.crash()
        for starts in range(2, LOSSES_MAX + 2):
            world = World(store=store, functions=world.functions)
            async with world:
                world.script.behaviours["f"] = Gate()
                await store.until(lambda starts=starts: store.data.tasks[task.id].attempts == starts)  # type: ignore[misc]  # bound
                await world.crash()
        async with World(store=store, functions=world.functions) as world:
            (after,) = await world.end(task)
            assert (after.status, after.attempts, after.losses) == (Status.FAILED, LOSSES_MAX + 1, LOSSES_MAX)

    run(main())


@pytest.mark.parametrize("seed", range(10))
def test_no_crash_at_any_moment_loses_a_task_or_bends_a_history(seed: int) -> None:
    """Crashes at drawn moments under load with stops and failures: what was accepted ends, once, on a legal path."""

    async def main() -> None:
        chance = random.Random(seed)
        store, accepted, refused = ReferenceStore(), list[Task](), 0
        world = World(store=store)
        for _ in range(6):
            world = World(store=store, functions=world.functions, memory_mb=1024)
            async with world:
                world.script.create_seconds, world.script.stop_seconds = 0.01, 0.01
                behaviours = (takes(0.02), in_turn(raises(), takes(0.01)), takes(0.2))
                for name, behaviour in zip(("quick", "flaky", "slow"), behaviours, strict=True):
                    if len(world.functions) < 3:
                        world.deploy(name, behaviour, retries=2)
                    world.script.behaviours[name] = behaviour
                deadline = asyncio.get_running_loop().time() + chance.uniform(0.05, 0.5)
                while asyncio.get_running_loop().time() < deadline:
                    accepted.append(await world.submit(chance.choice(list(world.functions.values()))))
                    if chance.random() < 0.3:
                        try:
                            await world.stop(chance.choice(accepted))
                        except TaskAlreadyCompleted:
                            refused += 1
                    await asyncio.sleep(chance.choice((0, 0.001, 0.01)))
                for _ in range(chance.randrange(40)):
                    await asyncio.sleep(0)
                await world.crash()
        async with World(store=store, functions=world.functions) as world:
            world.script.behaviours |= dict.fromkeys(("quick", "flaky", "slow"), answers())
            ended = await world.end(*accepted)

            assert [fault for task in ended for fault in faults(task.events)] == []
            assert len(store.data.tasks) == len(accepted) > 50
            statuses = {task.status for task in ended}
            assert {Status.SUCCEEDED, Status.STOPPED} <= statuses <= {Status.SUCCEEDED, Status.STOPPED, Status.FAILED}

    run(main())


def test_a_wait_that_a_drain_began_ends_with_it() -> None:
    """Draining twice is fine."""

    async def main() -> None:
        async with World() as world:
            gate = Gate()
            task = await world.submit(world.deploy("f", gate))
            await gate.busy()
            drains = [asyncio.ensure_future(world.dispatcher.drain(50)) for _ in range(2)]
            await settle()
            gate.leave()
            await asyncio.gather(*drains)
            assert world.row(task).status is Status.SUCCEEDED
            assert asyncio.get_running_loop().time() < 1

    run(main())
