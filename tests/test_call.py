"""Synchronous calls: their answers, their waiting, and callers who go away."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from scripted import Call, Gate, answers, dies, in_turn, raises, takes
from sojourn.call import WAIT_SECONDS_MAX
from sojourn.errors import InstanceStartFailed, ResourceExhausted, ServiceUnavailable
from sojourn.outcome import CRASHED, TIMEOUT
from sojourn.sandbox import Exit, Reply
from sojourn.task import Failure, Status, Success
from virtual_time import run, settle
from world import World, unframed


def test_a_call_answers_with_the_result_its_cost_and_its_log() -> None:
    """And no task comes of it."""

    async def main() -> None:
        async with World() as world:

            async def speak(call: Call) -> Reply:
                call.log(b"hello", 0)
                await asyncio.sleep(2)
                return await answers(call.invocation.payload)(call)

            function = world.deploy("f", speak)
            answer = await world.dispatcher.invoke(function, b"event", "request-1")

            assert isinstance(answer.outcome, Success)
            assert answer.outcome.result == b"event"
            assert (answer.instance_id, unframed(answer.log.head)) == (world.script.made[0].id, b"hello")
            assert (answer.duration_us, answer.memory_peak_bytes) == (2_000_000, 1 << 20)
            assert world.script.calls[0][1].request_id == "request-1"
            assert world.store.data.tasks == {}

    run(main())


@pytest.mark.parametrize(
    ("behaviour", "type_"), [(raises("KeyError"), "KeyError"), (dies(Exit(code=1)), CRASHED), (takes(1000), TIMEOUT)]
)
def test_a_function_that_fails_is_an_answer(behaviour: object, type_: str) -> None:
    """Not an error of ours; tried once, and the next call is unharmed."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", in_turn(behaviour, answers()))  # type: ignore[arg-type]  # from a table
            failed = await world.dispatcher.invoke(function, b"", "r")
            assert isinstance(failed.outcome, Failure)
            assert msgspec.json.decode(failed.outcome.document)["errorType"] == type_
            fine = await world.dispatcher.invoke(function, b"", "r")
            assert isinstance(fine.outcome, Success)

    run(main())


def test_a_call_waits_for_an_instance_and_takes_the_first_that_is_free() -> None:
    """No error while the wait is bounded."""

    async def main() -> None:
        async with World(memory_mb=128) as world:
            function = world.deploy("f", takes(3))
            calls = [world.dispatcher.invoke(function, b"", str(number)) for number in range(3)]
            results = await asyncio.gather(*calls)

            assert [isinstance(each.outcome, Success) for each in results] == [True] * 3
            assert asyncio.get_running_loop().time() < WAIT_SECONDS_MAX

    run(main())


def test_a_call_that_waited_long_enough_is_told_to_come_back() -> None:
    """429 after the bound, not before, and nothing is held."""

    async def main() -> None:
        async with World(memory_mb=128) as world:
            gate = Gate()
            busy, other = world.deploy("busy", gate), world.deploy("other", answers())
            running = asyncio.ensure_future(world.dispatcher.invoke(busy, b"", "r"))
            await gate.busy()
            began = asyncio.get_running_loop().time()
            with pytest.raises(ResourceExhausted):
                await world.dispatcher.invoke(other, b"", "r")
            assert asyncio.get_running_loop().time() - began == pytest.approx(WAIT_SECONDS_MAX)
            gate.leave()
            await running
            assert isinstance((await world.dispatcher.invoke(other, b"", "r")).outcome, Success)

    run(main())


def test_reserved_concurrency_holds_for_calls_and_tasks_together() -> None:
    """A call over the limit is refused at once; a task waits for the call."""

    async def main() -> None:
        async with World() as world:
            gate = Gate()
            function, none = world.deploy("f", gate, reserved=1), world.deploy("none", answers(), reserved=0)
            running = asyncio.ensure_future(world.dispatcher.invoke(function, b"", "r"))
            await gate.busy()
            for full in (function, none):
                with pytest.raises(ResourceExhausted):
                    await world.dispatcher.invoke(full, b"", "r")
            task = await world.submit(function)
            await asyncio.sleep(5)
            assert world.row(task).status is Status.ENQUEUED
            gate.leave()
            await running
            await world.end(task)

    run(main())


def test_a_caller_who_goes_away_ends_the_instance() -> None:
    """User code still ran in it, so nobody else gets it; the place is free again."""

    async def main() -> None:
        async with World(memory_mb=128) as world:
            world.script.stop_seconds = 0.5
            gate = Gate()
            function = world.deploy("f", in_turn(gate, answers()))
            call = asyncio.ensure_future(world.dispatcher.invoke(function, b"", "r"))
            await gate.busy()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            following = await world.dispatcher.invoke(function, b"", "r")

            assert world.script.stops == [(world.script.made[0].id, "cancel")]
            assert isinstance(following.outcome, Success)
            assert following.instance_id == world.script.made[1].id

    run(main())


def test_a_caller_who_goes_away_gives_the_place_back_when_nothing_of_the_call_runs() -> None:
    """Not before: the reserved concurrency holds; and the reason is told although the function keeps nothing idle."""

    async def main() -> None:
        async with World() as world:
            world.script.stop_seconds = 5
            gate = Gate()
            function = world.deploy("f", in_turn(gate, answers()), reserved=1, config={"idle_timeout": 0})
            call = asyncio.ensure_future(world.dispatcher.invoke(function, b"", "r"))
            await gate.busy()
            call.cancel()
            await asyncio.wait([call])
            with pytest.raises(ResourceExhausted):
                await world.dispatcher.invoke(function, b"", "r")
            task = await world.submit(function)
            await asyncio.sleep(0.9)  # the grace is 1 s
            assert world.row(task).status is Status.ENQUEUED
            await world.end(task)

            assert world.script.stops[0] == (world.script.made[0].id, "cancel")

    run(main())


def test_a_caller_who_goes_away_in_the_queue_or_during_the_start_leaves_nothing_behind() -> None:
    """Whoever comes next gets the instance that was being made."""

    async def main() -> None:
        async with World(memory_mb=128) as world:
            world.script.create_seconds = 1
            function = world.deploy("f", answers())
            starting = asyncio.ensure_future(world.dispatcher.invoke(function, b"", "r"))
            await settle()
            waiting = asyncio.ensure_future(world.dispatcher.invoke(function, b"", "r"))
            await asyncio.sleep(0.5)
            for call in (starting, waiting):
                call.cancel()
            results = await asyncio.gather(starting, waiting, return_exceptions=True)
            assert all(isinstance(each, asyncio.CancelledError) for each in results)
            answer = await world.dispatcher.invoke(function, b"", "r")

            assert answer.instance_id == world.script.made[0].id
            assert len(world.script.made) == 1

    run(main())


def test_an_instance_that_cannot_be_made_is_an_error_for_the_caller() -> None:
    """It says why, and holds nothing."""

    async def main() -> None:
        async with World(memory_mb=128) as world:
            function = world.deploy("f", answers())
            for lost in (False, True):
                world.script.create_failures = [InstanceStartFailed("CodeMissing", "the code is gone", lost=lost)]
                with pytest.raises(InstanceStartFailed, match="the code is gone"):
                    await world.dispatcher.invoke(function, b"", "r")
            assert isinstance((await world.dispatcher.invoke(function, b"", "r")).outcome, Success)

    run(main())


@pytest.mark.parametrize("stop_seconds", [0.0, 0.5])
def test_an_answer_at_the_last_moment_leaves_no_doomed_instance_to_others(stop_seconds: float) -> None:
    """Answer and timeout fall together; the next call runs on an instance that lives."""

    async def main() -> None:
        async with World(memory_mb=128) as world:
            world.script.stop_seconds = stop_seconds
            function = world.deploy("f", in_turn(takes(3), takes(1)), timeout_seconds=3)
            both = [world.dispatcher.invoke(function, b"", str(number)) for number in range(2)]
            first, second = await asyncio.gather(*both)

            assert isinstance(second.outcome, Success)
            assert isinstance(first.outcome, Success) or first.outcome.type == TIMEOUT

    run(main())


def test_a_draining_server_takes_no_calls_and_those_that_wait_are_told() -> None:
    """503; a call that runs is waited for."""

    async def main() -> None:
        async with World(memory_mb=128) as world:
            gate = Gate()
            function = world.deploy("f", gate)
            running = asyncio.ensure_future(world.dispatcher.invoke(function, b"", "r"))
            await gate.busy()
            waiting = asyncio.ensure_future(world.dispatcher.invoke(function, b"", "r"))
            await settle()
            drain = asyncio.ensure_future(world.dispatcher.drain(10))
            await settle()
            for call in (waiting, world.dispatcher.invoke(function, b"", "r")):
                with pytest.raises(ServiceUnavailable):
                    await call
            assert not drain.done()
            gate.leave()
            assert isinstance((await running).outcome, Success)
            await drain

    run(main())
