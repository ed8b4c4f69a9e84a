"""Freezing: after a linger, never between back-to-back tasks, and gone again without a wait."""

from __future__ import annotations

import asyncio

import pytest

from scripted import Gate, answers, lasts, takes
from sojourn.function import Hook, Lifecycle, Provision
from sojourn.hook import PRE_FREEZE, PRE_STOP
from sojourn.instance import Status
from sojourn.sandbox import Exit
from virtual_time import run, settle, steps
from world import World

FREEZE = {"instance_lifecycle_config": Lifecycle(pre_freeze=Hook(handler="index.freeze", timeout=30))}


def statuses(world: World) -> list[str]:
    """Of all instances, the oldest first."""
    return [each.status.value for each in world.pool.instances()]


def names(world: World, place: int = 0) -> list[str]:
    """The events of an instance."""
    return [event.name for event in world.pool.instances()[place].events]


def test_an_idle_instance_is_frozen_after_its_linger_and_thawed_for_the_next_task() -> None:
    """Not before; the task pays no new instance and waits for nothing."""

    async def main() -> None:
        async with World(linger_seconds=2) as world:
            function = world.deploy("f", answers())
            await world.warm_up(function)
            await asyncio.sleep(1.9)
            assert statuses(world) == ["Idle"]
            await asyncio.sleep(0.2)
            assert statuses(world) == ["Frozen"]
            assert [living.frozen for living in world.script.living()] == [True]
            began = asyncio.get_running_loop().time()
            await world.warm_up(function)

            assert asyncio.get_running_loop().time() == began
            assert len(world.script.made) == 1
            assert names(world)[-2:] == ["Frozen", "Thawed"]

    run(main())


def test_a_busy_function_is_never_frozen_between_its_tasks() -> None:
    """A thousand tasks, each a little after the last one: no freeze at all."""

    async def main() -> None:
        async with World(linger_seconds=0.1) as world:
            function = world.deploy("f", takes(0.01))
            for _ in range(1000):
                await world.warm_up(function)
                await asyncio.sleep(0.05)

            assert "Frozen" not in names(world)
            assert len(world.script.made) == 1

    run(main())


def test_one_timer_serves_all_and_a_release_costs_no_scan() -> None:
    """Two hundred resting instances: another call and release of one takes as many steps as with one alone."""

    async def main() -> None:
        async with World(linger_seconds=3600, instances_max=300, memory_mb=64_000) as world:
            function = world.deploy("f", answers())
            await world.warm_up(function)
            began = steps()
            await world.warm_up(function)
            alone = steps() - began
            others = [world.deploy(f"g{number}", answers()) for number in range(200)]
            await world.warm(*others)
            loop = asyncio.get_running_loop()
            assert sum(not handle.cancelled() for handle in loop._scheduled) < 10  # type: ignore[attr-defined]  # asyncio's own
            began = steps()
            await world.warm_up(function)

            assert steps() - began == alone

    run(main())


def test_warm_ones_are_preferred_to_frozen_ones_and_the_latest_of_each_comes_first() -> None:
    """Idle before Frozen."""

    async def main() -> None:
        async with World(linger_seconds=1) as world:
            function = world.deploy("f", answers())
            old, young = world.pool.acquire(function), world.pool.acquire(function)
            assert old is not None
            assert young is not None
            for each in (old, young):
                await world.pool.ready(each)
            world.pool.release(old)
            await asyncio.sleep(1.5)
            world.pool.release(young)
            assert statuses(world) == ["Frozen", "Idle"]

            assert world.pool.acquire(function) is young
            assert world.pool.acquire(function) is old
            for each in (old, young):
                world.pool.release(each)

    run(main())


def test_an_instance_that_is_being_frozen_is_not_available_until_it_is() -> None:
    """With room, another one is made; without, the task waits for the freeze and goes on."""

    async def main() -> None:
        async with World(memory_mb=128) as world:
            world.script.hook_behaviours["f", PRE_FREEZE] = lasts(5)
            function = world.deploy("f", answers(), config=FREEZE)
            await world.warm_up(function)
            await asyncio.sleep(1)
            assert statuses(world) == ["Freezing"]
            assert world.pool.acquire(function) is None
            await world.warm_up(function)

            assert len(world.script.made) == 1
            assert asyncio.get_running_loop().time() == pytest.approx(5.1, abs=0.1)

    run(main())


def test_an_end_during_the_freeze_waits_for_it_no_longer_than_the_grace() -> None:
    """Then PreStop has the CPU all the same (the scripted sandbox writes offences down)."""

    async def main() -> None:
        async with World(grace_seconds=1) as world:
            world.script.hook_behaviours["f", PRE_FREEZE] = lasts(20)
            both = Lifecycle(
                pre_freeze=Hook(handler="index.freeze", timeout=30), pre_stop=Hook(handler="index.stop", timeout=30)
            )
            function = world.deploy("f", answers(), config={"instance_lifecycle_config": both})
            world.script.hook_behaviours["f", PRE_STOP] = lasts(25)
            await world.warm_up(function)
            await asyncio.sleep(1)
            world.change(function, deleted=True)
            await asyncio.sleep(2)
            assert statuses(world) == ["Stopping"]
            await asyncio.sleep(60)
            assert statuses(world) == []

    run(main())


def test_the_idle_time_counts_from_the_last_use_and_freezing_does_not_prolong_it() -> None:
    """Ten seconds after its release it goes, frozen as it is."""

    async def main() -> None:
        async with World(idle_seconds=10) as world:
            function = world.deploy("f", answers())
            await world.warm_up(function)
            await asyncio.sleep(9)
            assert statuses(world) == ["Frozen"]
            await world.warm_up(function)
            await asyncio.sleep(9.9)
            assert statuses(world) == ["Frozen"]
            await asyncio.sleep(0.2)
            assert statuses(world) == []
            assert world.script.stops == [(world.script.made[0].id, "idle")]

    run(main())


@pytest.mark.parametrize("seconds", [0, 3, 400])
def test_a_function_has_an_idle_time_of_its_own(seconds: int) -> None:
    """Longer or shorter than the server's; 0 keeps nothing."""

    async def main() -> None:
        async with World(idle_seconds=60) as world:
            await world.warm_up(world.deploy("f", answers(), config={"idle_timeout": seconds}))
            await asyncio.sleep(max(seconds - 0.1, 0.01))
            assert len(world.pool) == (1 if seconds else 0)
            await asyncio.sleep(0.2)
            assert len(world.pool) == 0

    run(main())


def test_provisioned_instances_with_cpu_are_not_frozen_and_others_are() -> None:
    """AlwaysAllocateCPU holds for as many as are provisioned; switched on, the frozen one runs again."""

    async def main() -> None:
        async with World() as world:
            gate = Gate()
            function = world.deploy("f", gate, provision=Provision(target=1, always_allocate_cpu=True))
            await asyncio.sleep(5)
            assert statuses(world) == ["Idle"]
            tasks = [await world.submit(function) for _ in range(2)]
            await gate.busy(2)
            gate.leave()
            await world.end(*tasks)
            await asyncio.sleep(5)
            assert sorted(statuses(world)) == ["Frozen", "Idle"]

            function = world.change(function, provision=Provision(target=1))
            await asyncio.sleep(5)
            assert statuses(world) == ["Frozen", "Frozen"]
            world.change(function, provision=Provision(target=2, always_allocate_cpu=True))
            await settle()
            assert statuses(world) == ["Idle", "Idle"]

    run(main())


def test_a_frozen_instance_that_dies_is_gone_from_the_books() -> None:
    """And the next task gets another one."""

    async def main() -> None:
        async with World() as world:
            function = world.deploy("f", answers())
            await world.warm_up(function)
            await asyncio.sleep(1)
            (used,) = world.pool.instances()
            assert used.status is Status.FROZEN
            world.script.sandboxes[0].kill(used.id, Exit(code=1))
            await world.warm_up(function)

            assert len(world.script.made) == 2
            assert world.pool.find(used.id) is used
            assert [event.name for event in used.events][-1] == "Destroyed"

    run(main())
