"""What every store must do when tasks that are over are to go: which ones, with what, and what is counted."""

from __future__ import annotations

import asyncio
from collections import Counter

import msgspec
import pytest

from sojourn.audit import audit
from sojourn.destination import Delivered, attempted, resent
from sojourn.identity import Numbers
from sojourn.store import Forgotten, Log, Store
from sojourn.task import Status, StopRequested, Task
from stores.samples import (
    LARGE,
    NOW,
    SECOND,
    Factory,
    faltered,
    moved,
    new_delivery,
    new_function,
    new_task,
    open_ids,
    returned,
    started,
    use,
)

LATER = NOW + 3600 * SECOND
ALL = 1 << 62


def tasks_of(count: int) -> list[Task]:
    """Tasks with ids of their time, submitted one a millisecond, every third of them named."""
    numbers = Numbers()
    ids = [numbers.next(NOW + number * 1_000) for number in range(count)]
    return [
        msgspec.structs.replace(new_task(1, f"named-{place}" if place % 3 == 0 else None), id=number)
        for place, number in enumerate(ids)
    ]


def ended(task: Task, at: int = NOW + SECOND) -> Task:
    """The task after it has returned, at that moment."""
    return msgspec.structs.replace(returned(started(task), b"done"), ended_at=at)


async def keep(store: Store, before: Task, after: Task) -> None:
    """A task, and what became of it."""
    assert await store.insert_task(before)
    assert await store.apply(before.epoch, after)


async def all_forgotten(store: Store, ended_before: int, limit: int = 100) -> list[Forgotten]:
    """Forget until there is nothing left to forget; what each call said."""
    said: list[Forgotten] = []
    after = 0
    while True:
        forgotten = await store.forget(ended_before, after, limit)
        if forgotten.last is None:
            return said
        assert forgotten.last > after
        said.append(forgotten)
        after = forgotten.last


class RetentionConformance:
    """Forgetting, and the counts of what is over."""

    def test_what_ended_before_goes_and_nothing_else(self, factory: Factory) -> None:
        """An open task in any status stays, and so does one that ended at that moment or later."""
        first, second, third, fourth, fifth, sixth = tasks_of(6)

        async def work(store: Store) -> None:
            await keep(store, first, ended(first))
            await keep(store, second, ended(second, NOW + 9 * SECOND))
            await keep(store, third, started(third))
            await keep(store, fourth, faltered(started(fourth), b"no"))
            await keep(store, fifth, moved(fifth, StopRequested()))
            await keep(store, sixth, ended(sixth))

            said = await all_forgotten(store, NOW + 9 * SECOND)

            assert [(dict(each.counts), each.last) for each in said] == [({(1, Status.SUCCEEDED): 2}, sixth.id)]
            left = [task for task in (first, second, third, fourth, fifth, sixth) if await store.task(task.id)]
            assert left == [second, third, fourth, fifth]

        use(factory, work)

    def test_all_that_was_kept_for_it_goes_along(self, factory: Factory) -> None:
        """Bodies, logs and a delivery that is over; what belongs to another task stays, and nothing is left astray."""
        gone, stays = tasks_of(2)
        gone, stays = (msgspec.structs.replace(task, payload=b"p" * LARGE) for task in (gone, stays))

        async def work(store: Store) -> None:
            made = await store.put_function(new_function(), 0)
            assert made is not None
            for task, at in ((gone, NOW + SECOND), (stays, LATER + SECOND)):
                over = msgspec.structs.replace(returned(started(task), b"r" * LARGE), ended_at=at)
                delivery = new_delivery(task.id)
                assert await store.insert_task(task)
                assert await store.apply(task.epoch, over, Log(1, b"out"), delivery)
                assert await store.put_delivery(delivery.epoch, attempted(delivery, Delivered(), NOW, 0.0, 1.0))

            (said,) = await all_forgotten(store, LATER)

            assert said.tasks == 1
            assert await store.task(gone.id) is None
            assert await store.logs(gone.id) == []
            assert [each.task_id for each in await store.deliveries([gone.id, stays.id])] == [stays.id]
            kept = await store.task(stays.id)
            assert kept is not None
            assert (len(kept.payload), len(kept.result)) == (LARGE, LARGE)
            assert await store.logs(stays.id) == [Log(1, b"out")]
            with store.records() as records:
                assert list(records.strays()) == []
                assert audit(records).statuses == {"Succeeded": 1}

        use(factory, work)

    def test_a_record_on_its_way_keeps_its_task(self, factory: Factory) -> None:
        """Until its delivery is over; one that is sent again keeps it once more."""
        (task,) = tasks_of(1)
        delivery = new_delivery(task.id)
        sent = attempted(delivery, Delivered(), NOW, 0.0, 1.0)
        again = resent(sent, NOW)

        async def work(store: Store) -> None:
            assert await store.insert_task(task)
            assert await store.apply(task.epoch, ended(task), None, delivery)
            assert await all_forgotten(store, LATER) == []
            assert await store.put_delivery(delivery.epoch, sent)
            assert await store.put_delivery(sent.epoch, again)
            assert await all_forgotten(store, LATER) == []
            assert await store.task(task.id) is not None
            assert await store.put_delivery(again.epoch, attempted(again, Delivered(), NOW, 0.0, 1.0))
            assert len(await all_forgotten(store, LATER)) == 1
            assert await store.task(task.id) is None

        use(factory, work)

    def test_a_name_is_free_again(self, factory: Factory) -> None:
        """As soon as the task that had it is gone, and not before."""
        first, _, _, second = tasks_of(4)
        second = msgspec.structs.replace(second, name=first.name)

        async def work(store: Store) -> None:
            await keep(store, first, ended(first))
            assert not await store.insert_task(second)
            await all_forgotten(store, LATER)
            assert await store.task_named(1, str(first.name)) is None
            assert await store.insert_task(second)
            assert await store.task_named(1, str(first.name)) == second

        use(factory, work)

    @pytest.mark.parametrize("limit", [1, 7, 1000])
    def test_it_goes_on_where_it_stopped(self, factory: Factory, limit: int) -> None:
        """In pieces of any size all go, oldest first, and none is counted twice."""
        tasks = tasks_of(50)
        waiting = [task.id for task in tasks[::5]]

        async def work(store: Store) -> None:
            await asyncio.gather(*(store.insert_task(task) for task in tasks))
            over = [task for task in tasks if task.id not in waiting]
            await asyncio.gather(*(store.apply(task.epoch, ended(task)) for task in over))

            said = await all_forgotten(store, LATER, limit)

            assert sum(each.tasks for each in said) == 40
            assert all(each.tasks <= limit for each in said)
            assert await open_ids(store) == waiting

        use(factory, work)

    def test_tasks_are_counted_by_function_and_status(self, factory: Factory) -> None:
        """Whatever they come to and when they go; a write that loses its race counts nothing, and a restart neither."""
        tasks = [msgspec.structs.replace(task, function_id=place % 2 + 1) for place, task in enumerate(tasks_of(20))]
        waiting = {(1, Status.ENQUEUED): 1, (2, Status.ENQUEUED): 1}

        async def fill(store: Store) -> None:
            assert await store.counts() == {}
            await asyncio.gather(*(store.insert_task(task) for task in tasks))
            assert await store.counts() == {(1, Status.ENQUEUED): 10, (2, Status.ENQUEUED): 10}
            await asyncio.gather(*(store.apply(task.epoch, ended(task)) for task in tasks[:15]))
            assert not any(await asyncio.gather(*(store.apply(1, ended(task)) for task in tasks[:15])))
            failed = [msgspec.structs.replace(ended(task, LATER), status=Status.FAILED) for task in tasks[15:18]]
            assert all(await asyncio.gather(*(store.apply(1, task) for task in failed)))

        async def look(store: Store) -> None:
            succeeded = {(1, Status.SUCCEEDED): 8, (2, Status.SUCCEEDED): 7}
            failed = {(2, Status.FAILED): 2, (1, Status.FAILED): 1}
            assert await store.counts() == succeeded | failed | waiting
            said = await all_forgotten(store, LATER, 4)
            assert sum((Counter(each.counts) for each in said), Counter()) == succeeded
            assert await store.counts() == failed | waiting

        use(factory, fill)
        use(factory, look)

    @pytest.mark.parametrize("after", [-1, ALL])
    def test_nothing_is_forgotten_where_nothing_is(self, factory: Factory, after: int) -> None:
        """An empty store, and a place beyond all tasks."""
        (task,) = tasks_of(1)

        async def work(store: Store) -> None:
            assert await store.forget(LATER, 0, 10) == Forgotten()
            await keep(store, task, ended(task))
            assert (await store.forget(LATER, after, 10)).tasks == (after < 0)

        use(factory, work)
