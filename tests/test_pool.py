"""The pool: which instance, how many, when they go, and that none is ever lost from sight."""

from __future__ import annotations

import asyncio
from collections import Counter

import msgspec
import pytest

from scripted import Gate, answers, dies, takes
from sojourn import instance
from sojourn.errors import InstanceStartFailed, SandboxUnavailable
from sojourn.function import Function
from sojourn.pool import STARTS_PER_FUNCTION_MAX, Instance
from sojourn.sandbox import Exit, InstanceDied, Invocation
from sojourn.task import Status
from virtual_time import run, settle
from world import World

CALL = Invocation(request_id="r", payload=b"")


async def take(world: World, function: Function) -> Instance:
    """An instance that is ready to be called."""
    made = world.pool.acquire(function)
    assert made is not None
    await world.pool.ready(made)
    return made


def functions_of(world: World) -> Counter[str]:
    """How many instances live, by function."""
    return Counter(str(living.spec.context["name"]) for living in world.script.living())


def test_a_released_instance_is_used_again_and_the_latest_first() -> None:
    """Warm ones are a stack: the least used grow old and go."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", answers())
            first, second = await take(world, function), await take(world, function)
            world.pool.release(first)
            world.pool.release(second)

            assert await take(world, function) is second
            assert await take(world, function) is first
            assert len(world.script.made) == 2
            for each in (first, second):
                world.pool.release(each)

    run(main())


def test_an_instance_gets_what_its_function_says() -> None:
    """Code, handler, memory, variables and context are the function's; the interpreter is the runtime's."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", answers(), memory_mb=256, timeout_seconds=9)
            await world.warm(function)

            (spec,) = world.script.made
            assert (spec.code_digest, spec.handler, spec.memory_mb) == (function.code.digest, "index.handler", 256)
            assert spec.interpreter == world.runtime.interpreter
            assert spec.environment["FC_FUNCTION_NAME"] == spec.context["name"] == "f"
            assert spec.context["timeout"] == 9
            assert world.script.sandboxes[0].spec.mark == "mark"

    run(main())


def test_memory_is_never_promised_twice_and_waiting_costs_nothing() -> None:
    """The sum of sizes stays within the bound while instances start, run and stop."""

    async def main() -> None:
        async with World(memory_mb=512) as world:
            world.script.create_seconds = 0.5
            function, large = world.deploy("f", answers()), world.deploy("large", answers(), memory_mb=384)
            starting = [world.pool.acquire(function) for _ in range(3)]
            assert None not in starting
            assert world.pool.acquire(large) is None
            last = world.pool.acquire(function)
            assert last is not None
            assert world.pool.acquire(function) is None
            for each in [*starting, last]:
                assert each is not None
                await world.pool.ready(each)
                world.pool.release(each)

    run(main())


def test_the_number_of_instances_is_bounded() -> None:
    """Whatever their size."""

    async def main() -> None:
        async with World(instances_max=2) as world:
            function = world.deploy("f", answers())
            both = [await take(world, function) for _ in range(2)]

            assert world.pool.acquire(function) is None
            world.pool.release(both[0])
            assert await take(world, function) is both[0]
            for each in both:
                world.pool.release(each)

    run(main())


def test_few_instances_of_one_function_start_at_a_time() -> None:
    """A burst waits for the first ones; when they are up, more may start."""

    async def main() -> None:
        async with World() as world:
            world.script.create_seconds = 0.1
            function = world.deploy("f", answers())
            made = [world.pool.acquire(function) for _ in range(STARTS_PER_FUNCTION_MAX)]
            assert world.pool.acquire(function) is None
            for each in made:
                assert each is not None
                await world.pool.ready(each)
            more = world.pool.acquire(function)
            assert more is not None
            for one in [*made, more]:
                assert one is not None
                world.pool.release(one)

    run(main())


def test_the_longest_idle_instance_makes_room_and_busy_ones_never_do() -> None:
    """As many as are needed go, oldest first."""

    async def main() -> None:
        async with World(memory_mb=384, idle_seconds=1000) as world:
            old, young, busy = (world.deploy(name, answers()) for name in ("old", "young", "busy"))
            working = await take(world, busy)
            await world.warm(old)
            await asyncio.sleep(1)
            await world.warm(young)
            other = world.deploy("other", answers())

            assert world.pool.acquire(other) is None
            await settle()
            assert functions_of(world) == {"young": 1, "busy": 1}
            world.pool.release(await take(world, other))
            large = world.deploy("large", answers(), memory_mb=256)
            assert world.pool.acquire(large) is None
            await settle()
            assert functions_of(world) == {"busy": 1}
            world.pool.release(await take(world, large))
            world.pool.release(working)
            assert [reason for _, reason in world.script.stops] == ["memory"] * 3

    run(main())


def test_room_that_is_being_made_is_not_made_twice() -> None:
    """While an evicted instance takes its time to go, asking again sends no further one away."""

    async def main() -> None:
        async with World(memory_mb=256) as world:
            world.script.stop_seconds = 0.5
            first, second, other = (world.deploy(name, answers()) for name in ("first", "second", "other"))
            await world.warm(first, second)
            for _ in range(20):
                assert world.pool.acquire(other) is None
                await asyncio.sleep(0)
            await asyncio.sleep(1)

            assert functions_of(world) == {"second": 1}

    run(main())


def test_an_instance_that_was_sent_away_is_not_handed_out() -> None:
    """From the moment it is chosen for eviction nobody gets it, even before its end has begun."""

    async def main() -> None:
        async with World(memory_mb=256) as world:
            idle, other = world.deploy("idle", answers()), world.deploy("other", answers(), memory_mb=256)
            await world.warm(idle)
            assert world.pool.acquire(other) is None
            taken = world.pool.acquire(idle)  # in the same step: the eviction has not run yet

            assert taken is not None
            await world.pool.ready(taken)
            assert (await world.pool.invoke(taken, CALL, lambda *_: None)).ok
            world.pool.release(taken)

    run(main())


def test_idle_instances_go_after_their_time_and_the_memory_with_them() -> None:
    """Not before; one that was used meanwhile stays its full time."""

    async def main() -> None:
        async with World(idle_seconds=10) as world:
            function = world.deploy("f", answers())
            both = [await take(world, function) for _ in range(2)]
            for each in both:
                world.pool.release(each)
            await asyncio.sleep(9)
            assert len(world.script.living()) == 2
            world.pool.release(await take(world, function))
            await asyncio.sleep(9)
            assert len(world.script.living()) == 1
            await asyncio.sleep(11)
            assert world.script.living() == []
            assert world.leaks() == []
            assert not any(world.pool._idle.values())

    run(main())


def test_without_idle_time_an_instance_serves_once() -> None:
    """Zero seconds mean that nothing is kept warm."""

    async def main() -> None:
        async with World(idle_seconds=0) as world:
            function = world.deploy("f", answers())
            await world.warm(function)
            await settle()
            assert world.script.living() == []

    run(main())


def test_an_update_ends_idle_instances_at_once_and_busy_ones_when_they_are_done() -> None:
    """New calls never run old code; a change that does not touch code or configuration keeps instances."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", answers())
            busy, idle = await take(world, function), await take(world, function)
            world.pool.release(idle)
            function = world.change(function, reserved_concurrency=5)
            await settle()
            assert len(world.script.living()) == 2

            config = msgspec.structs.replace(function.config, environment_variables={"A": "1"})
            function = world.change(function, config=config)
            await settle()
            assert list(world.script.sandboxes[0].instances) == [busy.id]
            fresh = await take(world, function)
            world.pool.release(busy)
            await settle()
            assert list(world.script.sandboxes[0].instances) == [fresh.id]
            world.pool.release(fresh)
            assert await take(world, function) is fresh
            world.pool.release(fresh)

    run(main())


def test_an_instance_of_an_outdated_function_does_not_stay() -> None:
    """A caller who still holds the old function may get one; afterwards it is not kept warm for nobody."""

    async def main() -> None:
        async with World() as world:
            old = world.deploy("f", answers())
            new = world.change(old, config=msgspec.structs.replace(old.config, memory_size=256))
            world.pool.release(await take(world, old))
            world.pool.release(await take(world, new))
            await settle()
            assert [living.spec.memory_mb for living in world.script.living()] == [256]

    run(main())


def test_a_deleted_functions_instances_go() -> None:
    """Idle ones at once."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", answers())
            await world.warm(function)
            world.change(function, deleted=True)
            await settle()
            assert world.script.living() == []

    run(main())


def test_everybody_who_stops_an_instance_waits_for_the_same_end() -> None:
    """It is ended once, and a later stop answers at once."""

    async def main() -> None:
        async with World() as world:
            world.script.stop_seconds = 0.5
            function = world.deploy("f", answers())
            used = await take(world, function)
            ends = await asyncio.gather(world.pool.stop(used, "stop"), world.pool.stop(used, "timeout"))

            assert ends[0] == ends[1] == await world.pool.stop(used, "stop")
            assert len(world.script.stops) == 1
            world.pool.release(used)
            assert used.status is instance.Status.DESTROYED

    run(main())


def test_a_busy_instance_that_is_stopped_interrupts_its_call() -> None:
    """The call learns how it ended; a release in the middle of the stop does not bring the instance back."""

    async def main() -> None:
        async with World() as world:
            world.script.stop_seconds = 0.5
            gate = Gate()
            function = world.deploy("f", gate)
            used = await take(world, function)
            call = asyncio.ensure_future(world.pool.invoke(used, CALL, lambda *_: None))
            await gate.busy()
            stop = asyncio.ensure_future(world.pool.stop(used, "stop"))
            await settle()
            world.pool.release(used)
            with pytest.raises(InstanceDied) as died:
                await call

            assert died.value.exit == await stop
            assert not any(world.pool._idle.values())

    run(main())


def test_a_stop_that_has_only_been_asked_for_already_keeps_others_away() -> None:
    """Between the request and the first signal a released instance is given to nobody."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", answers())
            used = await take(world, function)
            stop = asyncio.ensure_future(world.pool.stop(used, "stop"))
            await asyncio.sleep(0)  # the request is made, nothing has happened yet
            world.pool.release(used)
            other = world.pool.acquire(function)
            await stop

            assert other is not None
            assert other is not used
            await world.pool.ready(other)
            world.pool.release(other)

    run(main())


@pytest.mark.parametrize("busy", [True, False])
def test_an_instance_that_dies_by_itself_is_gone_from_the_books(*, busy: bool) -> None:
    """Its memory is free, and nobody gets it."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", dies(Exit(code=3)))
            used = await take(world, function)
            if busy:
                with pytest.raises(InstanceDied):
                    await world.pool.invoke(used, CALL, lambda *_: None)
                world.pool.release(used)
            else:
                world.pool.release(used)
                world.script.sandboxes[0].kill(used.id, Exit(code=3))

            assert world.leaks() == []
            assert await take(world, function) is not used

    run(main())


def test_a_lost_sandbox_takes_its_instances_and_the_next_start_makes_another() -> None:
    """Idle, busy and starting ones alike; whoever waits for one learns that it was lost."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", answers())
            busy, idle = await take(world, function), await take(world, function)
            world.pool.release(idle)
            world.script.create_seconds = 0.5
            starting = world.pool.acquire(world.deploy("g", answers()))
            assert starting is not None
            await settle()
            world.script.sandboxes[0].lose()

            with pytest.raises(InstanceStartFailed) as failed:
                await world.pool.ready(starting)
            assert failed.value.lost
            with pytest.raises(InstanceDied) as died:
                await world.pool.invoke(busy, CALL, lambda *_: None)
            assert died.value.lost
            for each in (busy, starting):
                world.pool.release(each)
            assert world.leaks() == []
            world.script.create_seconds = 0
            world.pool.release(await take(world, function))
            assert len(world.script.sandboxes) == 2

    run(main())


def lost_start() -> InstanceStartFailed:
    """What a sandbox says when it goes away under a start."""
    return InstanceStartFailed("SandboxLost", "gone", lost=True)


@pytest.mark.parametrize("error", [SandboxUnavailable("no"), OSError(28, "No space left on device"), RuntimeError("?")])
def test_a_sandbox_that_does_not_start_holds_no_memory(error: Exception) -> None:
    """Whatever the driver raises, whoever waits is told, nothing stays counted, and the next try may work."""

    async def main() -> None:
        async with World() as world:
            world.script.start_failures.append(error)
            function = world.deploy("f", answers())
            made = world.pool.acquire(function)
            assert made is not None
            with pytest.raises(InstanceStartFailed) as failed:
                await world.pool.ready(made)
            world.pool.release(made)

            assert failed.value.lost
            await settle()
            assert world.leaks() == []
            world.pool.release(await take(world, function))

    run(main())


@pytest.mark.parametrize("error", [InstanceStartFailed("CodeMissing", "no"), lost_start()])
def test_an_instance_that_cannot_be_made_holds_no_memory(error: InstanceStartFailed) -> None:
    """The cause reaches whoever waits, unchanged."""

    async def main() -> None:
        async with World() as world:
            world.script.create_failures.append(error)
            made = world.pool.acquire(world.deploy("f", answers()))
            assert made is not None
            with pytest.raises(InstanceStartFailed) as failed:
                await world.pool.ready(made)

            assert failed.value is error
            assert world.leaks() == []

    run(main())


def test_a_runtime_that_is_gone_is_said_so() -> None:
    """Deployed on an interpreter that the machine has no more: that is not ours to retry."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", answers())
            world.runtime.missing.add("python3.12")
            made = world.pool.acquire(function)
            assert made is not None
            with pytest.raises(InstanceStartFailed) as failed:
                await world.pool.ready(made)

            assert (failed.value.cause, failed.value.lost) == ("RuntimeMissing", False)
            assert world.leaks() == []

    run(main())


def test_an_instance_nobody_waits_for_any_more_is_kept_warm() -> None:
    """Given back while it starts, it is idle as soon as it is up."""

    async def main() -> None:
        async with World() as world:
            world.script.create_seconds = 0.5
            function = world.deploy("f", answers())
            made = world.pool.acquire(function)
            assert made is not None
            world.pool.release(made)
            await asyncio.sleep(1)

            assert world.pool.acquire(function) is made
            world.pool.release(made)

    run(main())


def test_a_stop_of_a_starting_instance_waits_for_it_and_ends_it() -> None:
    """No process is left that nobody knows."""

    async def main() -> None:
        async with World() as world:
            world.script.create_seconds = 0.5
            made = world.pool.acquire(world.deploy("f", answers()))
            assert made is not None
            await world.pool.stop(made, "stop")

            assert len(world.script.made) == 1
            assert world.script.living() == []
            assert world.leaks() == []

    run(main())


def test_closing_ends_everything_and_gives_nothing_out() -> None:
    """Idle, busy and starting instances; on return no sandbox is left."""

    async def main() -> None:
        async with World() as world:
            gate = Gate()
            function = world.deploy("f", gate)
            busy = await take(world, function)
            call = asyncio.ensure_future(world.pool.invoke(busy, CALL, lambda *_: None))
            await gate.busy()
            world.pool.release(await take(world, function))
            world.script.create_seconds = 0.5
            starting = world.pool.acquire(world.deploy("g", answers()))
            assert starting is not None
            await world.pool.close()

            assert world.leaks() == []
            assert world.pool.acquire(function) is None
            assert not any(sandbox.alive for sandbox in world.script.sandboxes)
            assert isinstance((await asyncio.gather(call, return_exceptions=True))[0], InstanceDied)

    run(main())


def test_many_functions_in_little_memory_all_get_their_turn() -> None:
    """Twelve functions share room for three instances: every task ends, and the bound holds all the time."""

    async def main() -> None:
        async with World(memory_mb=384) as world:
            world.script.create_seconds, world.script.stop_seconds = 0.05, 0.05
            functions = [world.deploy(f"f{number}", takes(0.01)) for number in range(12)]
            tasks = [await world.submit(function) for function in functions for _ in range(10)]
            ended = await world.end(*tasks)

            assert {task.status for task in ended} == {Status.SUCCEEDED}
            assert {task.attempts for task in ended} == {1}
            assert world.script.memory_peak_mb == 384

    run(main())
