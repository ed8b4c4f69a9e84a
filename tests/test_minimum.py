"""Instances that are always there: made ahead, made again, within the budget, and never in a busy loop."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from reference_store import ReferenceStore
from scripted import Gate, answers, errs
from sojourn.errors import InstanceStartFailed
from sojourn.function import Hook, Lifecycle, Provision, Scaling
from sojourn.hook import INITIALIZER
from sojourn.sandbox import Exit
from sojourn.task import Status
from virtual_time import run, settle
from world import World

TWO = Scaling(min_instances=2)
INITIALIZED = {"instance_lifecycle_config": Lifecycle(initializer=Hook(handler="index.initialize", timeout=5))}


def names(world: World) -> list[str]:
    """The functions of the instances that live."""
    return sorted(each.function.name for each in world.pool.instances() if each.gone is None)


def test_they_are_made_ahead_initialized_and_outlive_their_idle_time() -> None:
    """Under request ids of their own; a task then pays no start."""

    async def main() -> None:
        async with World(idle_seconds=10) as world:
            function = world.deploy("f", answers(), scaling=TWO, config=INITIALIZED)
            await asyncio.sleep(100)
            assert names(world) == ["f", "f"]
            assert len(world.script.made) == 2
            assert len({request for _, _, request in world.script.hooks}) == 2
            task = await world.submit(function)
            await world.end(task)
            assert world.details(task, Status.SUCCEEDED)[0]["isColdStart"] is False
            assert len(world.script.made) == 2

    run(main())


def test_those_beyond_the_minimum_go_after_their_idle_time() -> None:
    """Scaled out on demand, scaled in again."""

    async def main() -> None:
        async with World(idle_seconds=10) as world:
            gate = Gate()
            function = world.deploy("f", gate, scaling=TWO)
            tasks = [await world.submit(function) for _ in range(5)]
            await gate.busy(5)
            gate.leave()
            await world.end(*tasks)
            await asyncio.sleep(30)
            assert names(world) == ["f", "f"]

    run(main())


def test_one_that_dies_is_replaced() -> None:
    """After a moment when it had never been used, which is how a broken one looks."""

    async def main() -> None:
        async with World() as world:
            world.deploy("f", answers(), scaling=TWO)
            await asyncio.sleep(1)
            world.script.sandboxes[0].kill(world.script.made[0].id, Exit(code=1))
            await asyncio.sleep(5)
            assert names(world) == ["f", "f"]
            world.script.sandboxes[0].lose()
            await asyncio.sleep(5)
            assert names(world) == ["f", "f"]

    run(main())


def test_an_update_replaces_them() -> None:
    """The new ones run the new code; the old ones go for the reason of the update."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", answers(), scaling=TWO)
            await asyncio.sleep(1)
            config = msgspec.structs.replace(function.config, memory_size=256)
            world.change(function, config=config)
            await asyncio.sleep(1)
            assert [living.spec.memory_mb for living in world.script.living()] == [256, 256]
            assert [reason for _, reason in world.script.stops] == ["update", "update"]

    run(main())


def test_lowered_or_lifted_they_go_in_their_time_and_raised_they_come() -> None:
    """A change of the number alone ends none that runs the right code."""

    async def main() -> None:
        async with World(idle_seconds=10) as world:
            function = world.deploy("f", answers(), scaling=TWO)
            await asyncio.sleep(1)
            function = world.change(function, scaling=Scaling(min_instances=3))
            await settle()
            assert len(world.script.made) == 3
            function = world.change(function, scaling=Scaling(min_instances=1), provision=Provision(target=1))
            await asyncio.sleep(30)
            assert names(world) == ["f"]
            world.change(function, scaling=None, provision=None)
            await asyncio.sleep(30)
            assert names(world) == []

    run(main())


def test_they_never_outnumber_what_may_run() -> None:
    """A function whose reserved concurrency is 0 keeps none."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", answers(), scaling=TWO, reserved=1)
            await asyncio.sleep(1)
            assert names(world) == ["f"]
            world.change(function, reserved_concurrency=0)
            await asyncio.sleep(100)
            assert names(world) == []

    run(main())


def test_they_are_subject_to_the_budget_and_take_no_room_from_others_minimum() -> None:
    """Two functions that want two each, room for three: no eviction to and fro, and the last one comes when it can."""

    async def main() -> None:
        async with World(memory_mb=384) as world:
            first = world.deploy("first", answers(), scaling=TWO)
            second = world.deploy("second", answers(), scaling=TWO)
            await asyncio.sleep(100)
            assert names(world) == ["first", "first", "second"]
            assert len(world.script.made) == 3
            assert world.pool.minimum.error(second.id) == "no capacity is left for it"
            assert world.pool.minimum.error(first.id) == ""
            world.change(first, scaling=None)
            await asyncio.sleep(100)
            assert names(world) == ["second", "second"]

    run(main())


def test_for_tasks_of_others_they_go_last() -> None:
    """First what merely idles, even when it has idled for a shorter time."""

    async def main() -> None:
        async with World(memory_mb=384, idle_seconds=1000) as world:
            world.deploy("kept", answers(), scaling=TWO)
            await asyncio.sleep(1)
            idle, other = world.deploy("idle", answers()), world.deploy("other", answers())
            await world.warm_up(idle)
            await world.warm_up(other)
            assert names(world) == ["kept", "kept", "other"]
            large = world.deploy("large", answers(), memory_mb=384)
            await world.warm_up(large)
            assert "large" in names(world)

    run(main())


@pytest.mark.parametrize("where", ["start", "initializer"])
def test_one_that_cannot_be_made_ready_is_tried_again_after_a_growing_wait(where: str) -> None:
    """A dozen tries in some minutes, not thousands; the error is told, and goes when it works."""

    async def main() -> None:
        async with World() as world:
            if where == "start":
                world.script.create_failures = [InstanceStartFailed("CodeMissing", "the code is gone")] * 1000
            else:
                world.script.hook_behaviours["f", INITIALIZER] = errs("OSError", "the code is gone")
            function = world.deploy("f", answers(), scaling=Scaling(min_instances=1), config=INITIALIZED)
            await asyncio.sleep(300)
            tries = 1000 - len(world.script.create_failures) if where == "start" else len(world.script.hooks)
            assert 8 <= tries <= 14
            assert "the code is gone" in world.pool.minimum.error(function.id)
            world.script.create_failures = []
            world.script.hook_behaviours.clear()
            await asyncio.sleep(61)
            assert names(world) == ["f"]
            assert world.pool.minimum.error(function.id) == ""

    run(main())


def test_one_that_dies_as_soon_as_it_is_up_is_not_made_in_a_loop() -> None:
    """One a second at the most."""

    async def main() -> None:
        async with World() as world:
            world.deploy("f", answers(), scaling=Scaling(min_instances=1))
            for _ in range(100):
                await asyncio.sleep(0.1)
                for living in world.script.living():
                    world.script.sandboxes[0].kill(living.spec.id, Exit(code=1))
            assert len(world.script.made) <= 12

    run(main())


def test_they_are_there_again_after_a_restart() -> None:
    """What the rows say is made, as the server does it at its start."""

    async def main() -> None:
        store = ReferenceStore()
        async with World(store=store) as world:
            world.deploy("f", answers(), scaling=TWO)
            await asyncio.sleep(1)
        async with World(store=store, functions=world.functions) as again:
            for function in again.functions.values():
                again.pool.change(function)
            await asyncio.sleep(1)
            assert names(again) == ["f", "f"]

    run(main())
