"""Mutants of what makes things durable: store, queue, and what recovery reads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec
from proof.simulation.driver import SimDriver

from sojourn import queue as queues
from sojourn import task as tasks
from sojourn.dispatcher import Dispatcher
from sojourn.errors import StoreFailed
from sojourn.executor import Executor
from sojourn.lines import Lines
from sojourn.queue import Queue
from sojourn.stores.sqlite import rows, schema, writes
from sojourn.stores.sqlite.store import SqliteStore
from sojourn.task import Returned, Started, Status

from .mutant import Patch, idle, mutant, nothing, rows_more, swap, wrap


def _unguarded(text: str, key: str) -> str:
    changed = text.replace(f" WHERE {key} = ? AND epoch = ?", f" WHERE {key} = ? AND ? IS NOT NULL")
    if changed == text:
        raise ValueError("the statement has no epoch to leave out")
    return changed


@mutant("no epoch check in apply")
def _() -> Iterable[Patch]:
    yield swap(writes, "_UPDATE_TASK", _unguarded(writes._UPDATE_TASK, "id"))  # noqa: SLF001 - it is what is mutated


@mutant("a write that came too late is called done")
def _() -> Iterable[Patch]:
    def apply(original: Any, *arguments: Any) -> bool:
        original(*arguments)
        return True

    yield wrap(writes, "apply_task", apply)


@mutant("no new epoch")
def _() -> Iterable[Patch]:
    def advance(original: Any, task: tasks.Task, fact: Any, now: int) -> Any:
        return msgspec.structs.replace(original(task, fact, now), epoch=task.epoch)

    yield wrap(queues, "advance", advance)


@mutant("dedupe outside the transaction")
def _() -> Iterable[Patch]:
    def migrate(original: Any, connection: Any) -> None:
        original(connection)
        connection.execute(
            "DROP INDEX task_by_name; CREATE INDEX task_by_name ON task(function_id, name) WHERE name IS NOT NULL"
        )

    async def insert(original: Any, self: Any, task: tasks.Task) -> bool:
        if task.name is not None and await self.task_named(task.function_id, task.name) is not None:
            return False
        return bool(await original(self, task))

    yield wrap(schema, "migrate", migrate)
    yield swap(writes, "INSERT_TASK", writes.INSERT_TASK.partition(" ON CONFLICT")[0])
    yield wrap(SqliteStore, "insert_task", insert)


_begun: set[asyncio.Task[Any]] = set()


def _later(work: Any) -> None:
    """Let it happen, and wait for nothing."""

    async def quietly() -> None:
        try:
            await work
        except StoreFailed:
            return

    begun = asyncio.get_running_loop().create_task(quietly())
    _begun.add(begun)
    begun.add_done_callback(_begun.discard)


@mutant("a submission is acknowledged before its commit")
def _() -> Iterable[Patch]:
    async def insert(original: Any, self: Any, task: tasks.Task) -> bool:
        _later(original(self, task))
        return True

    yield wrap(SqliteStore, "insert_task", insert)


@mutant("a move is acknowledged before its commit")
def _() -> Iterable[Patch]:
    async def apply(original: Any, self: Any, *arguments: Any) -> bool:
        _later(original(self, *arguments))
        return True

    yield wrap(SqliteStore, "apply", apply)


@mutant("Running after the call")
def _() -> Iterable[Patch]:
    async def apply(original: Any, self: Queue, task: tasks.Task, *facts: Any, log: Any = None) -> Any:
        if not any(isinstance(fact, Started) for fact in facts):
            return await original(self, task, *facts, log=log)
        after = task
        for fact in facts:
            after = tasks.advance(after, fact, self._clock.now())
        _later(original(self, task, *facts, log=log))
        return after

    yield wrap(Queue, "apply", apply)


@mutant("outbox outside the transaction")
def _() -> Iterable[Patch]:
    async def apply(original: Any, self: Any, epoch: int, *written: Any) -> bool:
        task, log, delivery = (*written, None, None)[:3]
        held = bool(await original(self, epoch, task, log, None))
        if held and delivery is not None:
            values = rows.delivery_values(delivery)
            await self._writer.write(lambda cursor: cursor.execute(writes._INSERT_DELIVERY, values))  # noqa: SLF001 - as above
        return held

    yield wrap(SqliteStore, "apply", apply)


@mutant("a result is not insisted on")
def _() -> Iterable[Patch]:
    async def insist(_: Any, self: Executor, task: Any, fact: Any, log: Any = None) -> Any:
        return await self._queue.apply(task, fact, log=log)

    yield wrap(Executor, "insist", insist)


@mutant("a claim that the store refused is not put back")
def _() -> Iterable[Patch]:
    yield swap(Executor, "put_back", nothing)


@mutant("a task whose submitter has gone is forgotten")
def _() -> Iterable[Patch]:
    yield swap(Queue, "_adopt", nothing)


@mutant("what was being run is not recovered")
def _() -> Iterable[Patch]:
    yield swap(Dispatcher, "recover", nothing)


@mutant("what was waiting is not loaded")
def _() -> Iterable[Patch]:
    async def load(original: Any, self: Queue, incarnation: int) -> Any:
        orphans = await original(self, incarnation)
        self._lines = Lines(self._clock)
        return orphans

    yield wrap(Queue, "load", load)


@mutant("recovery starts again what has ended")
def _() -> Iterable[Patch]:
    async def apply(original: Any, self: Queue, task: tasks.Task, *facts: Any, log: Any = None) -> Any:
        after = await original(self, task, *facts, log=log)
        if after is not None and any(isinstance(fact, Returned) for fact in facts):
            self.wait(after)
        return after

    async def run(original: Any, self: Executor, execution: Any, function: Any) -> None:
        task = await self._queue.read(execution.task_id)
        if task is not None and task.status is Status.SUCCEEDED:
            self._queue._fresh.keep(msgspec.structs.replace(task, status=Status.ENQUEUED))  # noqa: SLF001 - as above
        await original(self, execution, function)

    yield wrap(Queue, "apply", apply)
    yield wrap(Executor, "run", run)


@mutant("recovery does not wait for the end of what an earlier server left")
def _() -> Iterable[Patch]:
    async def reap(*_: Any) -> int:
        return 0

    yield swap(SimDriver, "reap", reap)


@mutant("a waiting task is forgotten when its function changes")
def _() -> Iterable[Patch]:
    yield swap(Dispatcher, "look_again", idle)
    yield swap(Dispatcher, "_due", idle)


@mutant("a task that ended is moved by a stop")
def _() -> Iterable[Patch]:
    yield rows_more(
        (Status.SUCCEEDED, tasks.StopRequested, Status.STOPPING), (Status.FAILED, tasks.StopRequested, Status.STOPPING)
    )
    yield swap(tasks.Task, "over", property(lambda _: False))
