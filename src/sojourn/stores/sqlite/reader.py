"""Reading: connections of their own that never wait for the writer and see everything that was acknowledged.

A task looked up by its id or name costs some 20 µs, less than the way to another thread, so the loop does it itself.
All that walks or may be large goes to a few threads with a connection each, started when first needed.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from itertools import islice
from pathlib import Path
from typing import TypeVar

import apsw
import orjson

from sojourn.access import AccessToken, Scope
from sojourn.destination import Delivery
from sojourn.errors import StoreFailed
from sojourn.function import AccessKey, Account, Function
from sojourn.service import Service
from sojourn.store import Log, OpenTask
from sojourn.task import Status, Task
from sojourn.trigger import Trigger

from . import rows
from .connection import cached_bytes, open_reader
from .pages import INTEGER_MAX

T = TypeVar("T")

THREADS_MAX = 2
CHUNK = 1_000

_TASK = f"SELECT {rows.COLUMNS} FROM task WHERE id = ?"  # noqa: S608 - constant text
_TASK_NAMED = (
    f"SELECT {rows.COLUMNS} FROM task INDEXED BY task_by_name "  # noqa: S608 - constant text
    "WHERE function_id = ? AND name = ? AND name IS NOT NULL"
)
_OPEN_TASKS = (
    "SELECT id, function_id, status, owner, due_at, expires_at, snapshot_id FROM task INDEXED BY task_open "
    "WHERE function_id = ? AND status = ? AND status < 10 ORDER BY id"
)
_OPEN_COUNTS = (
    "SELECT function_id, status, count(*) FROM task INDEXED BY task_open WHERE status < 10 GROUP BY function_id, status"
)
_LOGS = "SELECT attempt, head, tail, dropped FROM task_log WHERE task_id = ? ORDER BY attempt"
_DELIVERIES = (
    f"SELECT {rows.DELIVERY_COLUMNS} FROM delivery "  # noqa: S608 - constant text
    "WHERE task_id IN (SELECT value FROM json_each(?))"
)
_OPEN_DELIVERIES = (
    f"SELECT {rows.DELIVERY_COLUMNS} FROM delivery INDEXED BY delivery_open "  # noqa: S608 - constant text
    "WHERE status = 0 ORDER BY task_id"
)
_FUNCTIONS = f"SELECT id, {rows.FUNCTION_COLUMNS} FROM function ORDER BY account_id, name, version"  # noqa: S608 - constant text
_ACCOUNTS = "SELECT id, created_at, owner, webhook_secret FROM account ORDER BY created_at, rowid"
_SERVICES = "SELECT body FROM service ORDER BY account_id, name"
_TRIGGERS = f"SELECT {rows.TRIGGER_COLUMNS} FROM trigger_of_function ORDER BY function_id, name"  # noqa: S608 - constant text
_ACCESS_KEYS = "SELECT id, secret, account_id, created_at, expires_at, token FROM access_key ORDER BY created_at, rowid"
_ACCESS_TOKENS = (
    "SELECT id, account_id, name, scope, digest, created_at, expires_at FROM access_token ORDER BY created_at, rowid"
)


class Readers:
    """The reading connections to the database in `directory`, through the file layer `vfs` when it is given."""

    def __init__(self, directory: Path, vfs: str | None = None) -> None:
        self._directory, self._vfs = directory, vfs
        self._opened: dict[apsw.Connection, int] = {}
        self._own = self._open()
        self._mine = threading.local()
        self._pool = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="sojourn-reader")

    def task(self, task_id: int) -> Task | None:
        """The task of this id, read on the calling thread, which must be the loop's."""
        return self._one(_TASK, (task_id,)) if 0 <= task_id <= INTEGER_MAX else None

    def task_named(self, function_id: int, name: str) -> Task | None:
        """The task of this name, read on the calling thread, which must be the loop's."""
        return self._one(_TASK_NAMED, (function_id, name)) if name.isascii() else None

    async def run(self, read: Callable[[apsw.Connection], T]) -> T:
        """The answer of `read` from a thread that has a connection of its own."""
        return await self._call(lambda: self._read(read))

    async def open_tasks(self) -> AsyncGenerator[Sequence[OpenTask], None]:
        """Every task that was open at one moment, see `open_tasks`."""
        async with aclosing(self._walk(open_tasks)) as found:
            async for chunk in found:
                yield chunk

    async def open_deliveries(self) -> AsyncGenerator[Delivery, None]:
        """Every delivery that was open at one moment, in the order of task ids."""
        async with aclosing(self._walk(open_deliveries)) as found:
            async for chunk in found:
                for delivery in chunk:
                    yield delivery

    def deliveries(self, task_ids: Sequence[int]) -> list[Delivery]:
        """The deliveries of few tasks, read on the calling thread, which must be the loop's."""
        try:
            return deliveries(self._own, task_ids)
        except apsw.Error as error:
            raise _unreadable(error) from error

    def cached_bytes(self) -> int:
        """How much memory the pages take that these connections keep, as of what each read last."""
        self._opened[self._own] = cached_bytes(self._own)
        return sum(self._opened.values())

    async def close(self) -> None:
        """Finish what is being read, then close all connections."""
        await asyncio.to_thread(self._pool.shutdown, wait=True)
        for connection in self._opened:
            connection.close(force=True)
        self._opened.clear()

    async def _walk(
        self, read: Callable[[apsw.Connection], Iterator[Sequence[T]]]
    ) -> AsyncGenerator[Sequence[T], None]:
        """The chunks that `read` finds, as things were at one moment, on a connection of their own."""
        connection = await self._call(self._open)
        try:
            await self._call(lambda: connection.execute("BEGIN"))
            chunks = read(connection)
            while chunk := await self._call(lambda: next(chunks, ())):
                yield chunk
        finally:
            self._opened.pop(connection, None)
            connection.close(force=True)

    def _one(self, text: str, values: tuple[int | str, ...]) -> Task | None:
        try:
            row = self._own.execute(text, values).fetchone()
        except apsw.Error as error:
            raise _unreadable(error) from error
        return None if row is None else rows.task_of(row)

    async def _call(self, work: Callable[[], T]) -> T:
        try:
            running = asyncio.get_running_loop().run_in_executor(self._pool, work)
        except RuntimeError:  # the pool was shut down
            raise StoreFailed("the store is closed") from None
        try:
            return await running
        except apsw.Error as error:
            raise _unreadable(error) from error

    def _read(self, read: Callable[[apsw.Connection], T]) -> T:
        connection = self._of_this_thread()
        try:
            return read(connection)
        finally:
            self._opened[connection] = cached_bytes(connection)

    def _of_this_thread(self) -> apsw.Connection:
        connection: apsw.Connection | None = getattr(self._mine, "connection", None)
        if connection is None:
            connection = self._mine.connection = self._open()
        return connection

    def _open(self) -> apsw.Connection:
        connection = open_reader(self._directory, self._vfs)
        self._opened[connection] = 0
        return connection


def open_tasks(connection: apsw.Connection) -> Iterator[Sequence[OpenTask]]:
    """Every open task: those that are not Enqueued, then some Enqueued ones of each function in turns."""

    def chunks(function_id: int, code: int) -> Iterator[Sequence[OpenTask]]:
        cursor, status = connection.execute(_OPEN_TASKS, (function_id, code)), rows.STATUSES[code]
        while found := list(islice(cursor, CHUNK)):
            yield [OpenTask(row[0], row[1], status, *row[3:]) for row in found]

    groups = [(number, code) for number, code, _ in connection.execute(_OPEN_COUNTS)]
    enqueued = rows.STATUS_CODES[Status.ENQUEUED]
    for group in groups:
        if group[1] != enqueued:
            yield from chunks(*group)
    turns = deque(chunks(*group) for group in groups if group[1] == enqueued)
    while turns:
        if chunk := next(turns[0], ()):
            yield chunk
            turns.rotate(-1)
        else:
            turns.popleft()


def open_counts(connection: apsw.Connection) -> dict[tuple[int, Status], int]:
    """How many tasks are open, by function and status."""
    return {(number, rows.STATUSES[code]): tasks for number, code, tasks in connection.execute(_OPEN_COUNTS)}


def open_deliveries(connection: apsw.Connection) -> Iterator[Sequence[Delivery]]:
    """Every open delivery, in the order of task ids."""
    cursor = connection.execute(_OPEN_DELIVERIES)
    while found := list(islice(cursor, CHUNK)):
        yield [rows.delivery_of(row) for row in found]


def logs(connection: apsw.Connection, task_id: int) -> list[Log]:
    """The logs of a task, in order of attempts."""
    found = connection.execute(_LOGS, (task_id,)) if 0 <= task_id <= INTEGER_MAX else ()
    return [Log(*row) for row in found]


def deliveries(connection: apsw.Connection, task_ids: Sequence[int]) -> list[Delivery]:
    """The deliveries of those tasks that have one."""
    wanted = orjson.dumps([number for number in task_ids if 0 <= number <= INTEGER_MAX]).decode()
    return [rows.delivery_of(row) for row in connection.execute(_DELIVERIES, (wanted,))]


def functions(connection: apsw.Connection) -> list[Function]:
    """All functions, in the order of account and name."""
    return [rows.function_of(row) for row in connection.execute(_FUNCTIONS)]


def accounts(connection: apsw.Connection) -> list[Account]:
    """All accounts, oldest first."""
    return [
        Account(id=row[0], created_at=row[1], owner=bool(row[2]), webhook_secret=row[3])
        for row in connection.execute(_ACCOUNTS)
    ]


def access_keys(connection: apsw.Connection) -> list[AccessKey]:
    """All access keys, oldest first."""
    return [
        AccessKey(id=row[0], secret=row[1], account_id=row[2], created_at=row[3], expires_at=row[4], token=row[5])
        for row in connection.execute(_ACCESS_KEYS)
    ]


def access_tokens(connection: apsw.Connection) -> list[AccessToken]:
    """All access tokens, oldest first."""
    return [
        AccessToken(
            id=row[0],
            account_id=row[1],
            name=row[2],
            scope=Scope(row[3]),
            digest=row[4],
            created_at=row[5],
            expires_at=row[6],
        )
        for row in connection.execute(_ACCESS_TOKENS)
    ]


def services(connection: apsw.Connection) -> list[Service]:
    """All services, in the order of account and name."""
    return [rows.service_of(body) for (body,) in connection.execute(_SERVICES)]


def triggers(connection: apsw.Connection) -> list[Trigger]:
    """All triggers, in the order of function and name."""
    return [rows.trigger_of(row) for row in connection.execute(_TRIGGERS)]


def _unreadable(error: apsw.Error) -> StoreFailed:
    return StoreFailed(f"the store cannot be read: {error}")
