"""The loop that delivers under faults: dead targets, crashes, a store that fails, its own ending."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from delivering import GOOD, DeliveringWorld, Targets, hang
from reference_store import ReferenceStore
from scripted import Gate, answers
from sojourn.destination import Deferred, Delivered, DeliveryStatus
from sojourn.queue import wire_name
from sojourn.task import Status
from virtual_time import run
from world import ACCOUNT


def own(name: str) -> str:
    """The ARN of a function of this world."""
    return f"acs:fc:local:{ACCOUNT}:functions/{name}"


def test_a_target_that_hangs_holds_up_nobody_else() -> None:
    """A hundred records for a dead host, and those of a living one are taken as they come."""

    async def main() -> None:
        async with DeliveringWorld(at_a_time=32, instances_max=64, memory_mb=65_536) as world:
            world.targets.always["http://dead.example/"] = hang
            dead = world.sending("dead", answers(), success="http://dead.example/")
            alive = world.sending("alive", answers())
            for _ in range(100):
                await world.submit(dead)
            await asyncio.sleep(40)
            began = asyncio.get_running_loop().time()
            await world.settled(*[await world.submit(alive) for _ in range(50)])
            assert asyncio.get_running_loop().time() - began < 2
            await asyncio.sleep(60)
            assert world.targets.at_once["http://dead.example/"] == 1

    run(main())


def test_many_dead_targets_hold_up_nobody_else() -> None:
    """Together they get half of the room, however many they are."""

    async def main() -> None:
        async with DeliveringWorld(at_a_time=8, memory_mb=65_536) as world:
            alive = world.sending("alive", answers())
            for number in range(40):
                url = f"http://dead{number}.example/"
                world.targets.always[url] = hang
                await world.submit(world.sending(f"dead{number}", answers(), success=url))
            await asyncio.sleep(200)  # all of them are known to be in trouble
            began = asyncio.get_running_loop().time()
            await world.settled(*[await world.submit(alive) for _ in range(50)])
            assert asyncio.get_running_loop().time() - began < 2
            assert sum(world.targets.at_once.values()) <= 4

    run(main())


def test_a_crash_between_sending_and_recording_sends_again() -> None:
    """At least once, with the same id."""

    async def main() -> None:
        store, targets = ReferenceStore(), Targets()
        world = DeliveringWorld(store=store, targets=targets)
        await world.__aenter__()
        held = store.hold_delivery()
        task = await world.submit(world.sending("f", answers()))
        await held.reached.wait()
        await world.crash()
        assert len(targets.sent) == 1
        assert store.data.deliveries[task.id].status is DeliveryStatus.PENDING

        async with DeliveringWorld(
            store=ReferenceStore(store.data), targets=targets, functions=world.functions
        ) as later:
            (delivery,) = await later.settled(task)
            assert delivery.status is DeliveryStatus.SUCCEEDED
            first, second = targets.sent
            assert (first.message_id, first.body) == (second.message_id, second.body)

    run(main())


def test_a_crash_between_the_end_and_the_sending_loses_nothing() -> None:
    """The next start finds the row."""

    async def main() -> None:
        store, targets = ReferenceStore(), Targets()
        world = DeliveringWorld(store=store, targets=targets)
        await world.__aenter__()
        held = store.hold(Status.SUCCEEDED, after=True)
        task = await world.submit(world.sending("f", answers()))
        await held.reached.wait()
        await world.crash()
        assert targets.sent == []
        async with DeliveringWorld(
            store=ReferenceStore(store.data), targets=targets, functions=world.functions
        ) as later:
            await later.settled(task)
            assert len(targets.sent) == 1

    run(main())


def test_a_wait_survives_a_restart() -> None:
    """A due time is a row, and no timer: the restart neither hurries nor forgets."""

    async def main() -> None:
        store, targets = ReferenceStore(), Targets()
        targets.answers[GOOD] = [Deferred("no", 500.0)]
        world = DeliveringWorld(store=store, targets=targets)
        await world.__aenter__()
        task = await world.submit(world.sending("f", answers()))
        await store.until(lambda: task.id in store.data.deliveries and store.data.deliveries[task.id].attempts == 1)
        await world.crash()
        async with DeliveringWorld(
            store=ReferenceStore(store.data), targets=targets, functions=world.functions
        ) as later:
            await later.settled(task)
            assert targets.sent[1].at - targets.sent[0].at == pytest.approx(500, abs=1)

    run(main())


def test_a_store_that_fails_holds_up_and_loses_nothing() -> None:
    """What was sent is recorded when the store is back, and not sent again."""

    async def main() -> None:
        async with DeliveringWorld() as world:

            async def take() -> Delivered:
                world.store.failing = True
                return Delivered()

            world.targets.answers[GOOD] = [take]
            task = await world.submit(world.sending("f", answers()))
            await asyncio.sleep(100)
            world.store.failing = False
            (delivery,) = await world.settled(task)
            assert (len(world.targets.sent), delivery.attempts) == (1, 1)

    run(main())


def test_what_the_loop_was_not_told_is_found() -> None:
    """A row that nobody mentioned is taken up before long."""

    async def main() -> None:
        async with DeliveringWorld() as world:
            world.queue.on_delivery = lambda _: None
            task = await world.submit(world.sending("f", answers()))
            await world.settled(task)
            assert len(world.targets.sent) == 1

    run(main())


def test_a_repeated_submit_is_recognised() -> None:
    """A crash after the submit: the function still gets one task."""

    async def main() -> None:
        store = ReferenceStore()
        world = DeliveringWorld(store=store)
        await world.__aenter__()
        held = store.hold_delivery()
        world.deploy("after", answers())
        task = await world.submit(world.sending("f", answers(), success=own("after")))
        await held.reached.wait()
        await world.crash()
        async with DeliveringWorld(store=ReferenceStore(store.data), functions=world.functions) as later:
            later.script.behaviours.update(world.script.behaviours)
            (delivery,) = await later.settled(task)
            assert delivery.status is DeliveryStatus.SUCCEEDED
            assert len([each for each in later.store.data.tasks.values() if each.function_id == 1]) == 1
            await later.end(*later.store.data.tasks.values())

    run(main())


def test_a_request_while_it_is_being_sent_is_not_lost() -> None:
    """The attempt under way is overtaken, and another one follows."""

    async def main() -> None:
        async with DeliveringWorld() as world:
            world.targets.always[GOOD] = hang
            task = await world.submit(world.sending("f", answers()))
            await world.end(task)
            await asyncio.sleep(5)
            await world.deliveries.resend(world.row(task), wire_name(task))
            world.targets.always[GOOD] = Delivered()
            (delivery,) = await world.settled(task)
            assert (delivery.round, delivery.attempts, len(world.targets.sent)) == (2, 1, 2)

    run(main())


def test_a_drain_leaves_records_for_functions_to_the_next_start() -> None:
    """No attempt is charged for our own ending."""

    async def main() -> None:
        store = ReferenceStore()
        async with DeliveringWorld(store=store) as world:
            gate = Gate()
            world.deploy("after", answers())
            task = await world.submit(world.sending("f", gate, success=own("after")))
            await gate.busy()
            world.queue.closed = True
            gate.leave()
            await world.end(task)
            await asyncio.sleep(20)
            assert world.delivery(task) == msgspec.structs.replace(world.delivery(task), attempts=0, epoch=1)

    run(main())


def test_records_of_one_host_are_bounded() -> None:
    """A flood of ends is sent in order, so many at a time."""

    async def main() -> None:
        async with DeliveringWorld(memory_mb=65_536, instances_max=200, at_a_time=64) as world:
            function = world.sending("f", answers())
            tasks = [await world.submit(function) for _ in range(200)]
            await world.settled(*tasks)
            assert world.targets.peak[GOOD] <= 16
            assert len(world.targets.sent) == 200

    run(main())


def test_what_stood_behind_a_dead_target_for_too_long_is_given_up() -> None:
    """Without an attempt of its own, and it says why."""

    async def main() -> None:
        async with DeliveringWorld(give_up_seconds=100) as world:
            world.targets.always[GOOD] = hang
            function = world.sending("f", answers())
            tasks = [await world.submit(function) for _ in range(60)]
            rows = await world.settled(*tasks)
            assert {row.status for row in rows} == {DeliveryStatus.FAILED}
            assert asyncio.get_running_loop().time() < 400

    run(main())
