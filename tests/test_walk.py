"""Lives of instances at random: whatever comes in whatever order, table and bounds hold, and nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Any

import pytest

from scripted import Call, errs, kills, lasts, takes
from sojourn import machine
from sojourn.errors import TaskAlreadyCompleted
from sojourn.function import Hook, Lifecycle, Scaling
from sojourn.hook import INITIALIZER, PRE_FREEZE, PRE_STOP
from sojourn.instance import TRANSITIONS, Status
from sojourn.sandbox import Exit, HookOutcome, Reply
from sojourn.task import Task
from virtual_time import run, settle
from world import OTHER_ACCOUNT, World

HOOKED = Lifecycle(
    initializer=Hook(handler="index.initialize", timeout=2),
    pre_freeze=Hook(handler="index.freeze", timeout=2),
    pre_stop=Hook(handler="index.stop", timeout=2),
)
MEMORY_MB, INSTANCES_MAX = 1024, 6
Cell = tuple[object, str]


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch) -> set[Cell]:
    """The rows of the table that are walked from now on."""
    walked: set[Cell] = set()
    real = machine.step

    def step(table: Any, status: Any, fact: object) -> Any:
        after = real(table, status, fact)
        if table is TRANSITIONS:
            walked.add((status, type(fact).__name__))
        return after

    monkeypatch.setattr(machine, "step", step)
    return walked


class Walk:
    """A world in which anything may happen, at the throw of dice."""

    def __init__(self, world: World, dice: random.Random) -> None:
        self.world, self.dice = world, dice
        self.tasks: list[Task] = []
        self.calls: list[asyncio.Future[Any]] = []
        for number in range(5):
            config: dict[str, Any] = {"instance_concurrency": 3} if number == 4 else {}
            if number % 2:
                config["instance_lifecycle_config"] = HOOKED
            world.deploy(
                f"f{number}",
                self._behave,
                memory_mb=128 << (number % 3),
                timeout_seconds=3,
                account=OTHER_ACCOUNT if number == 3 else "1234567890",
                config=config,
            )
            for hook in (INITIALIZER, PRE_FREEZE, PRE_STOP):
                world.script.hook_behaviours[f"f{number}", hook] = self._hook

    async def _behave(self, call: Call) -> Reply:
        chance = self.dice.random()
        if chance < 0.05 and call.instance_id in call.sandbox.instances:  # type: ignore[attr-defined]  # scripted
            call.die(Exit(code=1))
        return await takes(5 if chance > 0.95 else self.dice.random())(call)

    async def _hook(self, call: Call) -> HookOutcome:
        choice = self.dice.random()
        if choice < 0.1:
            return await errs()(call)
        if choice < 0.15 and call.instance_id in call.sandbox.instances:  # type: ignore[attr-defined]  # scripted
            return await kills(Exit(code=1))(call)
        return await lasts(5 if choice > 0.95 else self.dice.random() / 5)(call)

    async def step(self) -> None:
        """One of the things that can happen."""
        world, dice = self.world, self.dice
        function = world.functions[dice.randrange(1, 6)]
        acts: list[Callable[[], Any]] = [
            self._submit,
            self._submit,
            self._submit,
            self._stop,
            self._kill,
            lambda: self._call(function),
            self._end,
            lambda: asyncio.sleep(dice.random() * 3),
            lambda: self._change(function),
        ]
        if dice.random() < 0.05:
            world.script.sandboxes[-1].lose() if world.script.sandboxes else None
        act = dice.choice(acts)()
        if asyncio.iscoroutine(act):
            await act

    async def _submit(self) -> None:
        function = self.world.functions[self.dice.randrange(1, 6)]
        self.tasks += [await self.world.submit(function) for _ in range(self.dice.randrange(1, 6))]

    async def _stop(self) -> None:
        if self.tasks:
            with contextlib.suppress(TaskAlreadyCompleted):
                await self.world.stop(self.dice.choice(self.tasks))

    def _call(self, function: Any) -> None:
        call = asyncio.ensure_future(self.world.dispatcher.invoke(function, b"", f"r{len(self.calls)}"))
        self.calls.append(call)
        asyncio.get_running_loop().call_later(self.dice.random() * 2, call.cancel)

    def _end(self) -> None:
        """As an update ends them, but whatever they are doing."""
        for each in self.world.pool.instances():
            if self.dice.random() < 0.2:
                self.world.pool.background.spawn(self.world.pool.stop(each, "update"))

    def _kill(self) -> None:
        for sandbox in self.world.script.sandboxes:
            for id_, living in list(sandbox.instances.items()):
                if self.dice.random() < 0.2 and not living.stopping:
                    sandbox.kill(id_, Exit(code=9))

    def _change(self, function: Any) -> None:
        match self.dice.randrange(4):
            case 0:
                self.world.change(function, scaling=Scaling(min_instances=self.dice.randrange(3)))
            case 1:
                self.world.change(function, reserved_concurrency=self.dice.choice([None, 1, 3]))
            case _:
                code = self.world.functions[self.dice.randrange(1, 6)].code
                self.world.change(function, code=type(code)(digest=code.digest, size=1, checksum="2"))

    def check(self) -> None:
        """What holds at every moment."""
        fleet = self.world.pool.fleet
        assert fleet.memory_mb == sum(each.memory_mb for each in fleet.instances.values()) <= MEMORY_MB
        assert len(fleet) <= INSTANCES_MAX
        for each in fleet.instances.values():
            group = fleet.groups[each.function.id]
            assert each.status is not Status.DESTROYED
            resting = each.gone is None and each.status in (Status.IDLE, Status.FREEZING, Status.FROZEN)
            assert (each.id in fleet.resting) == resting, each.status
            assert (each.id in group.idle) == (each.gone is None and each.status is Status.IDLE)
            assert (each.id in group.frozen) == (each.gone is None and each.status is Status.FROZEN)
            assert each.holders <= each.function.config.instance_concurrency
        assert fleet.going == sum(each.gone is not None for each in fleet.instances.values())


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_the_table_and_the_bounds_hold(seed: int) -> None:
    """Four hundred throws each; then every task ends, and leaving the world finds nothing left (see `World`)."""

    async def main() -> None:
        settings = {"memory_mb": MEMORY_MB, "instances_max": INSTANCES_MAX, "headroom": 0.125 * (seed % 2)}
        async with World(idle_seconds=2, linger_seconds=0.2, **settings) as world:  # type: ignore[arg-type]  # by name
            world.script.create_seconds, world.script.stop_seconds = 0.02, 0.05
            world.script.cancel_seconds = 0.1 if seed % 2 else None
            walk = Walk(world, random.Random(seed))
            for _ in range(400):
                await walk.step()
                walk.check()
            for function in list(world.functions.values()):
                world.change(function, reserved_concurrency=None)
            await asyncio.gather(*walk.calls, return_exceptions=True)
            await world.end(*walk.tasks)
            await settle()
            walk.check()

    run(main())


def test_every_row_of_the_table_is_walked_by_the_pool(cells: set[Cell]) -> None:
    """Walks of different luck together reach each of them; none is decoration."""

    async def main(seed: int) -> None:
        async with World(idle_seconds=1, linger_seconds=0.1, memory_mb=MEMORY_MB, instances_max=INSTANCES_MAX) as world:
            world.script.create_seconds, world.script.stop_seconds = 0.2, 0.05
            walk = Walk(world, random.Random(seed))
            for _ in range(300):
                await walk.step()
            await asyncio.gather(*walk.calls, return_exceptions=True)  # or the drain's refusal is never looked at
            await world.pool.close()

    everything: set[Cell] = {(status, fact.__name__) for status, fact in TRANSITIONS}
    for seed in range(100, 160):
        run(main(seed))
        if everything <= cells:
            break

    assert everything - cells == set()
