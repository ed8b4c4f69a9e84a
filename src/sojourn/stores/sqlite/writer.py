"""The one writer: a thread that owns the only connection that writes, and makes gathered changes durable together.

Theory of operation
    The loop hands over the changes of one turn together and waits for their futures. The thread takes up whatever has
    gathered while it was busy with the last commit, runs it in one transaction, and after the commit wakes the loop
    once for all of it. So there is no timer to choose: an idle server commits each change at once, a busy one commits
    hundreds per sync. Were each change handed over by itself, the first one of a turn would get a commit of its own
    while the loop still makes the others, and a commit costs as much CPU as thirty changes. Inside a
    batch what changes existing rows comes first, because it frees capacity, and new tasks come last, so that a flood of
    submits cannot hold back the ones that run. What can wait, such as deleting, gets a transaction between two batches.

    A change that fails by itself must not take others with it, and that is rare: the batch runs without savepoints, and
    only when a change in it fails is it rolled back and run again with each change in a savepoint of its own. A disk
    that is full or refuses a write fails the whole batch, and the next one is tried afresh. But after a failed sync the
    kernel may have dropped what it could not write and call the next sync a success: nothing can be promised any more,
    every later write is refused, and the process should end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import Counter, deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

import apsw

from sojourn.crashpoint import crashpoint
from sojourn.errors import StoreFailed

from . import forgetting
from .connection import BUSY_MILLISECONDS, cached_bytes

T = TypeVar("T")
Ends = tuple[int, int]

BATCH_WRITES_MAX = 2_000
BATCH_BYTES_MAX = 4 << 20
PATIENCE_BATCHES = 2
"""How often others go before a change that can wait, when there are always some."""
CHECKPOINT_PAGES_IDLE = 1_000
"""Copy the log back when it has grown by so much and nothing waits."""
CHECKPOINT_PAGES_BUSY = 4_000
"""Copy it back when it has grown by so much, even when something waits."""
CHECKPOINT_PAGES_FORCED = 12_000
"""From this length on wait for readers, because only without them the log can begin again at its start."""
CHECKPOINT_WAIT_MILLISECONDS = 30

_HARMLESS = (apsw.ConstraintError, apsw.MismatchError, apsw.RangeError, apsw.TooBigError, apsw.BindingsError)
"""What SQLite raises when the fault is in one change and not in the store."""
_FATAL = frozenset(
    {apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_DIR_FSYNC, apsw.SQLITE_IOERR_CORRUPTFS, apsw.SQLITE_IOERR_DATA}
)
"""Extended results after which nothing that this process writes can be trusted to last."""

_log = logging.getLogger(__name__)


class Write:
    """A change that waits for its commit: what to run, how large it is, and who wants to know.

    `ends` is the function and the status code of a task that is over once the change holds; `can_wait` puts it behind
    everything else.
    """

    __slots__ = ("answer", "can_wait", "ends", "error", "future", "run", "size_bytes", "starts_a_task")

    def __init__(
        self,
        run: Callable[[apsw.Cursor], Any],
        future: asyncio.Future[Any],
        size_bytes: int = 0,
        *,
        starts_a_task: bool = False,
        ends: Ends | None = None,
        can_wait: bool = False,
    ) -> None:
        self.run, self.future, self.size_bytes, self.starts_a_task = run, future, size_bytes, starts_a_task
        self.ends, self.can_wait = ends, can_wait
        self.answer: Any = None
        self.error: Exception | None = None


class Writer:
    """Runs changes on `connection`, which is its own from now on and is closed by `close`.

    Parameters
    ----------
    connection: the only connection that writes.
    loop: where callers wait.
    on_failed: called on the loop, once, when nothing can be written any more.

    """

    def __init__(
        self,
        connection: apsw.Connection,
        loop: asyncio.AbstractEventLoop,
        on_failed: Callable[[StoreFailed], None] | None = None,
    ) -> None:
        self._connection, self._loop, self._on_failed = connection, loop, on_failed
        self._cursor = connection.cursor()
        self._turn: list[Write] = []
        self._arrived: SimpleQueue[list[Write] | None] = SimpleQueue()
        self._changes: deque[Write] = deque()
        self._inserts: deque[Write] = deque()
        self._patient: deque[Write] = deque()
        self._passed_over = 0
        self._closing = self._last_seen = False
        self._log_pages = self._copied_pages = 0
        connection.set_wal_hook(self._note_log_pages)
        self.failed: StoreFailed | None = None
        self.cached_bytes = 0
        self._thread = threading.Thread(target=self._work, name="sojourn-writer", daemon=True)
        self._thread.start()

    async def write(
        self,
        run: Callable[[apsw.Cursor], T],
        size_bytes: int = 0,
        *,
        starts_a_task: bool = False,
        ends: Ends | None = None,
        can_wait: bool = False,
    ) -> T:
        """The answer of `run`, when what it did is durable.

        A caller that is cancelled learns nothing: its change may become durable all the same. One that `can_wait` is
        made in a transaction of its own, when nobody else waits or others have gone first often enough.

        Raises
        ------
        StoreFailed: it did not happen.

        """
        if self._closing:
            raise StoreFailed("the store is closed")
        future: asyncio.Future[T] = self._loop.create_future()
        if not self._turn:
            self._loop.call_soon(self._hand_over)
        self._turn.append(Write(run, future, size_bytes, starts_a_task=starts_a_task, ends=ends, can_wait=can_wait))
        return await future

    async def close(self) -> None:
        """Finish every change that was handed over, then close the connection."""
        if not self._closing:
            self._closing = True
            self._hand_over()
            self._arrived.put(None)
        await asyncio.to_thread(self._thread.join)

    def _hand_over(self) -> None:
        """Give the thread what this turn of the loop has to write."""
        turn, self._turn = self._turn, []
        if turn:
            self._arrived.put(turn)

    def _work(self) -> None:
        while self._gather():
            batch = self._next_batch()
            crashpoint("store.batch.gathered")
            self._settle(batch)
            with contextlib.suppress(RuntimeError):  # the loop is closed, nobody waits any more
                self._loop.call_soon_threadsafe(_acknowledge, batch)
            self._checkpoint()
            self.cached_bytes = cached_bytes(self._connection)
        crashpoint("sqlite.log.closing")
        with contextlib.suppress(apsw.Error):  # what was acknowledged is in the log already
            self._connection.close()

    def _gather(self) -> bool:
        """Take up what has arrived, waiting when there is nothing to do; False when there will be nothing more."""
        if not self._waiting:
            if self._last_seen:
                return False
            self._take(self._arrived.get())
        while not self._arrived.empty():
            self._take(self._arrived.get_nowait())
        return self._waiting

    @property
    def _waiting(self) -> bool:
        return bool(self._changes or self._inserts or self._patient)

    def _take(self, turn: list[Write] | None) -> None:
        if turn is None:
            self._last_seen = True
            return
        for write in turn:
            if write.can_wait:
                self._patient.append(write)
            elif write.starts_a_task:
                self._inserts.append(write)
            else:
                self._changes.append(write)

    def _next_batch(self) -> list[Write]:
        if self._patient and (self._passed_over >= PATIENCE_BATCHES or not (self._changes or self._inserts)):
            self._passed_over = 0
            return [self._patient.popleft()]
        self._passed_over += bool(self._patient)
        batch: list[Write] = []
        size = 0
        for waiting in (self._changes, self._inserts):
            while waiting and len(batch) < BATCH_WRITES_MAX and size < BATCH_BYTES_MAX:
                write = waiting.popleft()
                batch.append(write)
                size += write.size_bytes
        return batch

    def _settle(self, batch: list[Write]) -> None:
        """Commit the batch, or give each of its writes the error that it came to."""
        try:
            if self.failed is not None:
                raise self.failed  # noqa: TRY301 - one place answers for everything that fails
            if not self._transact(batch, _run_together):
                self._transact(batch, _run_apart)
        except Exception as error:  # noqa: BLE001 - whatever it is, callers must hear of it and the thread must live
            self._judge(error)
            for write in batch:
                write.error = _store_failed(error)

    def _transact(self, batch: list[Write], run: Callable[[apsw.Cursor, list[Write]], bool]) -> bool:
        """Run the batch in one transaction; False, and nothing done, when `run` says that it has to be run apart."""
        self._cursor.execute("BEGIN IMMEDIATE")
        crashpoint("store.transaction.begun")
        done = False
        try:
            if run(self._cursor, batch):
                crashpoint("store.commit.before")
                self._cursor.execute("COMMIT")
                done = True
                crashpoint("store.commit.after")
        finally:
            if not done and self._connection.in_transaction:
                self._cursor.execute("ROLLBACK")
        return done

    def _judge(self, error: Exception) -> None:
        """Decide whether anything can be written after `error`."""
        fatal = getattr(error, "extendedresult", 0) in _FATAL or isinstance(error, apsw.CorruptError | apsw.NotADBError)
        if error is self.failed or not fatal:
            return
        self.failed = _store_failed(error)
        _log.critical("the store takes no more writes, and the server must be restarted: %s", error)
        if self._on_failed is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._on_failed, self.failed)

    def _note_log_pages(self, _connection: apsw.Connection, _schema: str, pages: int) -> int:
        if pages < self._log_pages:  # the log began again
            self._copied_pages = 0
        self._log_pages = pages
        return apsw.SQLITE_OK

    def _checkpoint(self) -> None:
        """Copy the log back into the database file when it has grown: earlier while nothing waits."""
        idle = self._arrived.empty() and not self._waiting
        grown = self._log_pages - self._copied_pages
        if grown < (CHECKPOINT_PAGES_IDLE if idle else CHECKPOINT_PAGES_BUSY) or self.failed:
            return
        crashpoint("sqlite.log.copying")
        try:
            if self._log_pages < CHECKPOINT_PAGES_FORCED:
                self._copied_pages = self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)[1]
            else:
                self._restart_log()
        except apsw.Error as error:
            # The log keeps everything, so nothing is lost; a later commit tries again.
            self._copied_pages = self._log_pages
            _log.warning("the log could not be copied back into the database: %s", error)
            self._judge(error)
        crashpoint("sqlite.log.copied")

    def _restart_log(self) -> None:
        """Copy all of the log back and let it begin again, unless readers stay in it for longer than a moment."""
        self._connection.set_busy_timeout(CHECKPOINT_WAIT_MILLISECONDS)
        try:
            self._copied_pages = self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)[1]
        except apsw.BusyError:
            self._copied_pages = self._log_pages
        finally:
            self._connection.set_busy_timeout(BUSY_MILLISECONDS)


def _run_together(cursor: apsw.Cursor, batch: list[Write]) -> bool:
    """Run all; False at the first that fails by its own fault."""
    try:
        for write in batch:
            write.answer = write.run(cursor)
            crashpoint("store.change.made")
        _count_ends(cursor, batch)
    except Exception as error:
        if _is_store_fault(error):
            raise
        return False
    return True


def _run_apart(cursor: apsw.Cursor, batch: list[Write]) -> bool:
    """Run each so that its failure undoes only itself."""
    for write in batch:
        cursor.execute("SAVEPOINT change")
        try:
            write.answer = write.run(cursor)
        except Exception as error:
            if _is_store_fault(error):
                raise
            cursor.execute("ROLLBACK TO change")
            write.error = _store_failed(error)
        cursor.execute("RELEASE change")
    _count_ends(cursor, batch)
    return True


def _count_ends(cursor: apsw.Cursor, batch: list[Write]) -> None:
    """Keep the counts of tasks that are over, once for all that end in a batch."""
    ended = Counter(write.ends for write in batch if write.ends is not None and write.answer)
    if ended:
        forgetting.count(cursor, ended)


def _is_store_fault(error: Exception) -> bool:
    return isinstance(error, apsw.Error) and not isinstance(error, _HARMLESS)


def _store_failed(error: Exception) -> StoreFailed:
    """A fresh error for one caller: a shared one would gather the tracebacks of all."""
    failure = StoreFailed(str(error) if isinstance(error, StoreFailed) else f"the change is not durable: {error}")
    failure.__cause__ = error
    return failure


def _acknowledge(batch: list[Write]) -> None:
    crashpoint("store.commit.told")
    for write in batch:
        if write.future.done():  # its caller was cancelled
            continue
        if write.error is not None:
            write.future.set_exception(write.error)
        else:
            write.future.set_result(write.answer)
