"""The store of a simulated server: real SQL on a database in memory, behind a disk that is slow, fails or is full.

Schema, statements and verbs are the SQLite store's own; what is simulated is the thread that commits. Between a change
and its answer lies what lies there on a real disk: a wait, the sync, the way back. A server can be killed on either
side of the sync, a batch can be refused as a whole, and a sync can fail so that nobody knows what is on the disk: then,
as in the product, nothing more is written until the next start.

The database outlives its servers. It tells what became durable by SQLite's own update hook, so nothing that is written
by whatever way escapes the observer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import apsw

from sojourn.destination import Delivery
from sojourn.errors import StoreFailed
from sojourn.store import Log, Records
from sojourn.stores.sqlite import reader, rows, schema, writer
from sojourn.stores.sqlite.records import SqliteRecords
from sojourn.stores.sqlite.store import SqliteStore
from sojourn.task import Task

from .chance import Chance

if TYPE_CHECKING:
    from .observer import Observer

T = TypeVar("T")

_TASK = f"SELECT {rows.COLUMNS} FROM task WHERE id = ?"  # noqa: S608 - constant text
_DELIVERY = f"SELECT {rows.DELIVERY_COLUMNS} FROM delivery WHERE task_id = ?"  # noqa: S608 - constant text
LATENCY_SECONDS = 0.0004
STRAIGHT_AWAY = 0.0001


class Database:
    """What is on the disk."""

    def __init__(self, observer: Observer) -> None:
        self.connection = apsw.Connection(":memory:")
        schema.migrate(self.connection)
        self._observer = observer
        self._touched: dict[tuple[str, int], None] = {}
        self.connection.set_update_hook(self._touch)

    def transact(self, batch: list[writer.Write], run: Callable[[apsw.Cursor, list[writer.Write]], bool]) -> bool:
        """Run a batch in one transaction and tell what it made durable; False, and nothing done, when `run` says so."""
        cursor = self.connection.cursor()
        self._touched.clear()
        cursor.execute("BEGIN IMMEDIATE")
        done = False
        try:
            if run(cursor, batch):
                cursor.execute("COMMIT")
                done = True
        finally:
            if not done and self.connection.in_transaction:
                cursor.execute("ROLLBACK")
        if done:
            self._tell()
        return done

    def _touch(self, _kind: int, _database: str, table: str, rowid: int) -> None:
        self._touched[table, rowid] = None

    def _tell(self) -> None:
        for table, rowid in self._touched:
            if table == "delivery":
                row = self.connection.execute(_DELIVERY, (rowid,)).fetchone()
                self._observer.delivery_durable(rows.delivery_of(row) if row else None, rowid)
        for table, rowid in self._touched:
            if table == "task":
                row = self.connection.execute(_TASK, (rowid,)).fetchone()
                self._observer.task_durable(rows.task_of(row) if row else None, rowid)


class Readers(reader.Readers):
    """The store's reading, on the one connection there is; what threads do elsewhere takes a moment here."""

    def __init__(self, database: Database, chance: Chance) -> None:
        self._own, self._chance = database.connection, chance

    async def run(self, read: Callable[[apsw.Connection], T]) -> T:
        """The answer of `read`."""
        await asyncio.sleep(STRAIGHT_AWAY)
        self._look()
        return read(self._own)

    def deliveries(self, task_ids: Any) -> list[Delivery]:
        """As the store does."""
        self._look()
        return super().deliveries(task_ids)

    async def close(self) -> None:
        """Nothing is its own."""

    async def _walk(
        self, read: Callable[[apsw.Connection], Iterator[Sequence[T]]]
    ) -> AsyncGenerator[Sequence[T], None]:
        self._look()
        found = [row for chunk in read(self._own) for row in chunk]
        for place in range(0, len(found), 8):
            await asyncio.sleep(STRAIGHT_AWAY)
            self._look()
            yield found[place : place + 8]

    def _one(self, text: str, values: tuple[int | str, ...]) -> Task | None:
        self._look()
        return super()._one(text, values)

    def _look(self) -> None:
        if self._chance.fault("disk: unreadable"):
            raise StoreFailed("the store cannot be read: simulated")


class Committer:
    """The writer without its thread: what has gathered is one transaction, changes before new tasks.

    `kill()` ends the server's process, `on_failed(error)` tells it that its disk is no good any more.
    """

    def __init__(
        self,
        database: Database,
        chance: Chance,
        kill: Callable[[], None],
        on_failed: Callable[[StoreFailed], None],
        busy: Callable[[], bool],
    ) -> None:
        self._database, self._chance, self._kill, self._on_failed = database, chance, kill, on_failed
        self._refuses = busy
        self._changes: list[writer.Write] = []
        self._inserts: list[writer.Write] = []
        self._working: asyncio.Task[None] | None = None
        self._closing = False
        self.failed: StoreFailed | None = None

    async def write(
        self,
        run: Callable[[apsw.Cursor], T],
        size_bytes: int = 0,
        *,
        starts_a_task: bool = False,
        ends: writer.Ends | None = None,
        can_wait: bool = False,
    ) -> T:
        """The answer of `run`, when what it did is durable; as the writer's."""
        if self._closing:
            raise StoreFailed("the store is closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        write = writer.Write(run, future, size_bytes, starts_a_task=starts_a_task, ends=ends, can_wait=can_wait)
        (self._inserts if starts_a_task else self._changes).append(write)
        if self._working is None or self._working.done():
            self._working = asyncio.get_running_loop().create_task(self._work())
        return await future

    async def close(self) -> None:
        """Finish what was handed over."""
        self._closing = True
        if self._working is not None:
            await asyncio.wait([self._working])

    async def _work(self) -> None:
        chance = self._chance
        while self._changes or self._inserts:
            seconds = LATENCY_SECONDS
            if chance.fault("disk: slow"):
                seconds = chance.spread("disk: slow for", 0.05, 30.0)
            await asyncio.sleep(seconds)
            batch, self._changes, self._inserts = self._changes + self._inserts, [], []
            await self._settle(batch)

    async def _settle(self, batch: list[writer.Write]) -> None:
        chance = self._chance
        if self.failed is not None or self._refuses() or chance.fault("disk: refused"):
            self._refuse(batch, "the change is not durable: simulated")
            return
        if chance.fault("disk: killed before commit"):
            await self._die()
        if chance.fault("disk: sync failed"):
            if chance.coin("disk: it is there all the same"):
                self._run(batch)
            self.failed = StoreFailed("the disk failed: simulated")
            self._refuse(batch, str(self.failed))
            self._on_failed(self.failed)
            return
        self._run(batch)
        if chance.fault("disk: killed after commit"):
            await self._die()
        await asyncio.sleep(
            chance.between("disk: late by", 0.01, 2.0) if chance.fault("disk: answer late") else STRAIGHT_AWAY
        )
        writer._acknowledge(batch)  # noqa: SLF001 - the writer's own way, without its thread

    def _run(self, batch: list[writer.Write]) -> None:
        if not self._database.transact(batch, writer._run_together):  # noqa: SLF001 - as above
            self._database.transact(batch, writer._run_apart)  # noqa: SLF001 - as above

    async def _die(self) -> None:
        self._kill()
        await asyncio.get_running_loop().create_future()  # never

    @staticmethod
    def _refuse(batch: list[writer.Write], why: str) -> None:
        for write in batch:
            if not write.future.done():
                write.future.set_exception(StoreFailed(why))


class SimStore(SqliteStore):
    """A server's store on a database that is there already."""

    def __init__(
        self,
        database: Database,
        chance: Chance,
        observer: Observer,
        *,
        kill: Callable[[], None],
        on_failed: Callable[[StoreFailed], None],
        refuses: Callable[[], bool],
    ) -> None:
        self._database, self._observer = database, observer
        self._committer = Committer(database, chance, kill, on_failed, refuses)
        self._readers_of_start = Readers(database, chance)
        self._open_writer = None
        self._open_readers = None

    async def open(self) -> int:
        """Count one more start."""
        await asyncio.sleep(STRAIGHT_AWAY)
        self._open_readers = self._readers_of_start
        self._open_writer = self._committer  # type: ignore[assignment]  # it is one, without the thread
        return schema.next_incarnation(self._database.connection)

    async def close(self) -> None:
        """Finish what was begun."""
        await self._committer.close()
        self._open_readers = None

    @contextmanager
    def _records(self) -> Iterator[Records]:
        yield SqliteRecords(self._database.connection)

    def records(self) -> AbstractContextManager[Records]:
        """Everything there is."""
        return self._records()

    async def apply(self, epoch: int, task: Task, log: Log | None = None, delivery: Delivery | None = None) -> bool:
        """As the store does; the observer hears that it was asked for."""
        self._observer.asked(epoch, task, delivery)
        return await super().apply(epoch, task, log, delivery)
