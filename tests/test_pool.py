"""The pool: which instance, how many, and which one has to go."""

from __future__ import annotations

import asyncio
from collections import Counter

import msgspec

from scripted import answers, takes
from sojourn.capacity import STARTS_PER_FUNCTION_MAX
from sojourn.sandbox import Invocation
from sojourn.task import Status
from virtual_time import run, settle
from world import World, take

CALL = Invocation(request_id="r", payload=b"")


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
                assert world.pool.acquire(other) is None  # before anything has gone on
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
            assert not world.pool.fleet.resting

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
