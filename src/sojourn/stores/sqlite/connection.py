"""How the database file is opened: who may read it, what is synced when, how much memory a connection may use."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import apsw

from sojourn.crashpoint import crashpoint
from sojourn.errors import StoreFailed

FILE_NAME = "sojourn.db"
SQLITE_VERSION_MIN = (3, 51, 3)
"""Older ones can lose committed transactions in WAL mode (sqlite.org/wal.html, "the WAL-reset bug")."""
BUSY_MILLISECONDS = 5_000
"""How long to wait for a foreign program that holds the file, such as an administrator's shell."""
WRITER_CACHE_KIB = 32 * 1024
READER_CACHE_KIB = 4 * 1024
WAL_FILE_BYTES_MAX = 32 << 20
"""What is left of a longer log after it was copied back."""


def check_library(version: str) -> None:
    """Refuse a SQLite library of `version` that can lose what it acknowledged.

    Raises
    ------
    StoreFailed: it is too old.

    """
    if tuple(int(part) for part in version.split(".")[:3]) < SQLITE_VERSION_MIN:
        needed = ".".join(map(str, SQLITE_VERSION_MIN))
        raise StoreFailed(
            f"SQLite {version} can lose committed changes (the WAL-reset bug), {needed} or newer is needed: "
            f"install apsw {needed} or newer, which brings its own"
        )


def prepare_directory(directory: Path) -> None:
    """Make the data directory, for its owner only; one that exists keeps its mode."""
    if not directory.is_dir():
        directory.mkdir(mode=0o700, parents=True)
        _sync_directory(directory.parent)


def open_writer(directory: Path, vfs: str | None = None) -> apsw.Connection:
    """The connection that writes: every commit is on disk before it returns, and checkpoints are left to the caller.

    Parameters
    ----------
    directory: the data directory, which exists.
    vfs: the name of the file layer to use, None for SQLite's own.

    """
    path = directory / FILE_NAME
    # SQLite gives its other files the mode of this one.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)
    crashpoint("sqlite.file.created")
    connection = apsw.Connection(str(path), vfs=vfs)
    try:
        connection.set_busy_timeout(BUSY_MILLISECONDS)
        # Only an empty file takes this; retention gives pages back without rewriting the file.
        connection.pragma("auto_vacuum", "INCREMENTAL")
        connection.pragma("journal_mode", "WAL")
        connection.pragma("synchronous", "FULL")
        connection.pragma("wal_autocheckpoint", 0)
        connection.pragma("journal_size_limit", WAL_FILE_BYTES_MAX)
        connection.pragma("cache_size", -WRITER_CACHE_KIB)
        crashpoint("sqlite.file.configured")
        _sync_directory(directory)
    except BaseException:
        with contextlib.suppress(apsw.Error):  # the disk that failed may fail this too
            connection.close()
        raise
    return connection


def open_reader(directory: Path, vfs: str | None = None) -> apsw.Connection:
    """A connection that can only read, and never copies the log back."""
    connection = apsw.Connection(str(directory / FILE_NAME), vfs=vfs)
    try:
        connection.set_busy_timeout(BUSY_MILLISECONDS)
        connection.pragma("query_only", 1)
        connection.pragma("wal_autocheckpoint", 0)
        connection.pragma("cache_size", -READER_CACHE_KIB)
    except BaseException:
        connection.close()
        raise
    return connection


def cached_bytes(connection: apsw.Connection) -> int:
    """How much memory the pages take that a connection keeps; asked on the thread that uses it."""
    return connection.status(apsw.SQLITE_DBSTATUS_CACHE_USED)[0]


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
