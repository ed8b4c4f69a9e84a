"""What every store must do, by subject.

A store passes when a class of its own inherits `StoreConformance` and gives a fixture `factory`, see `test_sqlite.py`.
Functions and accounts are in `conformance_functions`, versions, services and triggers in `conformance_names`,
deliveries in `conformance_deliveries`, pages in `conformance_pages`, races in `conformance_races`,
operations on many tasks and progress in `conformance_steering`, what goes when it is over in `conformance_retention`.
"""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from sojourn.errors import StoreFailed
from sojourn.store import Log, OpenTask, Store, TaskQuery
from sojourn.task import Aged, Claimed, Refused, Status, StopRequested, Task
from stores.conformance_deliveries import DeliveryConformance
from stores.conformance_functions import AccountConformance, FunctionConformance
from stores.conformance_names import NameConformance
from stores.conformance_pages import PageConformance
from stores.conformance_races import RaceConformance
from stores.conformance_retention import RetentionConformance
from stores.conformance_search import SearchConformance
from stores.conformance_steering import SteeringConformance
from stores.samples import (
    LARGE,
    Factory,
    claimed,
    faltered,
    full_task,
    moved,
    new_account,
    new_delivery,
    new_function,
    new_key,
    new_task,
    open_ids,
    open_tasks,
    returned,
    started,
    use,
)


class OpeningConformance:
    """Incarnations, and what is left after closing."""

    def test_each_start_has_the_next_incarnation(self, factory: Factory) -> None:
        """Incarnations are 1, 2, 3 …, also when nothing was written in between."""

        async def starts() -> list[int]:
            seen = []
            for _ in range(3):
                store = factory()
                seen.append(await store.open())
                await store.close()
            return seen

        assert asyncio.run(starts()) == [1, 2, 3]

    def test_everything_is_there_after_a_restart(self, factory: Factory) -> None:
        """What one start kept, the next one reads."""
        task, log = full_task(7, "named"), Log(1, b"out")

        async def keep(store: Store) -> None:
            assert await store.insert_task(task)
            assert await store.apply(4, msgspec.structs.replace(task, epoch=5), log)
            assert await store.put_function(new_function(), 0)
            assert await store.put_account(new_account(), new_key("k"))

        async def read(store: Store) -> None:
            assert await store.task(7) == msgspec.structs.replace(task, epoch=5)
            assert await store.logs(7) == [log]
            assert len(await store.functions()) == len(await store.accounts()) == len(await store.access_keys()) == 1

        use(factory, keep)
        use(factory, read)

    def test_closing_waits_for_what_was_begun_and_refuses_what_comes_later(self, factory: Factory) -> None:
        """Writes handed over before the close are durable; later calls of any kind raise; closing twice is fine."""

        async def run() -> list[bool]:
            store = factory()
            await store.open()
            begun = [asyncio.ensure_future(store.insert_task(new_task(number))) for number in range(1, 51)]
            await asyncio.sleep(0)
            await store.close()
            await store.close()
            late = (
                store.insert_task(new_task(99)),
                store.apply(1, new_task(1)),
                store.put_function(new_function(), 0),
                store.put_account(new_account(), new_key("k")),
                store.task(1),
                store.task_named(1, "a"),
                store.page(TaskQuery(function_id=1)),
                store.logs(1),
                store.deliveries([1]),
                store.put_delivery(1, new_delivery(1)),
                store.functions(),
            )
            answers = await asyncio.gather(*late, return_exceptions=True)
            assert [type(answer) for answer in answers] == [StoreFailed] * len(late)
            with pytest.raises(StoreFailed):
                await open_tasks(store)
            return await asyncio.gather(*begun)

        async def kept(store: Store) -> list[int]:
            return await open_ids(store)

        assert asyncio.run(run()) == [True] * 50
        assert use(factory, kept) == list(range(1, 51))

    def test_a_store_that_was_never_opened_refuses(self, factory: Factory) -> None:
        """Before `open`, every call raises, and closing is fine."""

        async def run() -> None:
            store = factory()
            with pytest.raises(StoreFailed):
                await store.task(1)
            with pytest.raises(StoreFailed):
                await store.insert_task(new_task(1))
            await store.close()

        asyncio.run(run())


class TaskConformance:
    """Inserting, looking up, moving, bodies."""

    @pytest.mark.parametrize("name", [None, "named"])
    def test_a_task_comes_back_as_it_went_in(self, factory: Factory, name: str | None) -> None:
        """Every field survives, by id and by name."""
        task = full_task((1 << 63) - 1, name)

        async def work(store: Store) -> None:
            assert await store.insert_task(task)
            assert await store.task(task.id) == task
            assert await store.task_named(2, "named") == (task if name else None)

        use(factory, work)

    def test_the_defaults_come_back_too(self, factory: Factory) -> None:
        """A task without a name, payload or history is not confused with anything."""
        task = Task(id=1, account_id="a", function_id=1, generation=1)

        async def work(store: Store) -> None:
            assert await store.insert_task(task)
            assert await store.task(1) == task

        use(factory, work)

    def test_what_is_not_there_is_none(self, factory: Factory) -> None:
        """Ids that nobody gave, also those no store can hold, and names of another function are not found."""

        async def work(store: Store) -> None:
            assert await store.insert_task(new_task(1, "named"))
            for number in (0, 2, -1, 1 << 63, 1 << 64, 1 << 80):
                assert await store.task(number) is None
                assert await store.logs(number) == []
            for function_id, name in ((2, "named"), (1, "name"), (1, "Named"), (1, ""), (1, "\udc80")):
                assert await store.task_named(function_id, name) is None

        use(factory, work)

    def test_a_name_is_taken_once_per_function(self, factory: Factory) -> None:
        """The second task of a name changes nothing; other functions and tasks without a name are free."""
        first = new_task(1, "twice", payload=b"p" * LARGE)

        async def work(store: Store) -> None:
            assert await store.insert_task(first)
            assert not await store.insert_task(new_task(2, "twice", payload=b"q" * LARGE))
            assert await store.task(2) is None
            assert await store.task_named(1, "twice") == first
            assert await store.insert_task(new_task(3, "twice", function_id=2))
            assert await store.insert_task(new_task(4))
            assert await store.insert_task(new_task(5))

        use(factory, work)

    def test_many_are_kept_at_once_each_for_itself(self, factory: Factory) -> None:
        """In one call; names that are taken, also by one of them, are told apart, and large bodies are there."""
        tasks = [new_task(2, "a", payload=b"p" * LARGE), new_task(3, "old"), new_task(4), new_task(5, "a")]

        async def work(store: Store) -> None:
            assert await store.insert_task(new_task(1, "old"))
            assert await store.insert_tasks(tasks) == [True, False, True, False]
            assert [await store.task(number) for number in (2, 3, 4, 5)] == [tasks[0], None, tasks[2], None]

        use(factory, work)

    def test_a_write_needs_the_epoch_the_row_stands_at(self, factory: Factory) -> None:
        """The right epoch replaces the row; an old one, a future one and an unknown id change nothing."""
        task = new_task(1)

        async def work(store: Store) -> None:
            await store.insert_task(task)
            assert await store.apply(1, started(task))
            assert await store.task(1) == started(task)
            for epoch in (0, 1, 2, 4):
                assert not await store.apply(epoch, moved(task, StopRequested()), Log(1, b"never"))
            assert not await store.apply(1, new_task(2))
            assert await store.task(1) == started(task)
            assert await store.logs(1) == []

        use(factory, work)

    def test_all_that_may_change_is_replaced_and_nothing_else(self, factory: Factory) -> None:
        """A write replaces every field but those a task is submitted with; the payload needs no copy at hand."""
        before = new_task(1, "named", payload=b"p" * LARGE)
        other = full_task(1, "renamed")
        fixed = ["id", "account_id", "function_id", "generation", "name", "qualifier", "created_at", "payload"]
        fixed += ["tags", "rerun_of"]
        after = msgspec.structs.replace(other, **{field: getattr(before, field) for field in fixed})

        async def work(store: Store) -> None:
            await store.insert_task(before)
            assert await store.apply(1, msgspec.structs.replace(other, payload=b""))
            assert await store.task(1) == after

        use(factory, work)

    @pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, LARGE, 2_000_000])
    def test_bodies_of_every_size_survive(self, factory: Factory, size: int) -> None:
        """Payload and result come back to the byte, on either side of the size at which they leave the row."""
        task = started(new_task(1, payload=b"\0\xff" * (size // 2) + b"p" * (size % 2)))
        ended = returned(task, b"r" * size)

        async def work(store: Store) -> None:
            await store.insert_task(task)
            assert await store.apply(task.epoch, ended)
            assert await store.task(1) == ended

        use(factory, work)

    def test_results_grow_and_shrink_between_attempts(self, factory: Factory) -> None:
        """What is read is always the last result, whatever the size of the ones before; the payload stays."""
        task = new_task(1, payload=b"p" * LARGE)

        async def work(store: Store) -> None:
            await store.insert_task(task)
            now = task
            for document in (b"x" * LARGE, b"small", b"", b"y" * LARGE, b"z" * LARGE):
                later = msgspec.structs.replace(faltered(started(now), document), retries=0)
                assert await store.apply(now.epoch, later)
                assert await store.task(1) == later
                now = later
            assert await store.apply(now.epoch, claimed(now))
            assert await store.task(1) == claimed(now)

        use(factory, work)

    def test_a_result_can_be_there_from_the_start(self, factory: Factory) -> None:
        """A row that is inserted with a large result keeps it."""
        task = msgspec.structs.replace(new_task(1), result=b"r" * LARGE)

        async def work(store: Store) -> None:
            await store.insert_task(task)
            assert await store.task(1) == task

        use(factory, work)


class OpenTaskConformance:
    """What a queue rebuilds itself from."""

    def test_the_open_ones_and_only_they_with_the_busy_ones_first(self, factory: Factory) -> None:
        """Each status that something may follow is listed with what the queue needs; terminal ones are not."""
        ids = {status: 10 - number for number, status in enumerate(Status)}
        tasks = [
            msgspec.structs.replace(full_task(ids[status]), status=status, function_id=ids[status] % 3)
            for status in Status
        ]
        expected = [
            OpenTask(task.id, task.function_id, task.status, task.owner, task.due_at, task.expires_at)
            for task in tasks
            if not task.over
        ]

        async def work(store: Store) -> list[OpenTask]:
            for task in tasks:
                await store.insert_task(task)
            return await open_tasks(store)

        found = use(factory, work)
        assert len(expected) == 5
        assert sorted(found, key=lambda task: -task.id) == expected
        assert found[-1].status is Status.ENQUEUED

    def test_those_who_wait_come_function_by_function_in_turns(self, factory: Factory) -> None:
        """In the order of ids, and one with few tasks is not kept waiting by one with very many."""

        async def work(store: Store) -> list[OpenTask]:
            await asyncio.gather(*(store.insert_task(new_task(number)) for number in range(1, 4001)))
            await asyncio.gather(*(store.insert_task(new_task(number, function_id=2)) for number in range(5001, 5004)))
            busy = new_task(4000)
            assert await store.apply(busy.epoch, started(busy))
            return await open_tasks(store)

        found = use(factory, work)
        assert found[0].id == 4000
        assert [task.id for task in found[1:] if task.function_id == 1] == list(range(1, 4000))
        few = [place for place, task in enumerate(found) if task.function_id == 2]
        assert [found[place].id for place in few] == [5001, 5002, 5003]

    def test_a_task_leaves_when_it_ends(self, factory: Factory) -> None:
        """The list follows the rows: each way to end takes a task off it."""
        ends = {
            1: returned(started(new_task(1)), b""),
            2: moved(new_task(2), Claimed(1), Aged()),
            3: moved(new_task(3), Claimed(1), Refused("FunctionDeleted", "gone")),
        }

        async def work(store: Store) -> list[int]:
            for number in range(1, 5):
                await store.insert_task(new_task(number))
            for task in ends.values():
                assert await store.apply(1, task)
            return await open_ids(store)

        assert use(factory, work) == [4]

    def test_many_and_a_reader_that_leaves_early(self, factory: Factory) -> None:
        """More than one chunk is read in order; a scan in the middle does not keep the store from closing."""

        async def work(store: Store) -> None:
            await asyncio.gather(
                *(store.insert_task(new_task(number, function_id=number % 5)) for number in range(5000))
            )
            assert await open_ids(store) == list(range(5000))
            scan = store.open_tasks()
            assert (await anext(scan))[0].id == 0
            assert await store.insert_task(new_task(5000))
            await store.close()
            with pytest.raises(StoreFailed):
                _ = [task async for task in scan]

        use(factory, work)


class LogConformance:
    """What attempts wrote."""

    def test_logs_come_with_the_write_in_the_order_of_attempts(self, factory: Factory) -> None:
        """A log is kept with the transition that brings it; one of the same attempt replaces it."""
        first, second = Log(1, b"\0head\xff" * LARGE, b"tail", 17), Log(2, b"", b"", 0)

        async def work(store: Store) -> None:
            await store.insert_task(new_task(1))
            await store.insert_task(new_task(2))
            assert await store.apply(1, claimed(new_task(1)), second)
            assert await store.apply(1, claimed(new_task(2)), Log(1, b"of another task"))
            assert await store.apply(2, started(new_task(1)), Log(1, b"early"))
            assert await store.apply(3, returned(started(new_task(1)), b""), first)
            assert await store.logs(1) == [first, second]

        use(factory, work)


class StoreConformance(
    OpeningConformance,
    TaskConformance,
    OpenTaskConformance,
    LogConformance,
    FunctionConformance,
    NameConformance,
    AccountConformance,
    PageConformance,
    RaceConformance,
    DeliveryConformance,
    RetentionConformance,
    SearchConformance,
    SteeringConformance,
):
    """All of it."""
