"""The plainest store there can be: rows in dictionaries, with hands on the moment of every write.

It keeps the store contract (and passes its conformance suite), and lets a test hold a write on its way, before or after
it takes effect, make the store fail, and read the order of everything that was written.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from reference_data import Data, DataRecords
from reference_names import ReferenceNames
from reference_steering import Steering
from sojourn import identity
from sojourn.destination import Delivery
from sojourn.errors import StoreFailed
from sojourn.filter import matches
from sojourn.function import Function
from sojourn.store import Forgotten, Found, Log, OpenTask, Search, TaskQuery
from sojourn.task import Status, Task

__all__ = ["Data", "Hold", "ReferenceStore"]

T = TypeVar("T")
Which = Callable[[Task | Delivery], bool]

FIXED = (
    "id",
    "account_id",
    "function_id",
    "generation",
    "name",
    "qualifier",
    "created_at",
    "payload",
    "snapshot_id",
    "tags",
    "rerun_of",
)
"""What a task is submitted with, for good."""
DELIVERY_FIXED = ("task_id", "function_id", "account_id", "target", "created_at")
"""What a delivery is made with, for good."""
INTEGER_MAX = 1 << 64


class Hold:
    """A write that stands still: `reached` when it does, until `release`."""

    def __init__(self, which: Which, *, after: bool) -> None:
        self.which, self.after = which, after
        self.reached = asyncio.Event()
        self._free = asyncio.Event()
        self.used = False

    def release(self) -> None:
        """Let it go on."""
        self._free.set()

    async def stand(self) -> None:
        """Stand still until released."""
        self.used = True
        self.reached.set()
        await self._free.wait()


class ReferenceStore(ReferenceNames, Steering):
    """A `Store` in memory."""

    def __init__(self, data: Data | None = None) -> None:
        self.data = data or Data()
        self.written: list[Task] = []
        self.calls = 0
        self.failing = False
        self.fails: Callable[[], bool] = lambda: self.failing
        self._holds: list[Hold] = []
        self._pulse = asyncio.Event()
        self._open = False
        self._begun = 0

    def cached_bytes(self) -> int:
        """Nothing that is anywhere else."""
        return 0

    # What tests do to it ----------------------------------------------------------------------------------------------

    def hold(self, *statuses: Status, after: bool = False) -> Hold:
        """Hold the next write that makes a task one of `statuses`; `after` lets it take effect first."""
        return self._hold(lambda row: row.status in statuses, after=after)

    def hold_delivery(self, *, after: bool = False) -> Hold:
        """Hold the next write of what came of an attempt to deliver."""
        return self._hold(lambda row: isinstance(row, Delivery), after=after)

    def _hold(self, which: Which, *, after: bool) -> Hold:
        held = Hold(which, after=after)
        self._holds.append(held)
        return held

    async def until(self, condition: Callable[[], bool], seconds: float = 3600.0) -> None:
        """Wait until `condition` holds, looked at after every write; at most `seconds` of the loop's time."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._pulse.clear()
                await self._pulse.wait()

    # The contract -----------------------------------------------------------------------------------------------------

    async def open(self) -> int:
        """Begin another incarnation."""
        self._open = True
        self.data.incarnation += 1
        return self.data.incarnation

    async def close(self) -> None:
        """Finish what was begun."""
        self._open = False
        while self._begun:
            self._pulse.clear()
            await self._pulse.wait()

    @contextmanager
    def records(self) -> Iterator[DataRecords]:
        """All there is."""
        yield DataRecords(self.data)

    async def insert_task(self, task: Task) -> bool:
        """Keep a new task."""
        return await self._write(task, lambda: self._insert(task))

    async def insert_tasks(self, tasks: Sequence[Task]) -> list[bool]:
        """Keep new tasks, all at once."""
        return await self._write(tasks[0], lambda: [self._insert(task) for task in tasks])

    async def apply(self, epoch: int, task: Task, log: Log | None = None, delivery: Delivery | None = None) -> bool:
        """Compare and set."""
        return await self._write(task, lambda: self._swap(epoch, task, log, delivery))

    async def forget(self, ended_before: int, after: int, limit: int) -> Forgotten:
        """As the data does."""
        await self._read()
        forgotten = self.data.forget(ended_before, after, limit)
        self._pulse.set()
        return forgotten

    async def counts(self) -> Mapping[tuple[int, Status], int]:
        """As the data does."""
        await self._read()
        return self.data.counts()

    async def task(self, task_id: int) -> Task | None:
        """A row."""
        await self._read()
        return self.data.tasks.get(task_id)

    async def task_named(self, function_id: int, name: str) -> Task | None:
        """A row by its name."""
        await self._read()
        task_id = self.data.names.get((function_id, name))
        return None if task_id is None else self.data.tasks[task_id]

    async def page(self, query: TaskQuery) -> list[Task]:
        """Rows that match, in order."""
        await self._read()
        rows = sorted(self.data.tasks.values(), key=lambda task: task.id, reverse=not query.ascending)
        return [task for task in rows if _matches(task, query)][: query.limit]

    async def find(self, search: Search) -> Found:
        """All that match, in one step."""
        await self._read()
        rows = sorted(self.data.tasks.values(), key=lambda task: task.id, reverse=not search.ascending)
        found = [
            task if search.bodies else msgspec.structs.replace(task, payload=b"", result=b"")
            for task in rows
            if task.account_id == search.account_id
            and task.function_id in search.functions
            and matches(search.wanted, task, search.functions[task.function_id], search.now)
            and (search.after is None or (task.id > search.after if search.ascending else task.id < search.after))
        ]
        more = len(found) > search.limit > 0
        return Found(found[: search.limit], found[search.limit - 1].id if more else None)

    async def open_tasks(self) -> AsyncIterator[Sequence[OpenTask]]:
        """Rows that are not over."""
        for chunk in list(self.data.open_tasks()):
            await self._read()
            yield chunk

    async def logs(self, task_id: int) -> list[Log]:
        """Logs in order of attempts."""
        await self._read()
        return [log for (owner, _), log in sorted(self.data.logs.items(), key=lambda item: item[0]) if owner == task_id]

    async def open_deliveries(self) -> AsyncIterator[Delivery]:
        """Deliveries that are not over."""
        for _, delivery in sorted(self.data.deliveries.items()):
            await self._read()
            if not delivery.over:
                yield delivery

    async def deliveries(self, task_ids: Sequence[int]) -> list[Delivery]:
        """Those there are."""
        await self._read()
        return [self.data.deliveries[number] for number in set(task_ids) if number in self.data.deliveries]

    async def put_delivery(self, epoch: int, delivery: Delivery) -> bool:
        """Compare and set."""
        return await self._write(delivery, lambda: self._swap_delivery(epoch, delivery))

    async def put_function(self, function: Function, revision: int) -> Function | None:
        """Create or replace."""
        await self._read()
        same = (function.account_id, function.name, function.version)
        known = self.data.functions.values()
        found = next((one for one in known if (one.account_id, one.name, one.version) == same), None)
        if (found.revision if found else 0) != revision:
            return None
        if found is not None and found.id != function.id:
            return None
        number = found.id if found else len(self.data.functions) + 1
        self.data.functions[number] = msgspec.structs.replace(function, id=number)
        return self.data.functions[number]

    async def functions(self) -> Sequence[Function]:
        """All of them."""
        await self._read()
        return sorted(self.data.functions.values(), key=lambda one: (one.account_id, one.name, one.version))

    # How --------------------------------------------------------------------------------------------------------------

    def _insert(self, task: Task) -> bool:
        if task.name is not None and (task.function_id, task.name) in self.data.names:
            return False
        if task.id in self.data.tasks or task.due_at > INTEGER_MAX:
            raise StoreFailed("no row can hold this")
        if task.name is not None:
            self.data.names[task.function_id, task.name] = task.id
        self.data.tasks[task.id] = task
        return True

    def _swap(self, epoch: int, task: Task, log: Log | None, delivery: Delivery | None) -> bool:
        found = self.data.tasks.get(task.id)
        if found is None or found.epoch != epoch:
            return False
        if max(task.due_at, log.dropped if log else 0, delivery.due_at if delivery else 0) > INTEGER_MAX:
            raise StoreFailed("no row can hold this")
        if delivery is not None and delivery.task_id in self.data.deliveries:
            raise StoreFailed("no row can hold this")
        self.data.tasks[task.id] = msgspec.structs.replace(task, **{name: getattr(found, name) for name in FIXED})
        if log is not None:
            self.data.logs[task.id, log.attempt] = log
        if delivery is not None:
            self.data.deliveries[delivery.task_id] = delivery
        return True

    def _swap_delivery(self, epoch: int, delivery: Delivery) -> bool:
        found = self.data.deliveries.get(delivery.task_id)
        if found is None or found.epoch != epoch:
            return False
        kept = {name: getattr(found, name) for name in DELIVERY_FIXED}
        self.data.deliveries[delivery.task_id] = msgspec.structs.replace(delivery, **kept)
        return True

    async def _read(self) -> None:
        self._check()
        await asyncio.sleep(0)

    async def _write(self, row: Task | Delivery, change: Callable[[], T]) -> T:
        self._check()
        self._begun += 1
        self.calls += 1
        try:
            await self._stand(row, after=False)
            await asyncio.sleep(0)
            changed = change()
            if changed and isinstance(row, Task):
                self.written.append(row)
            self._pulse.set()
            await asyncio.sleep(0)
            await self._stand(row, after=True)
        finally:
            self._begun -= 1
            self._pulse.set()
        return changed

    async def _stand(self, row: Task | Delivery, *, after: bool) -> None:
        for held in self._holds:
            if not held.used and held.after is after and held.which(row):
                await held.stand()

    def _check(self) -> None:
        if not self._open or self.fails():
            raise StoreFailed("the store does not take it now")


def _matches(task: Task, query: TaskQuery) -> bool:
    began = task.started_at or task.created_at
    name = identity.request_id(task.id) if task.name is None else task.name
    return (
        task.function_id == query.function_id
        and (not query.statuses or task.status in query.statuses)
        and name.startswith(query.name_prefix)
        and query.qualifier in ("", task.qualifier)
        and (query.began_from is None or began >= query.began_from)
        and (query.began_to is None or began <= query.began_to)
        and (query.after is None or (task.id > query.after if query.ascending else task.id < query.after))
    )
