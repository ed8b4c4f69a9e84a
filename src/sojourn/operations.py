"""Operations on many tasks: begun, walked to their end, cancelled, and gone on with after a restart.

What a verb does to one task is the queue's and the dispatcher's; what an operation is, and which tasks it may touch, is
`bulk`'s. Here it is decided in which order and how many at a time. Tasks that merely wait are moved hundreds in one
transaction, together with the operation's own row, so that a crash neither forgets nor repeats any of it. A task that
something works on is stopped by itself, with everything that a stop brings: PreStop, grace, proof.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from . import filter as filters
from . import identity
from .background import Background
from .bulk import APPLIES, Operation, OperationStatus, Verb
from .catalog import Catalog
from .clock import Clock
from .crashpoint import crashpoint
from .errors import InvalidArgument, NotFound, ResourceExhausted, ServiceUnavailable, StoreFailed, TaskAlreadyCompleted
from .filter import Filter
from .function import Function
from .order import Order
from .queue import Queue, wire_name
from .refusals import OperationNotFound, OperationOver
from .store import Search, Store
from .task import Aged, Claimed, Ended, Fact, Status, StopRequested, Task

log = logging.getLogger(__name__)

AT_ONCE = 250
"""Tasks in one transaction: it holds the writer for a few milliseconds."""
COUNTED_AT_ONCE = 1_000
RUNNING_MAX = 10
"""Operations of one account that may be under way."""
KEPT_MAX = 200
"""Operations of one account that are remembered."""
PAUSE_SECONDS = 1.0
"""After the store failed, or while there is no room for more tasks."""


class Stopping(Protocol):
    """Who stops tasks that something works on."""

    def waits(self, task: Task) -> bool:
        """Whether nothing works on a task."""
        ...

    def stop(self, function: Function, name: str, actor: str) -> Coroutine[Any, Any, Task]:
        """Stop a task wherever it is in its life."""
        ...


class Operations:
    """All operations of this server.

    Parameters
    ----------
    store, queue, catalog, clock: what it stands on.
    stops: who stops what runs.
    number: makes the number of an operation; every task that is submitted later has a greater one.

    """

    def __init__(
        self, store: Store, queue: Queue, catalog: Catalog, clock: Clock, *, stops: Stopping, number: Callable[[], int]
    ) -> None:
        self._store, self._queue, self._catalog, self._clock = store, queue, catalog, clock
        self._stops, self._number = stops, number
        self._known: dict[int, Operation] = {}
        self._turn = asyncio.Lock()
        self._background = Background("an operation")

    async def load(self) -> None:
        """Read what there is."""
        self._known = {each.id: each for each in await self._store.operations()}

    def start(self) -> None:
        """Go on with what an earlier start did not finish."""
        for each in self._known.values():
            if not each.over:
                self._background.spawn(self._drive(each.id))

    async def close(self) -> None:
        """Leave what is not finished to the next start."""
        for each in self._background:
            each.cancel()
        await self._background.finish()

    # What callers ask -------------------------------------------------------------------------------------------------

    def of(self, account_id: str) -> list[Operation]:
        """The account's operations, the youngest first."""
        return [each for _, each in sorted(self._known.items(), reverse=True) if each.account_id == account_id]

    def get(self, account_id: str, name: str) -> Operation:
        """One of the account's operations, or `OperationNotFound`."""
        number = identity.number_of(name)
        found = self._known.get(number) if number is not None else None
        if found is None or found.account_id != account_id:
            raise OperationNotFound(name)
        return found

    async def count(self, account_id: str, verb: Verb, fields: Mapping[str, object]) -> int:
        """How many tasks an operation would change if it were begun now.

        Raises
        ------
        InvalidArgument: `fields` are no filter, or mean everything.
        FunctionNotFound: the filter names a function that never was.

        """
        wanted = self._filter(account_id, fields)
        return await self._count(account_id, verb, wanted, self._number())

    async def begin(self, account_id: str, verb: Verb, fields: Mapping[str, object], actor: str) -> Operation:
        """Begin an operation; on return it is durable, and will come to its end.

        Raises
        ------
        InvalidArgument, FunctionNotFound: as `count`.
        ResourceExhausted: too many operations of the account are under way.

        """
        self._filter(account_id, fields)
        mine = self.of(account_id)
        if sum(not each.over for each in mine) >= RUNNING_MAX:
            raise ResourceExhausted(f"{RUNNING_MAX} operations are running, which is the limit of an account", 5)
        for old in [each for each in mine if each.over][KEPT_MAX:]:
            await self._store.drop_operation(old.id)
            self._known.pop(old.id, None)
        number = self._number()
        operation = Operation(
            id=number,
            account_id=account_id,
            verb=verb,
            actor=actor,
            fields=fields,
            newest=number,
            created_at=self._clock.now(),
            epoch=1,
        )
        crashpoint("operation.begin.before")
        await self._store.put_operation(operation, 0)
        crashpoint("operation.begin.durable")
        self._known[number] = operation
        self._background.spawn(self._drive(number))
        return operation

    async def cancel(self, account_id: str, name: str) -> Operation:
        """Let an operation touch no further task; what it has done stays. Cancelling twice is fine.

        Raises
        ------
        OperationNotFound: there is none.
        OperationOver: it has come to its end.

        """
        number = self.get(account_id, name).id
        async with self._turn:
            operation = self._known[number]
            if operation.status is OperationStatus.CANCELLED:
                return operation
            if operation.over:
                raise OperationOver(name, operation.status.value)
            return await self._end(operation, OperationStatus.CANCELLED)

    # Its way ----------------------------------------------------------------------------------------------------------

    async def _drive(self, number: int) -> None:
        """Walk an operation to its end, however often the store fails meanwhile."""
        while not self._known[number].over:
            try:
                await self._walk(number)
            except StoreFailed as error:
                log.warning("operation %s waits: %s", identity.request_id(number), error)
                await asyncio.sleep(PAUSE_SECONDS)

    async def _walk(self, number: int) -> None:
        operation = self._known[number]
        wanted = filters.parse(operation.fields)
        if operation.total < 0:
            total = await self._count(operation.account_id, operation.verb, wanted, operation.newest)
            async with self._turn:
                await self._put(msgspec.structs.replace(self._known[number], total=total))
        async for function, after, tasks in self._pages(operation, wanted, AT_ONCE, bodies=True):
            async with self._turn:
                operation = self._known[number]
                if operation.over:
                    return
                there = msgspec.structs.replace(operation, function_id=function.id, after=after)
                await self._act(there, function, tasks)
        async with self._turn:
            if not self._known[number].over:
                await self._end(self._known[number], OperationStatus.SUCCEEDED)

    async def _pages(
        self, operation: Operation, wanted: Filter, limit: int, *, bodies: bool
    ) -> AsyncIterator[tuple[Function, int, list[Task]]]:
        """What is left of an operation, page by page: a function, where the page ends, and the tasks that are meant.

        A page is a step of a search: it may be short, or empty, where few tasks are meant among many.
        """
        applies = APPLIES[operation.verb]
        statuses = [status for status in wanted.statuses or Status if status in applies]
        if not statuses:
            return
        wanted = msgspec.structs.replace(wanted, statuses=tuple(statuses))
        for function in self._catalog.every_function(operation.account_id):
            if function.id < operation.function_id or function.root_id or wanted.function not in ("", function.name):
                continue
            after = operation.after if function.id == operation.function_id else -1
            while True:
                search = Search(
                    account_id=operation.account_id,
                    functions={function.id: function.name},
                    wanted=wanted,
                    now=self._clock.now(),
                    ascending=True,
                    after=after,
                    limit=limit,
                    bodies=bodies,
                )
                found = await self._queue.search(search)
                old = [task for task in found.tasks if task.id <= operation.newest]
                if found.after is None or found.after > operation.newest:
                    yield function, operation.newest, old
                    break
                after = found.after
                yield function, after, old

    async def _count(self, account_id: str, verb: Verb, wanted: Filter, newest: int) -> int:
        every = Operation(id=0, account_id=account_id, verb=verb, actor="", fields={}, newest=newest, created_at=0)
        count = 0
        async for _, _, tasks in self._pages(every, wanted, COUNTED_AT_ONCE, bodies=False):
            count += len(tasks)
        return count

    async def _put(self, operation: Operation) -> Operation:
        """Make an operation durable as it shall stand, one epoch later."""
        after = msgspec.structs.replace(operation, epoch=operation.epoch + 1)
        if not await self._store.put_operation(after, operation.epoch):
            raise StoreFailed("the operation was moved by somebody else")
        self._known[after.id] = after
        return after

    async def _end(self, operation: Operation, status: OperationStatus) -> Operation:
        crashpoint("operation.end.before")
        return await self._put(msgspec.structs.replace(operation, status=status, ended_at=self._clock.now()))

    def _filter(self, account_id: str, fields: Mapping[str, object]) -> Filter:
        wanted = filters.parse(fields)
        if wanted.empty:
            raise InvalidArgument(
                "filter", dict(fields), "must name at least one field; createdFrom 0 means every task of the account"
            )
        if wanted.function:
            self._catalog.remembered(account_id, wanted.function)
        return wanted

    # What it does to tasks --------------------------------------------------------------------------------------------

    async def _act(self, operation: Operation, function: Function, tasks: Sequence[Task]) -> None:
        """Do to `tasks` what is to be done, and keep that the operation has come so far."""
        match operation.verb:
            case Verb.STOP:
                await self._stop(operation, function, tasks)
            case Verb.EXPIRE:
                await self._expire(operation, tasks)
            case Verb.RERUN:
                await self._rerun(operation, tasks, function)
            case Verb.DELETE:
                await self._carry(operation, gone=tasks, why="its record is not delivered yet")

    async def _stop(self, operation: Operation, function: Function, tasks: Sequence[Task]) -> None:
        waiting = [task for task in tasks if self._stops.waits(task)]
        busy = [task for task in tasks if not self._stops.waits(task)]
        stopped = await asyncio.gather(*(self._stop_one(function, task, operation.actor) for task in busy))
        operation = msgspec.structs.replace(
            operation, done=operation.done + sum(stopped), skipped=operation.skipped + len(busy) - sum(stopped)
        )
        moves = [
            (task, (StopRequested(operation.actor), Ended({"ran": task.attempts > 0, "processesLeft": 0})))
            for task in waiting
        ]
        touched = await self._carry(operation, moves=moves)
        late = [task for task in waiting if task.id not in touched]  # they began meanwhile
        for task in late:
            stopped_late = await self._stop_one(function, task, operation.actor)
            known = self._known[operation.id]
            self._known[known.id] = msgspec.structs.replace(
                known, done=known.done + stopped_late, skipped=known.skipped + (not stopped_late)
            )

    async def _stop_one(self, function: Function, task: Task, actor: str) -> bool:
        try:
            await self._stops.stop(function, wire_name(task), actor)
        except (TaskAlreadyCompleted, NotFound):
            return False
        return True

    async def _expire(self, operation: Operation, tasks: Sequence[Task]) -> None:
        """What waits is claimed for the purpose, as what grew too old is; what is being started is left alone."""
        aged = Aged(operation.actor)
        moves: list[tuple[Task, Sequence[Fact]]] = [
            (task, (aged,) if task.status is Status.DEQUEUED else (Claimed(self._queue.incarnation), aged))
            for task in tasks
            if self._stops.waits(task)
        ]
        left = len(tasks) - len(moves)
        operation = msgspec.structs.replace(operation, skipped=operation.skipped + left)
        await self._carry(operation, moves=moves, why="it was just being started")

    async def _rerun(self, operation: Operation, tasks: Sequence[Task], function: Function) -> None:
        again: list[Task] = []
        why = operation.skipped_why
        for task in tasks:
            try:
                version = self._catalog.qualified(function.account_id, function.name, task.qualifier, task.id)
            except NotFound as error:
                why = error.message
                continue
            if version.disabled is not None:
                why = f"function '{function.name}' is disabled"
                continue
            order = Order(
                function=version,
                payload=task.payload,
                qualifier=task.qualifier,
                tags=task.tags,
                rerun_of=wire_name(task),
            )
            again.append(self._queue.made(order))
        while again:
            try:
                self._queue.admit()
                break
            except (ResourceExhausted, ServiceUnavailable):
                await asyncio.sleep(PAUSE_SECONDS)
        skipped = operation.skipped + len(tasks) - len(again)
        await self._carry(msgspec.structs.replace(operation, skipped=skipped, skipped_why=why), again=again)

    async def _carry(
        self,
        operation: Operation,
        *,
        moves: Sequence[tuple[Task, Sequence[Fact]]] = (),
        again: Sequence[Task] = (),
        gone: Sequence[Task] = (),
        why: str = "",
    ) -> set[int]:
        """Make it durable; what no longer applied counts as skipped when `why` is given. Returns what was touched."""
        moved, touched = await self._queue.carry(operation, moves=moves, again=again, gone=gone)
        if moved is None:
            raise StoreFailed("the operation was moved by somebody else")
        left = len(moves) + len(again) + len(gone) - len(touched)
        if left and why:
            moved = msgspec.structs.replace(moved, skipped=moved.skipped + left, skipped_why=why)
        self._known[moved.id] = moved
        return touched
