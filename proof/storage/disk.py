"""A disk between SQLite and the real one: it writes down everything, and it can fail at a chosen call.

What was written since a file's last sync may be lost by a loss of power, in part and in any order; what a sync covered
may not. The log that is kept here is what `images` makes such losses of. Names of files are their last components.
"""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import PurePath
from typing import Any, NamedTuple

import apsw

OPEN, READ, WRITE, TRUNCATE, SYNC, DELETE = "open", "read", "write", "truncate", "sync", "delete"
SYNC_FAILED = "failed sync"


class Op(NamedTuple):
    """One call: `size` is the new length of a truncate, and 1 for a delete that is durable when it returns."""

    kind: str
    file: str
    offset: int = 0
    data: bytes = b""
    size: int = 0


class Failure(NamedTuple):
    """Which call fails, and how: the `at`-th of `kind`, or every one from there on when `lasting`."""

    kind: str
    at: int
    code: int
    lasting: bool = False


ERRORS: dict[int, type[apsw.Error]] = {apsw.SQLITE_FULL: apsw.FullError, apsw.SQLITE_CANTOPEN: apsw.CantOpenError}


class Disk(apsw.VFS):
    """A file layer for SQLite, registered as `name` until `unregister`.

    Parameters
    ----------
    name: unique in this process.
    lying: calls every sync done and does not take it for one.

    """

    def __init__(self, name: str, *, lying: bool = False) -> None:
        self.name, self.lying = name, lying
        self.ops: list[Op] = []
        self.calls: Counter[str] = Counter()
        self.failed = 0
        self._failure: Failure | None = None
        self._lock = threading.Lock()
        super().__init__(name, "")

    def fail(self, failure: Failure | None) -> None:
        """Count calls from now on, and let one of them fail; None lets none fail any more."""
        with self._lock:
            self.calls.clear()
            self._failure = failure

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        """Open a file that tells this disk what is done to it."""
        self.ask(OPEN, apsw.SQLITE_CANTOPEN)
        text = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        return _File(self, PurePath(text).name, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802, FBT001 - SQLite's name and form
        """Delete a file, and perhaps its entry for good."""
        self.ask(DELETE, apsw.SQLITE_IOERR_DELETE)
        super().xDelete(filename, syncdir)
        self.note(Op(DELETE, PurePath(filename).name, size=int(syncdir and not self.lying)))

    def note(self, op: Op) -> None:
        """Write down what was done."""
        with self._lock:
            self.ops.append(op)

    def ask(self, kind: str, code: int) -> None:
        """Count a call, and fail it when it is its turn; the planted code wins over `code`."""
        with self._lock:
            self.calls[kind] += 1
            planted, count = self._failure, self.calls[kind]
            if planted is None or planted.kind != kind or count < planted.at:
                return
            if count > planted.at and not planted.lasting:
                return
            self.failed += 1
        result = planted.code or code
        error = ERRORS.get(result & 0xFF, apsw.IOError)(f"planted at {kind} {count}")
        error.extendedresult = result  # type: ignore[attr-defined]  # how apsw is told it
        raise error


class _File(apsw.VFSFile):
    """A file of a `Disk`."""

    def __init__(self, disk: Disk, file: str, name: Any, flags: list[int]) -> None:
        self._disk, self._file = disk, file
        super().__init__("", name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 - SQLite's name
        """Read."""
        self._disk.ask(READ, apsw.SQLITE_IOERR_READ)
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        """Write, which is not durable yet."""
        self._disk.ask(WRITE, apsw.SQLITE_FULL)
        super().xWrite(data, offset)
        self._disk.note(Op(WRITE, self._file, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        """Truncate, which is not durable yet."""
        self._disk.ask(TRUNCATE, apsw.SQLITE_IOERR_TRUNCATE)
        super().xTruncate(newsize)
        self._disk.note(Op(TRUNCATE, self._file, size=newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        """Make all that was written to this file durable, in the log: the real file needs no sync."""
        del flags
        try:
            self._disk.ask(SYNC, apsw.SQLITE_IOERR_FSYNC)
        except apsw.Error:
            self._disk.note(Op(SYNC_FAILED, self._file))
            raise
        if not self._disk.lying:
            self._disk.note(Op(SYNC, self._file))
