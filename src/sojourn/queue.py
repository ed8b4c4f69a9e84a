"""The queue: the only door through which a task's next state becomes durable.

`task.advance` says what a fact makes of a task; the queue writes that answer, with its event and its log, in one
transaction that holds only if the row still stands at the epoch it was read at. Whoever loses that race gets None and
must look again. The queue also keeps the lines of waiting tasks in memory, rebuilt from rows at every start. It does
not decide when a task runs or on what: that is `dispatcher`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from . import errors, identity
from .bulk import Operation
from .clock import MICROSECONDS_PER_SECOND, Clock
from .crashpoint import crashpoint
from .destination import Delivery
from .fresh import Fresh
from .function import Function
from .line import Line
from .lines import Lines
from .order import Order, task_of
from .store import Change, Forgotten, Found, Log, OpenTask, Search, Store, TaskQuery, Work
from .tally import Tally
from .task import Fact, Status, Task, advance, submit
from .watchers import Watchers

E = TypeVar("E", bound=errors.SojournError)
T = TypeVar("T")

STORE_RETRY_SECONDS = 1.0
ROWS_AT_ONCE = 500
"""Of many tasks that are submitted together, the loop makes so many before others have their turn."""


def wire_name(task: Task) -> str:
    """The task id as every API shows it: the caller's own, else the request id."""
    return task.name if task.name is not None else identity.request_id(task.id)


class Queue:
    """Tasks from their submission to their end.

    `on_due(function_id)` is called when a task may have become claimable. `incarnation` is this start of the server;
    a row held by another one is held by nobody. `delivery_of(task)` says what record the end of a task sends where, and
    `on_delivery` is called once that is durable. `on_moved(before, after)` is called for every step of every task once
    it is durable, with None before the first one; it is on the way of each and must be quick.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        numbers: identity.Numbers,
        *,
        submits_pending_max: int,
        tasks_open_max: int,
    ) -> None:
        self._store, self._clock, self._numbers = store, clock, numbers
        self._submits_pending_max, self._tasks_open_max = submits_pending_max, tasks_open_max
        self._submits_pending = 0
        self._open = 0
        self._lines = Lines(clock)
        self.closed = False
        self._fresh = Fresh()
        self.incarnation = 0
        self.tally = Tally()
        self._adopting: set[asyncio.Future[None]] = set()
        self._watchers = Watchers()
        self.watch = self._watchers.add
        self.on_due: Callable[[int], None] = lambda _: None
        self.on_moved: Callable[[Task | None, Task], None] = lambda *_: None
        self.delivery_of: Callable[[Task], Delivery | None] = lambda _: None
        self.on_delivery: Callable[[Delivery], None] = lambda _: None

    @property
    def open_count(self) -> int:
        """How many tasks are not over."""
        return self._open

    async def load(self, incarnation: int) -> list[OpenTask]:
        """Rebuild the lines from the rows, see `lines`; returns what an earlier incarnation was busy with."""
        self.incarnation = incarnation
        self.tally.found(await self._store.counts())
        self._open = self.tally.open.total()
        return await self._lines.rebuild(
            self._store.open_tasks(), on_due=lambda line: self.on_due(line.function_id), ended=lambda: self.closed
        )

    def line(self, function_id: int) -> Line:
        """The line of a function, or of one of its versions."""
        return self._lines.of(function_id)

    def lines(self) -> Iterator[Line]:
        """All lines in which something waits."""
        return iter(self._lines)

    async def submit(
        self,
        function: Function,
        payload: bytes,
        *,
        name: str | None = None,
        delay_seconds: int = 0,
        number: int | None = None,
        qualifier: str = "",
        tags: Mapping[str, str] = {},
        rerun_of: str = "",
    ) -> Task:
        """Accept a task; on return it is durable and Enqueued.

        Parameters
        ----------
        function: the function to run, or one of its versions.
        payload: the event, handed to the handler as it is.
        name: the task id of the caller's choice.
        delay_seconds: how long it waits before it is due; counts toward its age.
        number: the number of the request it came by, which becomes its own; None for a new one.
        qualifier: how the caller named the version; "" when by its own name.
        tags: words of the caller's own, checked.
        rerun_of: the id of the task that it repeats, as callers see it; "" for none.

        Raises
        ------
        TaskAlreadyExists: the function has a task of this name.
        ResourceExhausted: too many submits wait for the disk, or too many tasks are open.
        ServiceUnavailable: the server is draining.

        """
        self.admit()
        order = Order(
            function=function,
            payload=payload,
            name=name,
            delay_seconds=delay_seconds,
            number=number,
            qualifier=qualifier,
            tags=tags,
            rerun_of=rerun_of,
        )
        task = self.made(order)
        if not await self._kept([task], self._store.insert_task(task)):
            raise self._turned_away(errors.TaskAlreadyExists(wire_name(task)))
        self._stands(task)
        return task

    async def submit_many(self, orders: Sequence[Order]) -> list[Task | errors.TaskAlreadyExists]:
        """Accept many tasks in one transaction; on return each is durable and Enqueued, or its name was taken.

        There is room for all of them or for none, so that who is told to come back may send all of them again.

        Raises
        ------
        ResourceExhausted, ServiceUnavailable: as `submit`; none of them is accepted.

        """
        if not orders:
            return []
        self.admit(len(orders))
        self._submits_pending += len(orders)
        tasks: list[Task] = []
        try:
            for begin in range(0, len(orders), ROWS_AT_ONCE):
                now = self._clock.now()
                tasks += [self.made(order, now) for order in orders[begin : begin + ROWS_AT_ONCE]]
                await asyncio.sleep(0)
        finally:
            self._submits_pending -= len(orders)
        found: list[Task | errors.TaskAlreadyExists] = []
        for task, kept in zip(tasks, await self._kept(tasks, self._store.insert_tasks(tasks)), strict=True):
            if kept:
                self._stands(task)
            found.append(task if kept else self._turned_away(errors.TaskAlreadyExists(wire_name(task))))
        return found

    def made(self, order: Order, now: int | None = None) -> Task:
        """The task that is asked for as it would be accepted now; nothing of it is durable."""
        now = self._clock.now() if now is None else now
        number = self._numbers.next(now) if order.number is None else order.number
        return submit(task_of(order, number, now), now, order.delay_seconds * MICROSECONDS_PER_SECOND)

    async def _kept(self, tasks: Sequence[Task], keeping: Coroutine[Any, Any, T]) -> T:
        """The answer of the store to whom `tasks` were given; they count as pending until then."""
        self._submits_pending += len(tasks)
        crashpoint("queue.submit.before")
        began = self._clock.monotonic()
        try:
            answer = await keeping
        except asyncio.CancelledError:
            adopting = asyncio.ensure_future(self._adopt(tasks))
            self._adopting.add(adopting)
            adopting.add_done_callback(self._adopting.discard)
            raise
        finally:
            self._submits_pending -= len(tasks)
        self.tally.writes.observe(self._clock.monotonic() - began)
        return answer

    def _stands(self, task: Task) -> None:
        """A new task is durable: let it be counted and run."""
        crashpoint("queue.submit.durable")
        self._accepted(task)
        self._fresh.keep(task)
        self.wait(task)

    async def _adopt(self, tasks: Sequence[Task]) -> None:
        """Their caller went away while they were being written: find out which exist, and let those run."""
        for task in tasks:
            with contextlib.suppress(errors.StoreFailed):  # which also says that a row of this id is there
                await self._store.insert_task(task)
            while not self.closed:
                try:
                    found = await self._store.task(task.id)
                except errors.StoreFailed:  # nobody else knows of it before the next start
                    await asyncio.sleep(STORE_RETRY_SECONDS)
                    continue
                if found is not None:
                    self._accepted(task)
                    self.wait(task)
                break

    def _accepted(self, task: Task) -> None:
        self._open += 1
        self.tally.submitted(task.function_id)
        self.on_moved(None, task)

    def wait(self, task: Task) -> None:
        """Let `task` stand in its line until it is due."""
        self.line(task.runs).add(task.id, task.due_at, task.expires_at, self._clock.now())
        self.on_due(task.runs)

    async def read(self, task_id: int) -> Task | None:
        """The task as its row stands; a task read for the first time since its submission comes from memory."""
        fresh = self._fresh.take(task_id)
        return fresh if fresh is not None else await self._store.task(task_id)

    async def apply(self, task: Task, *facts: Fact, log: Log | None = None) -> Task | None:
        """Make `facts` durable, all in one transaction; None when somebody else moved the task first.

        Raises
        ------
        IllegalFact: the table does not allow it; nothing is written.
        StoreFailed: the store cannot make it durable; nothing is written.

        """
        after, path = self._after(task, facts)
        self._fresh.take(task.id)
        delivery = self.delivery_of(after) if after.over else None
        crashpoint("queue.apply.before")
        began = self._clock.monotonic()
        if not await self._store.apply(task.epoch, after, log, delivery):
            return None
        crashpoint("queue.apply.durable")
        self.tally.writes.observe(self._clock.monotonic() - began)
        self._moved(task, after, path, facts)
        if delivery is not None:
            self.on_delivery(delivery)
        return after

    async def carry(
        self,
        operation: Operation,
        *,
        moves: Sequence[tuple[Task, Sequence[Fact]]] = (),
        again: Sequence[Task] = (),
        gone: Sequence[Task] = (),
    ) -> tuple[Operation | None, set[int]]:
        """Do an operation's work on many tasks, and move it on, all in one transaction.

        `moves` are tasks that nothing works on, and what happens to each; one that somebody else moved first is left.
        `again` are tasks of `made` to be accepted, `gone` those to be forgotten, of what is over. Returns the operation
        as it stands then, `done` raised by how many were touched, and which; None, and nothing was done, when somebody
        else moved it. `StoreFailed`: nothing was done.

        """
        walked = [(task, *self._after(task, facts), facts) for task, facts in moves]
        changes = [
            Change(task.epoch, after, self.delivery_of(after) if after.over else None) for task, after, _, _ in walked
        ]
        for task in (*(task for task, _ in moves), *gone):
            self._fresh.take(task.id)
        crashpoint("queue.carry.before")
        moved, ids = await self._store.carry(
            operation, operation.epoch, Work(changes=changes, inserts=again, drops=[task.id for task in gone])
        )
        crashpoint("queue.carry.durable")
        touched = set(ids)
        for change, (task, after, path, facts) in zip(changes, walked, strict=True):
            if after.id in touched:
                self._moved(task, after, path, facts)
                if after.over:
                    self.line(after.runs).remove(after.id)
                if change.delivery is not None:
                    self.on_delivery(change.delivery)
        for task in again:
            if task.id in touched:
                self._accepted(task)
                self.wait(task)
        self.tally.dropped(Counter((task.function_id, task.status) for task in gone if task.id in touched))
        return moved, touched

    def _moved(self, task: Task, after: Task, path: Sequence[Status], facts: Sequence[Fact]) -> None:
        """Some facts about a task are durable: count them and tell who watches it."""
        self.tally.moved(task, after, path, facts)
        self.on_moved(task, after)
        if after.over:
            self._open -= 1
        self._watchers.tell(after)

    async def tag(self, task: Task, tags: Mapping[str, str]) -> Task:
        """Give a task other tags, durably, in place of those it has; no step of it, whoever works on it goes on.

        Raises
        ------
        TaskAlreadyCompleted: it is over; what it was is what stays.

        """
        kept = await self._store.put_tags(task.id, tags)
        self._fresh.take(task.id)
        now = await self._store.task(task.id)
        if now is None:
            raise errors.TaskNotFound(wire_name(task))
        if not kept:
            raise errors.TaskAlreadyCompleted(wire_name(now), now.status.value)
        return now

    async def forget(self, ended_before: int, after: int, limit: int) -> Forgotten:
        """Delete tasks that were over before that moment, as `Store.forget`; their names are free again."""
        crashpoint("queue.forget.before")
        forgotten = await self._store.forget(ended_before, after, limit)
        if forgotten.last is not None:
            crashpoint("queue.forget.durable")
        self.tally.dropped(forgotten.counts)
        return forgotten

    def _after(self, task: Task, facts: Sequence[Fact]) -> tuple[Task, list[Status]]:
        """The task after `facts`, and the statuses that they lead it through."""
        path: list[Status] = []
        now = self._clock.now()
        try:
            for fact in facts:
                task = advance(task, fact, now)
                path.append(task.status)
        except errors.IllegalFact:  # a bug of ours, caught before it could do any harm: it must not pass unseen
            self.tally.illegal += 1
            raise
        return task, path

    async def find(self, function: Function, name: str) -> Task:
        """The task that callers know as `name`.

        Raises
        ------
        TaskNotFound: this function has no such task.

        """
        number = identity.number_of(name)
        found = await (self._store.task_named(function.root, name) if number is None else self._store.task(number))
        if found is None or found.function_id != function.root or wire_name(found) != name:
            raise errors.TaskNotFound(name)
        return found

    async def page(self, query: TaskQuery) -> list[Task]:
        """One page of a function's tasks."""
        return await self._store.page(query)

    async def search(self, search: Search) -> Found:
        """A step of a search for tasks of an account."""
        return await self._store.find(search)

    async def logs(self, task_id: int) -> list[Log]:
        """What the attempts that are over wrote."""
        return await self._store.logs(task_id)

    def admit(self, count: int = 1) -> None:
        """Refuse, with `ResourceExhausted` or `ServiceUnavailable`, what there is no room for."""
        if self.closed:
            raise self._turned_away(errors.ServiceUnavailable("the server is draining and accepts no tasks"))
        if self._submits_pending >= self._submits_pending_max:
            waiting = f"{self._submits_pending_max} submits are waiting for the disk, try again shortly"
            raise self._turned_away(errors.ResourceExhausted(waiting))
        if self._open + self._submits_pending + count > self._tasks_open_max:
            full = f"{self._tasks_open_max} tasks are open, which is the limit of this server"
            if count > 1:
                full = f"{self._open} tasks are open, and {count} more would pass the limit of {self._tasks_open_max}"
            raise self._turned_away(errors.ResourceExhausted(full, 5))

    def _turned_away(self, error: E) -> E:
        self.tally.refused[error.code] += 1
        return error
