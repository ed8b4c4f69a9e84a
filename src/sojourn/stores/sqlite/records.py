"""Everything in a database at one moment, read beside its server or from a copy, without a lock and without a trace.

A database that a server works on has a log, and is read like any other reader would. One that nobody works on has none,
and opening it in the ordinary way would make one: it is read as a file that does not change. Should a server begin in
between, its log says so and the reading has to be done again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import apsw

from sojourn.errors import SchemaTooNew, StoreFailed
from sojourn.function import Function
from sojourn.store import Stray
from sojourn.task import Task

from . import reader, rows, schema
from .connection import BUSY_MILLISECONDS, FILE_NAME

CACHE_KIB = 256
"""Each row is read once, in order: more makes no audit faster, and the thread that ran it keeps the memory."""
_TASKS = f"SELECT {rows.COLUMNS_WITHOUT_BODIES} FROM task ORDER BY id"  # noqa: S608 - constant text
_INCARNATION = "SELECT value FROM meta WHERE key = 'incarnation'"
_STRAYS = """
    SELECT 'log', l.task_id, 'of attempt ' || l.attempt || ' of a task that is not there'
        FROM task_log AS l LEFT JOIN task AS t ON t.id = l.task_id WHERE t.id IS NULL
    UNION ALL
    SELECT 'log', l.task_id, 'of attempt ' || l.attempt || ', the task had ' || t.attempts
        FROM task_log AS l JOIN task AS t ON t.id = l.task_id WHERE l.attempt NOT BETWEEN 1 AND t.attempts
    UNION ALL
    SELECT 'result', r.id, 'of a task that is not there, or that has another one'
        FROM task_result AS r LEFT JOIN task AS t ON t.id = r.id WHERE t.id IS NULL OR t.result IS NOT NULL
    UNION ALL
    SELECT 'payload', p.id, 'of a task that is not there, or that has another one'
        FROM task_payload AS p LEFT JOIN task AS t ON t.id = p.id WHERE t.id IS NULL OR t.payload IS NOT NULL
    UNION ALL
    SELECT 'result', id, 'that should lie beside the task is not there' FROM task
        WHERE result IS NULL AND NOT EXISTS (SELECT 1 FROM task_result WHERE task_result.id = task.id)
    UNION ALL
    SELECT 'payload', id, 'that should lie beside the task is not there' FROM task
        WHERE payload IS NULL AND NOT EXISTS (SELECT 1 FROM task_payload WHERE task_payload.id = task.id)
    UNION ALL
    SELECT 'delivery', d.task_id, 'of a task that is not over, or not there'
        FROM delivery AS d LEFT JOIN task AS t ON t.id = d.task_id WHERE t.id IS NULL OR t.status < 10
    UNION ALL
    SELECT 'delivery', d.task_id, 'of another function or account than its task'
        FROM delivery AS d JOIN task AS t ON t.id = d.task_id
        WHERE d.function_id <> t.function_id OR d.account_id <> t.account_id
    UNION ALL
    SELECT 'delivery', task_id, 'that ' || iif(status = 0, 'is open, and ended', 'is over, and did not end')
        FROM delivery WHERE (status = 0) <> (ended_at = 0)
"""


class SqliteRecords:
    """What one read transaction on `connection` sees."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def incarnation(self) -> int:
        """How many starts of a server there were."""
        return int(self._connection.execute(_INCARNATION).get or 0)

    def functions(self) -> Iterator[Function]:
        """All functions of all accounts."""
        yield from reader.functions(self._connection)

    def tasks(self) -> Iterator[Task]:
        """All tasks, without bodies."""
        return (rows.task_of(row) for row in self._connection.execute(_TASKS))

    def strays(self) -> Iterator[Stray]:
        """Logs and bodies that belong to nobody, and bodies that are missing."""
        return (Stray(kind, task_id, text) for kind, task_id, text in self._connection.execute(_STRAYS))


@contextmanager
def records(directory: Path, vfs: str | None = None) -> Iterator[SqliteRecords]:
    """The records in `directory`.

    Raises
    ------
    StoreFailed: there is no database of this version, or it cannot be read.
    SchemaTooNew: a newer version wrote it.

    """
    path = (directory / FILE_NAME).absolute()
    if not path.is_file():
        raise StoreFailed(f"there is no database in {directory}")
    log = path.with_name(f"{FILE_NAME}-wal")
    still = not log.exists()
    name = f"file:{quote(str(path))}?mode=ro{'&immutable=1' if still else ''}"
    try:
        connection = apsw.Connection(name, apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI, vfs=vfs)
        try:
            connection.set_busy_timeout(BUSY_MILLISECONDS)
            connection.pragma("cache_size", -CACHE_KIB)
            connection.execute("BEGIN")
            _check_version(schema.version_of(connection), directory)
            yield SqliteRecords(connection)
        finally:
            connection.close(force=True)
    except apsw.Error as error:
        raise StoreFailed(f"the database in {directory} cannot be read: {error}") from error
    if still and log.exists():
        raise StoreFailed(f"a server began to work in {directory} meanwhile: try again")


def _check_version(found: int, directory: Path) -> None:
    known = max(schema.migrations())
    if found > known:
        raise SchemaTooNew(found, known)
    if found < known:
        raise StoreFailed(f"the database in {directory} has schema {found}, a start of the server brings it to {known}")
