"""What every store must do for operations on many tasks, for tags, and for what tasks report of themselves."""

from __future__ import annotations

import msgspec

from sojourn import filter as filters
from sojourn.bulk import Operation, OperationStatus, Verb
from sojourn.progress import Progress
from sojourn.store import Change, Log, Search, Store, TaskQuery, Work
from sojourn.task import Status, StopRequested, Task
from stores.samples import Factory, claimed, full_task, moved, new_delivery, new_task, returned, started, use

OPERATION = Operation(
    id=9,
    account_id="a",
    verb=Verb.STOP,
    actor="key",
    fields={"function": "f", "tags": {"a": "1"}},
    newest=9,
    created_at=5,
    epoch=1,
)


async def ended(store: Store, task: Task) -> Task:
    """A task that was inserted and has succeeded."""
    assert await store.insert_task(task)
    over = returned(started(claimed(task)), b"out")
    assert await store.apply(task.epoch, over)
    return over


async def found_by(store: Store, task: Task, tags: str) -> list[int]:
    """The ids of the tasks beside `task` that have these tags."""
    search = Search(
        account_id=task.account_id, functions={task.function_id: "f"}, wanted=filters.parse({"tags": tags}), now=9
    )
    return [each.id for each in (await store.find(search)).tasks]


class SteeringConformance:
    """Operations, tags, progress."""

    def test_an_operation_is_compared_and_set(self, factory: Factory) -> None:
        """Its row moves on from the epoch it was read at, and from no other."""

        async def work(store: Store) -> list[object]:
            first = await store.put_operation(OPERATION, 0)
            twice = await store.put_operation(OPERATION, 0)
            over = msgspec.structs.replace(OPERATION, status=OperationStatus.CANCELLED, epoch=2)
            stale, right = await store.put_operation(over, 7), await store.put_operation(over, 1)
            found = list(await store.operations())
            await store.drop_operation(OPERATION.id)
            return [first, twice, stale, right, found == [over], list(await store.operations())]

        assert use(factory, work) == [True, False, False, True, True, []]

    def test_an_operation_and_its_work_are_one(self, factory: Factory) -> None:
        """What still applies is done and counted; an operation that stands elsewhere does nothing at all."""

        async def work(store: Store) -> None:
            mine, other, over = new_task(1), new_task(2), await ended(store, new_task(3))
            for task in (mine, other):
                assert await store.insert_task(task)
            await store.put_operation(OPERATION, 0)
            changes = [Change(mine.epoch, moved(mine, StopRequested())), Change(77, moved(other, StopRequested()))]
            todo = Work(changes=changes, inserts=[new_task(4)], drops=[2, 3, 5])
            assert await store.carry(OPERATION, 5, todo) == (None, [])
            assert await store.task(4) is None
            after, touched = await store.carry(msgspec.structs.replace(OPERATION, after=3), 1, todo)
            assert after == msgspec.structs.replace(OPERATION, after=3, epoch=2, done=3)
            assert list(await store.operations()) == [after]
            assert touched == [1, 4, 3]
            assert await store.task(1) == changes[0].task
            assert await store.task(2) == other
            assert await store.task(4) == new_task(4)
            assert await store.task(over.id) is None
            assert await store.counts() == {(1, Status.STOPPING): 1, (1, Status.ENQUEUED): 2}

        use(factory, work)

    def test_a_task_goes_with_all_that_is_kept_of_it(self, factory: Factory) -> None:
        """Its name is free again; one whose record is still to be delivered stays."""

        async def work(store: Store) -> None:
            task = full_task(1, "named")
            assert await store.insert_task(task)
            running = started(claimed(task))
            assert await store.apply(task.epoch, running)
            assert await store.put_progress(Progress(task_id=1, attempt=6, percent=1.5, checkpoint=b"c"))
            assert await store.apply(running.epoch, returned(running, b"out"), Log(6, b"out"))
            waiting = new_task(2)
            assert await store.insert_task(waiting)
            assert await store.apply(waiting.epoch, returned(started(claimed(waiting)), b""), None, new_delivery(2))
            await store.put_operation(OPERATION, 0)
            _, touched = await store.carry(OPERATION, 1, Work(drops=[1, 2]))
            assert touched == [1]
            assert (await store.logs(1), await store.progress([1])) == ([], [])
            assert await store.insert_task(full_task(8, "named"))
            query = TaskQuery(function_id=task.function_id, limit=9)
            assert [each.id for each in await store.page(query)] == [8]
            assert await store.task(2) is not None

        use(factory, work)

    def test_tags_and_origin_are_kept_for_good(self, factory: Factory) -> None:
        """As they were given with the task."""

        async def work(store: Store) -> None:
            tagged = msgspec.structs.replace(new_task(1), tags={"tenant": "t=1", "é": ""}, rerun_of="before")
            assert await store.insert_task(tagged)
            changed = msgspec.structs.replace(claimed(tagged), tags={}, rerun_of="")
            assert await store.apply(tagged.epoch, changed)
            found = await store.task(1)
            assert found is not None
            assert (found.tags, found.rerun_of) == (tagged.tags, tagged.rerun_of)

        use(factory, work)

    def test_tags_are_given_anew_until_a_task_is_over(self, factory: Factory) -> None:
        """Whoever moves the task meanwhile neither loses nor brings the old ones back; it is found by the new alone."""

        async def work(store: Store) -> None:
            task = msgspec.structs.replace(new_task(1), tags={"a": "1", "b": "2"})
            assert await store.insert_task(task)
            assert await store.put_tags(1, {"b": "2", "c": "3"})
            assert not await store.put_tags(2, {"c": "3"})
            running = started(claimed(task))
            assert await store.apply(task.epoch, running)
            assert (await found_by(store, task, "c=3"), await found_by(store, task, "b=2")) == ([1], [1])
            assert await found_by(store, task, "a=1") == []
            assert await store.put_tags(1, {})
            assert await found_by(store, task, "c=3") == []
            assert await store.put_tags(1, {"last": ""})
            assert await store.apply(running.epoch, returned(running, b"out"))
            assert not await store.put_tags(1, {"late": ""})
            kept = await store.task(1)
            assert kept is not None
            assert (kept.tags, kept.status, kept.epoch) == ({"last": ""}, Status.SUCCEEDED, running.epoch + 1)
            assert await found_by(store, task, "last=") == [1]

        use(factory, work)

    def test_a_search_brings_bodies_when_it_is_told_to(self, factory: Factory) -> None:
        """Small ones and large ones: an operation writes back the row that it read."""

        async def work(store: Store) -> None:
            small, large = full_task(1), msgspec.structs.replace(full_task(2), payload=b"p" * 9000, result=b"r" * 9000)
            for task in (small, large):
                assert await store.insert_task(task)
            search = Search(
                account_id=small.account_id,
                functions={small.function_id: "f"},
                wanted=filters.Filter(statuses=(small.status,)),
                now=9,
                ascending=True,
                bodies=True,
            )
            assert list((await store.find(search)).tasks) == [small, large]

        use(factory, work)

    def test_only_the_attempt_that_runs_reports(self, factory: Factory) -> None:
        """The last report stands; other attempts, and tasks that do not run, are not heard."""

        async def work(store: Store) -> None:
            task = new_task(1)
            assert await store.insert_task(task)
            report = Progress(task_id=1, attempt=1, percent=50.0, message="half", at=7, checkpoint=b"\x00\xff")
            assert not await store.put_progress(report)
            running = started(claimed(task))
            assert await store.apply(task.epoch, running)
            assert await store.put_progress(report)
            assert not await store.put_progress(msgspec.structs.replace(report, attempt=2))
            last = msgspec.structs.replace(report, percent=None, message="")
            assert await store.put_progress(last)
            assert await store.apply(running.epoch, returned(running, b"out"))
            assert not await store.put_progress(report)
            assert await store.progress([1, 2]) == [last]

        use(factory, work)
