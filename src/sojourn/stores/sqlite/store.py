"""The door of the SQLite store: the verbs of the `store` contract, each handed to the writer or to a reader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, aclosing, suppress
from pathlib import Path
from typing import NamedTuple

import apsw

from sojourn.access import AccessToken
from sojourn.bulk import Operation
from sojourn.crashpoint import crashpoint
from sojourn.destination import Delivery
from sojourn.errors import StoreFailed
from sojourn.function import AccessKey, Account, Function
from sojourn.progress import Progress
from sojourn.service import Service
from sojourn.store import Forgotten, Found, Log, OpenTask, Records, Search, TaskQuery, Work
from sojourn.task import Status, Task
from sojourn.trail import Entry
from sojourn.trigger import Trigger

from . import finding, forgetting, pages, reader, records, rows, schema, steering, trails, writes
from .connection import check_library, open_writer, prepare_directory
from .lock import DirectoryLock
from .reader import Readers
from .writer import Writer

_CLOSED = "the store is not open"


class _Opened(NamedTuple):
    connection: apsw.Connection
    readers: Readers
    incarnation: int


class SqliteStore:
    """All state of a server in one SQLite database in `directory`, for one server at a time.

    Parameters
    ----------
    directory: made when it is missing, for its owner only.
    on_failed: called on the loop, once, when the disk has failed in a way after which nothing more can be promised; the
        server should end, and the next start finds what was acknowledged.
    vfs: the name of a registered SQLite file layer, None for SQLite's own.

    """

    def __init__(
        self, directory: Path, *, on_failed: Callable[[StoreFailed], None] | None = None, vfs: str | None = None
    ) -> None:
        self._directory, self._on_failed, self._vfs = directory, on_failed, vfs
        self._lock = DirectoryLock(directory)
        self._open_writer: Writer | None = None
        self._open_readers: Readers | None = None

    @property
    def failed(self) -> StoreFailed | None:
        """Why nothing can be written any more; None while all is well."""
        return self._open_writer.failed if self._open_writer else None

    async def open(self) -> int:
        """Open or create the database, migrate it, and return this start's incarnation.

        Raises
        ------
        SchemaTooNew: a newer version wrote it.
        DataDirectoryLocked: another server works on it.
        StoreFailed: it cannot be opened, or the SQLite library is too old to be trusted.

        """
        try:
            opened = await asyncio.to_thread(self._open)
        except (OSError, apsw.Error) as error:
            raise StoreFailed(f"the database in {self._directory} cannot be opened: {error}") from error
        self._open_readers = opened.readers
        self._open_writer = Writer(opened.connection, asyncio.get_running_loop(), self._on_failed)
        return opened.incarnation

    async def close(self) -> None:
        """Finish every change that was begun, then let go of the database. Closing twice is fine.

        The writer goes last, so that it is the one to copy the log back and remove it.
        """
        readers, self._open_readers = self._open_readers, None
        if readers is not None:
            await readers.close()
        if self._open_writer is not None:
            await self._open_writer.close()
        self._lock.release()

    def cached_bytes(self) -> int:
        """The database's pages in the memory of all connections, as each of them last said."""
        if self._open_writer is None or self._open_readers is None:
            return 0
        return self._open_writer.cached_bytes + self._open_readers.cached_bytes()

    def records(self) -> AbstractContextManager[Records]:
        """Everything there is, read beside whoever works on it, see `records`."""
        return records.records(self._directory, self._vfs)

    async def insert_task(self, task: Task) -> bool:
        """Keep a new task; False, and nothing kept, when its function already has one of this name."""
        size = len(task.payload) + len(task.result)
        return await self._writer.write(
            lambda cursor: writes.insert_task(cursor, task), size, starts_a_task=True, ends=_ends(task)
        )

    async def insert_tasks(self, tasks: Sequence[Task]) -> list[bool]:
        """Keep new tasks in one transaction; for each, whether it was kept."""
        size = sum(rows.ROW_BYTES + len(task.payload) + len(task.result) for task in tasks)
        return await self._writer.write(
            lambda cursor: [writes.insert_task(cursor, task) for task in tasks], size, starts_a_task=True
        )

    async def apply(self, epoch: int, task: Task, log: Log | None = None, delivery: Delivery | None = None) -> bool:
        """Replace the row of `task.id` if it still stands at `epoch`; `log` and `delivery` in the same transaction.

        What a task is submitted with (function, name, payload) stays as it was.
        """
        size = len(task.result) + (len(log.head) + len(log.tail) if log else 0)
        return await self._writer.write(
            lambda cursor: writes.apply_task(cursor, epoch, task, log, delivery), size, ends=_ends(task)
        )

    async def forget(self, ended_before: int, after: int, limit: int) -> Forgotten:
        """Forget tasks that ended before that moment, with all that is kept for them, see `forgetting`."""
        ids = await self._readers.run(lambda connection: forgetting.find(connection, ended_before, after, limit))
        if not ids:
            return Forgotten()
        return await self._writer.write(lambda cursor: forgetting.forget(cursor, ended_before, ids), can_wait=True)

    async def counts(self) -> Mapping[tuple[int, Status], int]:
        """How many tasks there are, by function and status."""
        return await self._readers.run(
            lambda connection: forgetting.counts(connection) | reader.open_counts(connection)
        )

    async def carry(self, operation: Operation, epoch: int, work: Work) -> tuple[Operation | None, list[int]]:
        """Do `work` for an operation that stands at `epoch`, and move it on, all in one transaction."""
        size = sum(len(task.payload) for task in work.inserts)
        return await self._writer.write(lambda cursor: steering.carry(cursor, operation, epoch, work), size)

    async def put_operation(self, operation: Operation, epoch: int) -> bool:
        """Create or replace an operation if it still stands at `epoch` (0: it must not exist yet)."""
        return await self._writer.write(lambda cursor: steering.put_operation(cursor, operation, epoch))

    async def drop_operation(self, operation_id: int) -> None:
        """Forget an operation."""
        await self._writer.write(lambda cursor: steering.drop_operation(cursor, operation_id))

    async def operations(self) -> Sequence[Operation]:
        """All operations of all accounts, oldest first."""
        return await self._readers.run(steering.operations)

    async def put_tags(self, task_id: int, tags: Mapping[str, str]) -> bool:
        """Give a task these tags in place of those it had; False when it is over, or not there."""
        return await self._writer.write(lambda cursor: steering.put_tags(cursor, task_id, tags))

    async def put_progress(self, progress: Progress) -> bool:
        """Keep what a task reports of itself; False when it does not run, or in another attempt."""
        size = len(progress.checkpoint)
        return await self._writer.write(lambda cursor: steering.put_progress(cursor, progress), size)

    async def progress(self, task_ids: Sequence[int]) -> list[Progress]:
        """What those tasks reported that did."""
        return await self._readers.run(lambda connection: steering.progress(connection, task_ids)) if task_ids else []

    async def task(self, task_id: int) -> Task | None:
        """The task of this id, bodies included."""
        return self._readers.task(task_id)

    async def task_named(self, function_id: int, name: str) -> Task | None:
        """The task of this caller-given name, bodies included."""
        return self._readers.task_named(function_id, name)

    async def page(self, query: TaskQuery) -> list[Task]:
        """At most `query.limit` tasks that match; fewer mean that there are no more."""
        return await self._readers.run(lambda connection: pages.page(connection, query))

    async def find(self, search: Search) -> Found:
        """A step of a search, see `finding`."""
        return await self._readers.run(lambda connection: finding.find(connection, search))

    async def open_tasks(self) -> AsyncIterator[Sequence[OpenTask]]:
        """Every task that is not over, in pieces, see `reader.open_tasks`."""
        async with aclosing(self._readers.open_tasks()) as found:
            async for chunk in found:
                yield chunk

    async def logs(self, task_id: int) -> list[Log]:
        """What the attempts of a task wrote, in order of attempts."""
        return await self._readers.run(lambda connection: reader.logs(connection, task_id))

    async def open_deliveries(self) -> AsyncIterator[Delivery]:
        """Every delivery that is not over, in the order of task ids."""
        async with aclosing(self._readers.open_deliveries()) as found:
            async for delivery in found:
                yield delivery

    async def deliveries(self, task_ids: Sequence[int]) -> list[Delivery]:
        """The deliveries of those tasks that have one."""
        if len(task_ids) == 1:
            return self._readers.deliveries(task_ids)
        return await self._readers.run(lambda connection: reader.deliveries(connection, task_ids)) if task_ids else []

    async def put_delivery(self, epoch: int, delivery: Delivery) -> bool:
        """Replace what may change of a delivery if its row still stands at `epoch`."""
        return await self._writer.write(lambda cursor: writes.put_delivery(cursor, epoch, delivery))

    async def put_function(self, function: Function, revision: int) -> Function | None:
        """Create or replace a function row if it still stands at `revision` (0: it must not exist yet)."""
        return await self._writer.write(lambda cursor: writes.put_function(cursor, function, revision))

    async def functions(self) -> Sequence[Function]:
        """All functions of all accounts, deleted ones included, in the order of account and name."""
        return await self._readers.run(reader.functions)

    async def put_account(self, account: Account, key: AccessKey) -> bool:
        """Keep a new account with its first key; False when either id is taken."""
        return await self._writer.write(lambda cursor: writes.put_account(cursor, account, key))

    async def accounts(self) -> Sequence[Account]:
        """All accounts, oldest first."""
        return await self._readers.run(reader.accounts)

    async def put_webhook_secret(self, account_id: str, before: str, secret: str) -> bool:
        """Give an account another webhook secret, if it still has `before`."""
        return await self._writer.write(lambda cursor: writes.put_webhook_secret(cursor, account_id, before, secret))

    async def access_keys(self) -> Sequence[AccessKey]:
        """All keys of all accounts."""
        return await self._readers.run(reader.access_keys)

    async def put_access_key(self, key: AccessKey) -> bool:
        """Keep another key of an account; False when its id is taken, or there is no such account."""
        return await self._writer.write(lambda cursor: writes.put_access_key(cursor, key))

    async def drop_access_keys(self, expired_before: int) -> None:
        """Forget the keys for a time whose time was over before that moment."""
        await self._writer.write(lambda cursor: writes.drop_access_keys(cursor, expired_before))

    async def put_access_token(self, token: AccessToken) -> None:
        """Keep another access token."""
        await self._writer.write(lambda cursor: writes.put_access_token(cursor, token))

    async def drop_access_token(self, token_id: str) -> None:
        """Forget an access token, if it is there."""
        await self._writer.write(lambda cursor: writes.drop_access_token(cursor, token_id))

    async def access_tokens(self) -> Sequence[AccessToken]:
        """All access tokens of all accounts, oldest first."""
        return await self._readers.run(reader.access_tokens)

    async def add_audit(self, entry: Entry) -> None:
        """Keep an entry of the audit trail."""
        await self._writer.write(lambda cursor: trails.add(cursor, entry))

    async def audit_page(self, account_id: str, before: int | None, limit: int) -> Sequence[Entry]:
        """The newest entries of an account, or the newest of those before a number."""
        return await self._readers.run(lambda connection: trails.page(connection, account_id, before, limit))

    async def put_service(self, service: Service, revision: int) -> bool:
        """Create or replace a service if it still stands at `revision` (0: it must not exist yet)."""
        return await self._writer.write(lambda cursor: writes.put_service(cursor, service, revision))

    async def services(self) -> Sequence[Service]:
        """All services of all accounts, deleted ones included, in the order of account and name."""
        return await self._readers.run(reader.services)

    async def put_trigger(self, trigger: Trigger, epoch: int) -> bool:
        """Create or replace a trigger of a function if it still stands at `epoch` (0: it must not exist yet)."""
        return await self._writer.write(lambda cursor: writes.put_trigger(cursor, trigger, epoch))

    async def drop_trigger(self, function_id: int, name: str, epoch: int) -> bool:
        """Forget a trigger if it still stands at `epoch`."""
        return await self._writer.write(lambda cursor: writes.drop_trigger(cursor, function_id, name, epoch))

    async def triggers(self) -> Sequence[Trigger]:
        """All triggers of all functions, in the order of function and name."""
        return await self._readers.run(reader.triggers)

    @property
    def _writer(self) -> Writer:
        if self._open_writer is None:
            raise StoreFailed(_CLOSED)
        return self._open_writer

    @property
    def _readers(self) -> Readers:
        if self._open_readers is None:
            raise StoreFailed(_CLOSED)
        return self._open_readers

    def _open(self) -> _Opened:
        check_library(apsw.sqlite_lib_version())
        prepare_directory(self._directory)
        self._lock.take()
        crashpoint("sqlite.directory.locked")
        connection: apsw.Connection | None = None
        try:
            connection = open_writer(self._directory, self._vfs)
            schema.migrate(connection)
            incarnation = schema.next_incarnation(connection)
            return _Opened(connection, Readers(self._directory, self._vfs), incarnation)
        except BaseException:
            if connection is not None:
                with suppress(apsw.Error):  # the disk that failed may fail this too
                    connection.close()
            self._lock.release()
            raise


def _ends(task: Task) -> tuple[int, int] | None:
    """What the end of a task is counted under; None while it is open."""
    return (task.function_id, rows.STATUS_CODES[task.status]) if task.over else None
