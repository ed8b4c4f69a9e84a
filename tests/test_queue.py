"""The queue: admission, the one door for writes, names, and what a restart rebuilds."""

from __future__ import annotations

import asyncio

import pytest

from reference_store import ReferenceStore
from sojourn import identity
from sojourn.errors import (
    IllegalFact,
    ResourceExhausted,
    ServiceUnavailable,
    StoreFailed,
    TaskAlreadyExists,
    TaskNotFound,
)
from sojourn.fresh import PAYLOAD_BYTES_MAX
from sojourn.function import Function
from sojourn.order import Order
from sojourn.queue import Queue, wire_name
from sojourn.store import Log, TaskQuery
from sojourn.task import Aged, Claimed, Returned, Started, Status, StopRequested, Success, Task
from virtual_time import START, VirtualClock, run, settle
from world import SECOND, new_function


class Fixture:
    """A queue alone, on its store."""

    def __init__(self, *, submits_pending_max: int = 10, tasks_open_max: int = 100) -> None:
        self.store, self.clock = ReferenceStore(), VirtualClock()
        self.queue = Queue(
            self.store,
            self.clock,
            identity.Numbers(),
            submits_pending_max=submits_pending_max,
            tasks_open_max=tasks_open_max,
        )
        self.woken: list[int] = []
        self.queue.on_due = self.woken.append
        self.function: Function = new_function("f", retries=2, age_seconds=60)

    async def open(self) -> None:
        """Load what the store has."""
        await self.queue.load(await self.store.open())


def test_a_submitted_task_is_durable_and_enqueued_with_its_functions_settings() -> None:
    """Retries, age and delay are the function's and the caller's at that moment; the line knows it and is woken."""

    async def main() -> None:
        fixture = Fixture()
        await fixture.open()
        task = await fixture.queue.submit(fixture.function, b"event", name="mine", delay_seconds=5)

        assert fixture.store.data.tasks[task.id] == task
        assert (task.status, task.epoch, task.payload, task.name) == (Status.ENQUEUED, 1, b"event", "mine")
        assert (task.retries_max, task.created_at, task.due_at) == (2, START, START + 5 * SECOND)
        assert task.expires_at == START + 60 * SECOND
        assert fixture.woken == [fixture.function.id]
        assert task.id in fixture.queue.line(fixture.function.id)
        assert fixture.queue.open_count == 1

    run(main())


def test_a_name_is_taken_once_even_by_fifty_at_a_time() -> None:
    """One is accepted, forty-nine are told so, and one task exists."""

    async def main() -> None:
        fixture = Fixture(submits_pending_max=50)
        await fixture.open()
        submits = [fixture.queue.submit(fixture.function, b"", name="same") for _ in range(50)]
        results = await asyncio.gather(*submits, return_exceptions=True)

        assert [type(each) for each in results].count(TaskAlreadyExists) == 49
        assert len(fixture.store.data.tasks) == fixture.queue.open_count == len(fixture.queue.line(1)) == 1

    run(main())


def test_many_tasks_are_accepted_at_once_and_only_a_taken_name_is_turned_away() -> None:
    """In the order asked, with one write; a name that is taken, by an older task or within the batch, is refused."""

    async def main() -> None:
        fixture = Fixture(submits_pending_max=1)
        await fixture.open()
        await fixture.queue.submit(fixture.function, b"", name="old")
        names = ["a", "old", None, "a", "b"]
        calls = fixture.store.calls
        orders = [Order(function=fixture.function, payload=b"e", name=name, delay_seconds=5) for name in names]
        found = await fixture.queue.submit_many(orders)

        assert [isinstance(each, TaskAlreadyExists) for each in found] == [False, True, False, True, False]
        accepted = [each for each in found if not isinstance(each, TaskAlreadyExists)]
        assert [task.name for task in accepted] == ["a", None, "b"]
        assert all(fixture.store.data.tasks[task.id] == task for task in accepted)
        assert all(task.id in fixture.queue.line(fixture.function.id) for task in accepted)
        assert fixture.store.calls == calls + 1
        assert fixture.queue.open_count == 4
        assert fixture.queue.tally.refused["AsyncTaskAlreadyExists"] == 2
        assert await fixture.queue.submit_many([]) == []

    run(main())


def test_a_batch_has_room_as_a_whole_or_not_at_all() -> None:
    """One task too many refuses all of them, and nothing of them is left."""

    async def main() -> None:
        fixture = Fixture(tasks_open_max=3)
        await fixture.open()
        order = Order(function=fixture.function, payload=b"")
        with pytest.raises(ResourceExhausted, match="0 tasks are open, and 4 more would pass the limit of 3"):
            await fixture.queue.submit_many([order] * 4)
        assert fixture.store.data.tasks == {}
        assert len(await fixture.queue.submit_many([order] * 3)) == 3
        fixture.queue.closed = True
        with pytest.raises(ServiceUnavailable):
            await fixture.queue.submit_many([order])

    run(main())


def test_a_batch_whose_caller_goes_away_runs_all_the_same() -> None:
    """Each of its tasks is durable, so each of them waits in its line."""

    async def main() -> None:
        fixture = Fixture()
        await fixture.open()
        held = fixture.store.hold(Status.ENQUEUED)
        order = Order(function=fixture.function, payload=b"")
        batch = asyncio.ensure_future(fixture.queue.submit_many([order] * 3))
        await held.reached.wait()
        batch.cancel()
        held.release()
        await asyncio.gather(batch, return_exceptions=True)
        await settle()

        assert batch.cancelled()
        assert len(fixture.store.data.tasks) == len(fixture.queue.line(fixture.function.id)) == 3
        assert fixture.queue.open_count == 3

    run(main())


def test_submits_that_wait_for_the_disk_are_bounded() -> None:
    """Past the bound the answer is 429 at once; when the disk is done there is room again."""

    async def main() -> None:
        fixture = Fixture(submits_pending_max=2)
        await fixture.open()
        held = [fixture.store.hold(Status.ENQUEUED), fixture.store.hold(Status.ENQUEUED)]
        waiting = [asyncio.ensure_future(fixture.queue.submit(fixture.function, b"")) for _ in held]
        await asyncio.gather(*(each.reached.wait() for each in held))

        with pytest.raises(ResourceExhausted, match="2 submits are waiting") as refused:
            await fixture.queue.submit(fixture.function, b"")
        assert refused.value.retry_after_seconds >= 1
        for each in held:
            each.release()
        await asyncio.gather(*waiting)
        await fixture.queue.submit(fixture.function, b"")
        assert len(fixture.store.data.tasks) == 3

    run(main())


def test_open_tasks_are_bounded_and_one_that_ends_makes_room() -> None:
    """The bound holds for those on their way to the disk too, and refuses nothing that fits."""

    async def main() -> None:
        fixture = Fixture(tasks_open_max=3)
        await fixture.open()
        submits = [fixture.queue.submit(fixture.function, b"") for _ in range(5)]
        results = await asyncio.gather(*submits, return_exceptions=True)
        accepted = [each for each in results if not isinstance(each, BaseException)]

        assert len(accepted) == len(fixture.store.data.tasks) == 3
        assert all(isinstance(each, ResourceExhausted) for each in results if isinstance(each, BaseException))
        assert await fixture.queue.apply(accepted[0], Claimed(1), Aged())
        await fixture.queue.submit(fixture.function, b"")

    run(main())


def test_a_failed_insert_leaves_nothing_behind() -> None:
    """Not durable is not accepted: no line, no count, and the place among the waiting submits is free again."""

    async def main() -> None:
        fixture = Fixture(submits_pending_max=1)
        await fixture.open()
        fixture.store.failing = True
        for _ in range(3):
            with pytest.raises(StoreFailed):
                await fixture.queue.submit(fixture.function, b"", name="again")
        fixture.store.failing = False

        assert (fixture.queue.open_count, len(fixture.queue.line(1)), fixture.woken) == (0, 0, [])
        await fixture.queue.submit(fixture.function, b"", name="again")

    run(main())


def test_a_caller_who_goes_away_while_the_disk_works_leaves_no_task_that_nobody_runs() -> None:
    """The insert may be past recall; then the task is a task like any other, in its line and counted."""

    async def main() -> None:
        fixture = Fixture()
        await fixture.open()
        held = fixture.store.hold(Status.ENQUEUED, after=True)
        submit = asyncio.ensure_future(fixture.queue.submit(fixture.function, b""))
        await held.reached.wait()
        submit.cancel()
        held.release()
        with pytest.raises(asyncio.CancelledError):
            await submit
        await settle()

        (task_id,) = fixture.store.data.tasks
        assert task_id in fixture.queue.line(1)
        assert fixture.queue.open_count == 1
        assert fixture.queue._submits_pending == 0

    run(main())


def test_a_draining_queue_accepts_nothing() -> None:
    """503, not a silent drop."""

    async def main() -> None:
        fixture = Fixture()
        await fixture.open()
        fixture.queue.closed = True

        with pytest.raises(ServiceUnavailable):
            await fixture.queue.submit(fixture.function, b"")

    run(main())


def test_facts_become_durable_together_or_not_at_all() -> None:
    """Two facts are one write; an illegal second one leaves the row as it was."""

    async def main() -> None:
        fixture = Fixture()
        await fixture.open()
        task = await fixture.queue.submit(fixture.function, b"")
        with pytest.raises(IllegalFact):
            await fixture.queue.apply(task, Claimed(1), Returned(Success(result=b"")))
        assert fixture.store.data.tasks[task.id] == task

        calls = fixture.store.calls
        started = await fixture.queue.apply(task, Claimed(1), Started("c-1"), log=Log(1, b"x"))

        assert fixture.store.calls == calls + 1
        assert started
        assert [event.status for event in started.events] == ["Enqueued", "Dequeued", "Running"]
        assert await fixture.queue.logs(task.id) == [Log(1, b"x")]

    run(main())


def test_whoever_comes_second_to_an_epoch_changes_nothing() -> None:
    """Of two writers who saw the same row one gets None, and the count of open tasks does not move twice."""

    async def main() -> None:
        fixture = Fixture()
        await fixture.open()
        task = await fixture.queue.submit(fixture.function, b"")
        answers_ = await asyncio.gather(
            fixture.queue.apply(task, Claimed(1), Aged()), fixture.queue.apply(task, StopRequested("x"))
        )

        assert [each is None for each in answers_] == [False, True]
        assert fixture.queue.open_count == 0

    run(main())


def test_the_first_read_costs_no_query_and_later_ones_see_the_row() -> None:
    """What was just submitted is still in memory, unless it is large; a write makes memory forget it."""

    async def main() -> None:
        fixture = Fixture()
        await fixture.open()
        task = await fixture.queue.submit(fixture.function, b"small")
        large = await fixture.queue.submit(fixture.function, b"x" * (PAYLOAD_BYTES_MAX + 1))
        stopped = await fixture.queue.submit(fixture.function, b"")
        after = await fixture.queue.apply(stopped, StopRequested("x"))

        assert await fixture.queue.read(stopped.id) == after
        fixture.store.failing = True
        assert await fixture.queue.read(task.id) == task
        for number in (task.id, large.id):
            with pytest.raises(StoreFailed):
                await fixture.queue.read(number)

    run(main())


def test_a_task_is_found_by_the_name_the_wire_shows_and_by_no_other() -> None:
    """The caller's own name, or the request id; not the other one of the two, not by way of another function."""

    async def main() -> None:
        fixture = Fixture()
        await fixture.open()
        named = await fixture.queue.submit(fixture.function, b"", name="mine")
        unnamed = await fixture.queue.submit(fixture.function, b"")
        other = new_function("g", 2)

        assert wire_name(named) == "mine"
        assert await fixture.queue.find(fixture.function, "mine") == named
        assert await fixture.queue.find(fixture.function, identity.request_id(unnamed.id)) == unnamed
        for function, name in (
            (fixture.function, identity.request_id(named.id)),
            (fixture.function, identity.request_id(unnamed.id)[:-1] + "g"),
            (fixture.function, "else"),
            (other, "mine"),
            (other, identity.request_id(unnamed.id)),
        ):
            with pytest.raises(TaskNotFound):
                await fixture.queue.find(function, name)
        page = await fixture.queue.page(TaskQuery(function_id=1, ascending=True))
        assert page == [named, unnamed]

    run(main())


def test_a_restart_finds_every_open_task_in_its_place() -> None:
    """Waiting ones stand in line with their moments, busy ones are handed out as orphans, the rest is not counted."""

    async def main() -> None:
        fixture = Fixture()
        await fixture.open()
        submit = fixture.queue.submit
        waiting, delayed = await submit(fixture.function, b""), await submit(fixture.function, b"", delay_seconds=9)
        claimed, running, stopping, over = [await submit(fixture.function, b"") for _ in range(4)]
        await fixture.queue.apply(claimed, Claimed(1))
        await fixture.queue.apply(running, Claimed(1), Started("c-1"))
        await fixture.queue.apply(stopping, Claimed(1), Started("c-2"), StopRequested("x"))
        await fixture.queue.apply(over, Claimed(1), Aged())

        queue = Queue(fixture.store, fixture.clock, identity.Numbers(), submits_pending_max=1, tasks_open_max=100)
        orphans = await queue.load(2)

        assert [row.id for row in orphans] == [running.id, stopping.id]
        line = queue.line(fixture.function.id)
        assert {task_id for task_id in fixture.store.data.tasks if task_id in line} == {
            waiting.id,
            delayed.id,
            claimed.id,
        }
        assert [line.take(START), line.take(START), line.take(START)] == [claimed.id, waiting.id, None]
        assert line.next_moment() == delayed.due_at
        assert queue.open_count == 5

    run(main())


def test_every_step_is_told_once_it_is_durable() -> None:
    """A submission, then each commit with the row before and after it; nothing of what was refused or lost."""

    async def main() -> None:
        fixture = Fixture()
        await fixture.open()
        told: list[tuple[Task | None, Task]] = []
        fixture.queue.on_moved = lambda before, after: told.append((before, after))
        hold = fixture.store.hold(Status.ENQUEUED, after=True)
        submitting = asyncio.ensure_future(fixture.queue.submit(fixture.function, b"", name="t"))
        await hold.reached.wait()
        assert told == []
        hold.release()
        task = await submitting
        assert told == [(None, task)]
        with pytest.raises(TaskAlreadyExists):
            await fixture.queue.submit(fixture.function, b"", name="t")
        running = await fixture.queue.apply(task, Claimed(1), Started("i"))
        assert running is not None
        assert await fixture.queue.apply(task, StopRequested()) is None
        assert told == [(None, task), (task, running)]

    run(main())
