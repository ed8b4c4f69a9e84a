"""Instances that take several invocations at a time: their slots, their memory, and stops that spare the others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scripted import Call, Gate, answers, takes
from sojourn.function import Function
from sojourn.outcome import TIMEOUT
from sojourn.sandbox import Exit, Reply
from sojourn.task import INSTANCE_LOST, Status
from virtual_time import run, settle
from world import World


def shared(world: World, behaviour: Any, concurrency: int = 3, **settings: Any) -> Function:
    """A function whose instances take several invocations."""
    return world.deploy("f", behaviour, config={"instance_concurrency": concurrency}, **settings)


def test_an_instance_takes_as_many_as_it_may_and_counts_once() -> None:
    """Seven tasks on three instances of three places each; the most used one is filled first."""

    async def main() -> None:
        async with World(memory_mb=384) as world:
            gate = Gate()
            function = shared(world, gate)
            tasks = [await world.submit(function) for _ in range(12)]
            await gate.busy(9)
            await asyncio.sleep(1)

            assert (gate.arrived, len(world.pool), world.pool.fleet.memory_mb) == (9, 3, 384)
            assert sorted(len(each.in_flight) for each in world.pool.instances()) == [3, 3, 3]
            gate.leave()
            await world.end(*tasks)

    run(main())


def test_reserved_concurrency_counts_invocations_not_instances() -> None:
    """Two at a time, on one instance that could take three."""

    async def main() -> None:
        async with World() as world:
            gate = Gate()
            function = shared(world, gate, reserved=2)
            await world.warm(function)
            tasks = [await world.submit(function) for _ in range(5)]
            await gate.busy(2)
            await asyncio.sleep(1)

            assert (gate.arrived, len(world.pool)) == (2, 1)
            gate.leave()
            await world.end(*tasks)

    run(main())


def test_an_instance_rests_only_after_its_last_invocation() -> None:
    """It is not frozen while one is in flight."""

    async def main() -> None:
        async with World(linger_seconds=0.1) as world:
            long, short = takes(5), takes(0.1)

            async def behave(call: Call) -> Reply:
                return await (long if call.invocation.payload == b"long" else short)(call)

            function = shared(world, behave)
            await world.warm(function)
            tasks = [await world.submit(function, payload) for payload in (b"long", b"short")]
            await asyncio.sleep(2)
            assert [each.status.value for each in world.pool.instances()] == ["Invoking"]
            await world.end(*tasks)

    run(main())


def test_a_stop_of_one_invocation_leaves_the_others_alone_where_it_can_be_cancelled() -> None:
    """Stopped tells that it was cancelled; the instance lives on and takes another one."""

    async def main() -> None:
        async with World(memory_mb=128) as world:
            world.script.cancel_seconds = 0.2
            gate = Gate()
            function = shared(world, gate)
            await world.warm(function)
            mine, other = await world.submit(function), await world.submit(function)
            await gate.busy(2)
            await world.stop(mine)
            await world.end(mine)

            (detail,) = world.details(mine, Status.STOPPED)
            used = world.script.made[0].id
            told = {"durationMs": 0.0, "isColdStart": True}
            assert detail == told | {"cancelled": True, "processesLeft": 0, "instanceId": used}
            assert world.script.stops == []
            assert world.row(other).status is Status.RUNNING
            following = await world.submit(function)
            await gate.busy(3)
            gate.leave()
            await world.end(other, following)
            assert world.row(following).instance_id == used

    run(main())


def test_a_caller_who_goes_away_has_the_program_give_the_call_up() -> None:
    """The others go on, and the place is free when the call is over, not before."""

    async def main() -> None:
        async with World(memory_mb=128) as world:
            world.script.cancel_seconds = 0.2
            gate = Gate()
            function = shared(world, gate, concurrency=2)
            await world.warm(function)
            other = await world.submit(function)
            await gate.busy()
            call = asyncio.ensure_future(world.dispatcher.invoke(function, b"", "r"))
            await gate.busy(2)
            call.cancel()
            await asyncio.wait([call])
            following = await world.submit(function)
            await settle()
            assert world.row(following).status is Status.ENQUEUED
            await gate.busy(3)

            (used,) = world.pool.instances()
            assert [event.name for event in used.events][-1] == "InvocationCanceled"
            assert world.script.stops == []
            gate.leave()
            await world.end(other, following)

    run(main())


def test_where_it_cannot_be_cancelled_the_instance_goes_when_nothing_else_runs_in_it() -> None:
    """The other one ends in its own time; nothing new comes meanwhile."""

    async def main() -> None:
        async with World(grace_seconds=5) as world:

            async def behave(call: Call) -> Reply:
                return await takes(1000 if call.invocation.payload == b"long" else 2)(call)

            function = shared(world, behave, retries=0)
            await world.warm(function)
            mine, other = await world.submit(function, b"long"), await world.submit(function)
            await world.reach(other, Status.RUNNING)
            await world.stop(mine)
            await settle()
            following = await world.submit(function)
            await world.end(mine, other, following)

            assert world.row(mine).status is Status.STOPPED
            assert world.details(mine, Status.STOPPED)[0]["signalsSent"] == ["SIGTERM"]
            assert (world.row(other).status, world.row(other).attempts) == (Status.SUCCEEDED, 1)
            assert world.row(following).instance_id != world.row(mine).instance_id

    run(main())


def test_when_the_grace_is_over_the_others_are_lost_through_our_doing() -> None:
    """It costs them no retry: with none allowed, they run again elsewhere."""

    async def main() -> None:
        async with World(grace_seconds=1) as world:
            gate = Gate()
            function = shared(world, gate, retries=0)
            await world.warm(function)
            mine, other = await world.submit(function), await world.submit(function)
            await gate.busy(2)
            await world.stop(mine)
            await world.end(mine)
            await gate.busy(3)
            gate.leave()
            (after,) = await world.end(other)

            assert (after.status, after.attempts, after.losses, after.retries) == (Status.SUCCEEDED, 2, 1, 0)
            assert world.details(other, Status.RETRYING)[0]["errorType"] == INSTANCE_LOST

    run(main())


@pytest.mark.parametrize("cancels", [True, False])
def test_a_timeout_of_one_invocation_follows_the_same_rule(*, cancels: bool) -> None:
    """It has timed out either way; the other one ends well."""

    async def main() -> None:
        async with World(grace_seconds=30) as world:
            world.script.cancel_seconds = 0.1 if cancels else None

            async def behave(call: Call) -> Reply:
                return await takes(1000 if call.invocation.payload == b"long" else 7)(call)

            function = shared(world, behave, retries=0, timeout_seconds=10)
            await world.warm(function)
            late = await world.submit(function, b"long")
            await asyncio.sleep(5)
            other = await world.submit(function)
            await world.end(late, other)

            assert world.row(other).status is Status.SUCCEEDED
            (detail,) = world.details(late, Status.FAILED)
            assert detail["errorType"] == TIMEOUT
            assert detail.get("cancelled", False) is cancels
            assert len(world.script.stops) == (0 if cancels else 1)

    run(main())


def test_a_crash_fails_all_that_were_in_flight() -> None:
    """It was the function's own doing."""

    async def main() -> None:
        async with World() as world:
            gate = Gate()
            function = shared(world, gate, retries=0)
            await world.warm(function)
            tasks = [await world.submit(function) for _ in range(3)]
            await gate.busy(3)
            world.script.sandboxes[0].kill(world.script.made[0].id, Exit(code=1))
            ended = await world.end(*tasks)

            assert {task.status for task in ended} == {Status.FAILED}
            assert {task.losses for task in ended} == {0}

    run(main())


def test_an_update_lets_a_shared_instance_finish_and_gives_it_nothing_new() -> None:
    """New tasks run on the new code at once."""

    async def main() -> None:
        async with World() as world:
            gate = Gate()
            function = shared(world, gate)
            await world.warm(function)
            old = await world.submit(function)
            await gate.busy()
            function = world.change(function, code=world.deploy("other", answers()).code)
            new = await world.submit(function)
            await gate.busy(2)
            gate.leave()
            await world.end(old, new)
            await settle()

            assert world.row(old).status is Status.SUCCEEDED
            assert world.row(old).instance_id != world.row(new).instance_id
            assert [reason for _, reason in world.script.stops] == ["update"]

    run(main())
