"""What the simulation has found, each at its smallest: callers and sandboxes that go away, clocks that are set back."""

from __future__ import annotations

import asyncio

import pytest

from scripted import Gate, answers, in_turn, takes
from sojourn.task import INSTANCE_LOST, Failure, Status, Success
from virtual_time import run, settle
from world import SECOND, World

HOUR = 3600 * SECOND


def test_a_sandbox_that_collapses_takes_nothing_of_its_successor_with_it() -> None:
    """Its loss is told when its processes are gone, which takes a while: another one may have started by then."""

    async def main() -> None:
        async with World() as world:
            gate = Gate()
            function = world.deploy("f", in_turn(gate, answers()))
            await world.warm(function)
            (old,) = world.script.sandboxes
            old.alive = False
            old.instances.clear()
            other = world.deploy("g", gate)
            task = await world.submit(other)
            await gate.busy()
            old.on_lost()
            await settle()
            assert len(world.script.sandboxes) == 2
            assert [each.function.name for each in world.pool.instances()] == ["g"]
            gate.leave()
            (after,) = await world.end(task)
            again = await world.end(await world.submit(function))

            assert (after.status, again[0].status) == (Status.SUCCEEDED, Status.SUCCEEDED)
            assert len(world.script.sandboxes) == 2

    run(main())


@pytest.mark.parametrize("ahead", [-HOUR, -24 * HOUR])
def test_a_clock_that_is_set_back_and_right_again_puts_nothing_off(ahead: int) -> None:
    """The dispatcher looks again soon, however far away its next moment seemed by the wrong clock."""

    async def main() -> None:
        async with World() as world:
            task = await world.submit(world.deploy("f", answers()), delay_seconds=10)
            await settle()
            world.clock.ahead_us = ahead
            world.dispatcher.look_again()
            await asyncio.sleep(5)
            world.clock.ahead_us = 0
            await asyncio.sleep(6)

            assert world.row(task).status is Status.SUCCEEDED

    run(main())


def test_a_stop_outlives_the_caller_who_asked_for_it() -> None:
    """It is durable, so it has to be seen through although nobody waits for the answer any more."""

    async def main() -> None:
        async with World() as world:
            gate = Gate()
            task = await world.submit(world.deploy("f", gate))
            await gate.busy()
            held = world.store.hold(Status.STOPPING)
            stop = asyncio.ensure_future(world.stop(task))
            await held.reached.wait()
            stop.cancel()
            await settle()
            held.release()
            (after,) = await world.end(task)

            assert after.status is Status.STOPPED
            assert world.script.living() == []

    run(main())


def test_a_call_whose_caller_has_just_gone_is_passed_over() -> None:
    """The instance that became free in that very moment goes to who is next."""

    async def main() -> None:
        async with World(memory_mb=128) as world:
            gate = Gate()
            function = world.deploy("f", in_turn(gate, answers()))
            running = asyncio.ensure_future(world.dispatcher.invoke(function, b"", "r1"))
            await gate.busy()
            gone, waiting = (asyncio.ensure_future(world.dispatcher.invoke(function, b"", r)) for r in ("r2", "r3"))
            await settle()
            (used,) = world.pool.instances()
            gate.leave()
            while used.in_flight:  # noqa: ASYNC110 - the very turn of the loop matters
                await asyncio.sleep(0)
            gone.cancel()
            world.pool.on_free()
            world.dispatcher._round()
            await settle()

            assert (await running).instance_id == (await waiting).instance_id == used.id
            assert gone.cancelled()

    run(main())


def test_a_call_that_is_being_given_up_keeps_its_place() -> None:
    """An instance that takes two at a time gets no third while one of them has not ended yet."""

    async def main() -> None:
        async with World(memory_mb=128) as world:
            world.script.cancel_seconds = 0.5
            gate = Gate()
            function = world.deploy("f", gate, config={"instance_concurrency": 2})
            calls = [asyncio.ensure_future(world.dispatcher.invoke(function, b"", f"r{n}")) for n in (1, 2)]
            await gate.busy(2)
            calls[0].cancel()
            third = asyncio.ensure_future(world.dispatcher.invoke(function, b"", "r3"))
            await asyncio.sleep(0.4)
            assert gate.arrived == 2
            await asyncio.sleep(0.2)
            assert gate.arrived == 3
            gate.leave()

            assert isinstance((await third).outcome, Success)
            assert isinstance((await calls[1]).outcome, Success)
            assert world.script.stops == []

    run(main())


def test_a_task_whose_submitter_has_gone_is_looked_for_until_the_store_answers() -> None:
    """Its row is there, and before the next start nobody else would know of it."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", answers())
            held = world.store.hold(Status.ENQUEUED, after=True)
            submit = asyncio.ensure_future(world.submit(function))
            await held.reached.wait()
            world.store.failing = True
            submit.cancel()
            await asyncio.sleep(10)
            world.store.failing = False
            await world.store.until(lambda: all(row.over for row in world.store.data.tasks.values()))

            assert [row.status for row in world.store.data.tasks.values()] == [Status.SUCCEEDED]

    run(main())


def test_a_timeout_in_a_sandbox_that_went_away_is_a_loss() -> None:
    """Whether it had called the handler at all, nobody knows."""

    async def main() -> None:
        async with World(grace_seconds=5) as world:
            world.script.stop_seconds = 3
            function = world.deploy("f", takes(100), timeout_seconds=2)
            call = asyncio.ensure_future(world.dispatcher.invoke(function, b"", "r"))
            await asyncio.sleep(3)
            world.script.sandboxes[0].lose()
            answer = await call

            assert isinstance(answer.outcome, Failure)
            assert (answer.outcome.type, answer.outcome.lost) == (INSTANCE_LOST, True)

    run(main())
