"""Stops: from every status, in every race, with the evidence that nothing is left running."""

from __future__ import annotations

import asyncio

import pytest

from reference_store import Hold
from scripted import TERMINATED, Gate, answers, dies, in_turn, raises, takes
from sojourn.errors import StoreFailed, TaskAlreadyCompleted, TaskNotFound
from sojourn.sandbox import Exit
from sojourn.task import Status, Task
from virtual_time import run, settle
from world import World

STOPPED = ["Stopping", "Stopped"]


def test_a_task_that_waits_is_stopped_at_once_and_never_runs() -> None:
    """Enqueued behind a busy function, delayed, or of a function that runs nothing: no worker is needed for it."""

    async def main() -> None:
        async with World() as world:
            gate = Gate()
            function = world.deploy("f", gate, reserved=1)
            running = await world.submit(function)
            await gate.busy()
            waiting, delayed = await world.submit(function), await world.submit(function, delay_seconds=5)
            for task in (waiting, delayed):
                after = await world.stop(task)
                assert after.status is Status.STOPPED
                assert world.path(task) == ["Enqueued", *STOPPED]
                assert world.details(task, Status.STOPPING) == [{"actor": "tester"}]
                assert world.details(task, Status.STOPPED) == [{"ran": False, "processesLeft": 0}]
            gate.leave()
            await world.end(running)
            await asyncio.sleep(60)
            assert gate.arrived == 1

    run(main())


def test_a_stop_while_the_instance_is_made_keeps_the_task_from_starting() -> None:
    """Dequeued: the stop is durable at once, and the instance goes with it."""

    async def main() -> None:
        async with World() as world:
            world.script.create_seconds = 1
            function = world.deploy("f", answers())
            task = await world.submit(function)
            await world.reach(task, Status.DEQUEUED)
            await world.stop(task)
            await asyncio.sleep(5)

            assert world.path(task) == ["Enqueued", "Dequeued", *STOPPED]
            assert world.script.calls == []
            following = await world.submit(function)
            await world.end(following)
            assert len(world.script.made) == 2, "the stop ended the first instance's start"

    run(main())


def test_a_running_task_is_ended_and_the_evidence_kept() -> None:
    """Stopping is durable when the call returns; Stopped follows when the tree is gone, with how it went."""

    async def main() -> None:
        async with World() as world:
            world.script.stop_seconds = 0.5
            gate = Gate()
            function = world.deploy("f", gate)
            task = await world.submit(function)
            await gate.busy()
            gate.calls[0].log(b"so far", 0)
            after = await world.stop(task)
            assert after.status is world.row(task).status is Status.STOPPING
            await world.end(task)

            assert world.path(task) == ["Enqueued", "Dequeued", "Running", *STOPPED]
            (detail,) = world.details(task, Status.STOPPED)
            assert detail == {
                "durationMs": 0.0,
                "isColdStart": True,
                "processesLeft": 0,
                "signalsSent": list(TERMINATED.signals_sent),
                "signal": TERMINATED.signal,
                "elapsedMs": TERMINATED.elapsed_ms,
                "instanceId": world.script.made[0].id,
            }
            assert world.logs(task) == {1: b"so far"}
            assert world.script.living() == []
            assert world.script.stops == [(world.script.made[0].id, "stop")]

    run(main())


def test_a_task_that_waits_for_its_retry_never_gets_it() -> None:
    """The stop wins over the retry, at once."""

    async def main() -> None:
        async with World() as world:
            task = await world.submit(world.deploy("f", raises()))
            await world.reach(task, Status.RETRYING)
            after = await world.stop(task)
            await asyncio.sleep(60)

            assert after.status is Status.STOPPED
            assert world.path(task)[-3:] == ["Retrying", *STOPPED]
            assert world.details(task, Status.STOPPED)[0]["ran"]
            assert len(world.script.calls) == 1

    run(main())


def test_a_task_that_waits_for_another_instance_after_a_lost_start_is_stopped() -> None:
    """It stands in its line as Dequeued; nothing of it stays behind in memory."""

    async def main() -> None:
        async with World() as world:
            world.script.start_failures = [OSError("no")]
            task = await world.submit(world.deploy("f", answers()))
            await world.store.until(lambda: not world.script.start_failures and task.id in world.dispatcher._executions)
            await settle()
            await world.stop(task)
            await asyncio.sleep(5)

            assert world.path(task) == ["Enqueued", "Dequeued", *STOPPED]
            assert world.dispatcher._executor.starts_lost == {}

    run(main())


def test_stopping_twice_succeeds_while_it_stops_and_is_refused_afterwards() -> None:
    """The tree is ended once. A stop of a finished task changes nothing and says how it finished."""

    async def main() -> None:
        async with World() as world:
            world.script.stop_seconds = 0.5
            gate = Gate()
            function, quick = world.deploy("f", gate), world.deploy("quick", answers())
            task = await world.submit(function)
            await gate.busy()
            stops = await asyncio.gather(*(world.stop(task) for _ in range(5)))
            assert {each.status for each in stops} == {Status.STOPPING}
            await world.end(task)
            assert len(world.script.stops) == 1

            done = await world.submit(quick)
            await world.end(done)
            for over, status in ((task, "Stopped"), (done, "Succeeded")):
                before = world.row(over)
                with pytest.raises(TaskAlreadyCompleted, match=status):
                    await world.stop(over)
                assert world.row(over) == before

    run(main())


def test_a_stop_needs_a_task_of_this_function() -> None:
    """A name of nobody, or of another function's task, is not found."""

    async def main() -> None:
        async with World() as world:
            one, other = world.deploy("one", answers(), reserved=0), world.deploy("other", answers())
            task = await world.submit(one, name="mine")
            for function, name in ((one, "nobody"), (other, "mine")):
                with pytest.raises(TaskNotFound):
                    await world.dispatcher.stop(function, name, "tester")
            assert world.row(task).status is Status.ENQUEUED

    run(main())


def test_a_stop_the_store_does_not_take_has_not_happened() -> None:
    """The caller is told, the task runs on, and asking again works."""

    async def main() -> None:
        async with World() as world:
            gate = Gate()
            task = await world.submit(world.deploy("f", gate))
            await gate.busy()
            world.store.failing = True
            with pytest.raises(StoreFailed):
                await world.stop(task)
            world.store.failing = False
            assert world.script.stops == []
            await world.stop(task)
            (after,) = await world.end(task)
            assert after.status is Status.STOPPED

    run(main())


async def stopped_under(world: World, task: Task, held: Hold) -> Task:
    """Ask for a stop while a write of the dispatcher is on its way, then let that write go on."""
    await held.reached.wait()
    stopping = asyncio.ensure_future(world.stop(task))
    await settle()
    held.release()
    return await stopping


@pytest.mark.parametrize("after", [False, True], ids=["the stop first", "the claim first"])
@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
def test_a_stop_meets_the_claim(*, warm: bool, after: bool) -> None:
    """Whichever is durable first wins; the task is stopped either way, and no process stays."""

    async def main() -> None:
        async with World() as world:
            gate = Gate()
            function = world.deploy("f", gate)
            if warm:
                await world.warm(function)
            held = world.store.hold(Status.DEQUEUED, Status.RUNNING, after=after)
            task = await world.submit(function)
            await stopped_under(world, task, held)
            await world.end(task)
            await settle()

            claimed = ["Dequeued", "Running"] if warm else ["Dequeued"]
            assert world.path(task) == ["Enqueued", *(claimed if after else []), *STOPPED]
            assert not any(living.busy for living in world.script.living())
            gate.leave()
            following = await world.submit(function)
            await world.end(following)
            assert world.row(following).attempts == 1

    run(main())


@pytest.mark.parametrize("after", [False, True], ids=["the stop first", "the start first"])
def test_a_stop_meets_the_start(*, after: bool) -> None:
    """Running is on its way to the disk: user code runs and is ended, or never runs."""

    async def main() -> None:
        async with World() as world:
            world.script.create_seconds = 0.1
            gate = Gate()
            function = world.deploy("f", gate)
            held = world.store.hold(Status.RUNNING, after=after)
            task = await world.submit(function)
            await stopped_under(world, task, held)
            (row,) = await world.end(task)
            await settle()

            assert world.path(task) == ["Enqueued", "Dequeued", *(["Running"] if after else []), *STOPPED]
            assert row.attempts == (1 if after else 0)
            assert not any(living.busy for living in world.script.living())
            if not after:
                assert gate.arrived == 0

    run(main())


@pytest.mark.parametrize("result", ["success", "retry", "failure", "crash"])
@pytest.mark.parametrize("after", [False, True], ids=["the stop first", "the result first"])
def test_a_stop_meets_the_result(*, result: str, after: bool) -> None:
    """The result that is durable first stands and the stop is refused (or finds the retry); else it is not written."""

    async def main() -> None:
        async with World() as world:
            behaviour = {"success": answers(), "crash": dies(Exit(code=1))}.get(result, raises())
            function = world.deploy("f", behaviour, retries=1 if result == "retry" else 0)
            ends = (Status.SUCCEEDED, Status.FAILED, Status.RETRYING)
            held = world.store.hold(*ends, after=after)
            task = await world.submit(function)
            running = ["Enqueued", "Dequeued", "Running"]
            if after and result != "retry":
                with pytest.raises(TaskAlreadyCompleted):
                    await stopped_under(world, task, held)
                end = "Succeeded" if result == "success" else "Failed"
                assert world.path(task) == [*running, end]
            else:
                await stopped_under(world, task, held)
                (row,) = await world.end(task)
                assert world.path(task) == [*running, *(["Retrying"] if after else []), *STOPPED]
                assert after or row.result == b""
            await asyncio.sleep(60)
            assert len(world.script.calls) == 1

    run(main())


def test_the_instance_of_a_stopped_task_is_not_handed_to_the_next_one() -> None:
    """A result that comes too late to count frees nothing that the stop is about to end: the next one runs in peace."""

    async def main() -> None:
        async with World(memory_mb=128) as world:
            function = world.deploy("f", in_turn(answers(), takes(1)), retries=0)
            await world.warm(function)
            stop = world.store.hold(Status.STOPPING, after=True)
            result = world.store.hold(Status.SUCCEEDED)
            task, following = await world.submit(function), await world.submit(function)
            await result.reached.wait()
            stopping = asyncio.ensure_future(world.stop(task))
            await stop.reached.wait()
            result.release()  # the loser is told before the winner is
            await settle()
            stop.release()
            await stopping
            await world.end(task, following)

            assert world.row(task).status is Status.STOPPED
            assert world.row(following).status is Status.SUCCEEDED
            assert world.row(following).attempts == 1

    run(main())


def test_a_stop_meets_the_timeout() -> None:
    """Both want the instance gone; it is ended once, and the task is Stopped or Failed, not both."""

    async def main() -> None:
        async with World() as world:
            world.script.stop_seconds = 0.5
            task = await world.submit(world.deploy("f", takes(100), timeout_seconds=3, retries=0))
            await world.reach(task, Status.RUNNING)
            await asyncio.sleep(3.2)  # the timeout's signal is under way
            await world.stop(task)
            await world.end(task)

            assert world.path(task)[-2:] == STOPPED
            assert len(world.script.stops) == 1

    run(main())


def test_a_stop_meets_the_expiry() -> None:
    """One of the two ends the task."""

    async def main() -> None:
        async with World() as world:
            held = world.store.hold(Status.EXPIRED)
            task = await world.submit(world.deploy("f", answers(), reserved=0, age_seconds=1))
            await stopped_under(world, task, held)
            await world.end(task)
            assert world.path(task) == ["Enqueued", *STOPPED]

    run(main())


def test_many_stops_at_every_moment_of_short_lives() -> None:
    """Two hundred tasks, each stopped a little later in its life: every one is Stopped or ended before, none hangs."""

    async def main() -> None:
        async with World(memory_mb=512) as world:
            world.script.create_seconds, world.script.stop_seconds = 0.003, 0.002
            function = world.deploy("f", takes(0.01), retries=0)
            outcomes = set()
            for number in range(200):
                task = await world.submit(function)
                await asyncio.sleep(0.0001 * (number % 150))
                try:
                    await world.stop(task)
                except TaskAlreadyCompleted:
                    assert world.row(task).status is Status.SUCCEEDED
                (row,) = await world.end(task)
                outcomes.add(row.status)
                assert row.attempts <= 1

            assert outcomes == {Status.STOPPED, Status.SUCCEEDED}

    run(main())


def test_a_stop_while_an_instance_starts_ends_the_start_first() -> None:
    """The start may be a program of the user's: Stopped says that nothing of it is left, and is not said before."""

    async def main() -> None:
        async with World() as world:
            world.script.create_seconds = 100.0
            function = world.deploy("f", answers())
            task = await world.submit(function)
            await world.reach(task, Status.DEQUEUED)
            await settle()
            (made,) = world.pool.instances()
            began = world.clock.monotonic()
            stopping = await world.stop(task)
            (after,) = await world.end(task)

            assert stopping.status is Status.STOPPING
            assert world.path(task) == ["Enqueued", "Dequeued", "Stopping", "Stopped"]
            (detail,) = world.details(task, Status.STOPPED)
            assert detail | {"ran": False, "processesLeft": 0, "instanceId": made.id} == detail
            assert (made.id, "stop") in world.script.stops
            assert made not in world.pool.instances()
            assert (after.attempts, world.script.calls) == (0, [])
            assert world.clock.monotonic() - began <= 100

    run(main())
