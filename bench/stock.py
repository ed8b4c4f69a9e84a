"""Stores that already hold very many tasks: how they come about in a minute instead of in hours.

A server runs a few tasks for real: one that succeeds, one that fails, one with a name of its own, one that waits. Then,
with the server ended, their rows are copied within the database, each copy with an id, a name and times of its own. So
a copy is what the product wrote, in whatever layout it has now; only the stamps inside its history are those of the
template. What the product makes of such a store is left to `groups`.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, Self

import apsw

from sojourn import identity

from . import wire
from .failure import NotMeasured
from .options import Options
from .served import ALONE, Served
from .wire import Line

FILE_NAME = "sojourn.db"
FUNCTION = "stock"
PAYLOAD = (b"0123456789abcdef" * 7)[:100]
BYTES_MAX_EACH = 1_500
"""Of a finished task, indexes and free pages included."""
CHUNK_TASKS = 100_000
MARGIN_SECONDS = 120
"""The youngest copy is this old."""
WAIT_SECONDS_MAX = 60.0
DELAY_SECONDS = 3_000
FAILED_OF, NAMED_OF = 20, 20
"""One of so many has failed, one of so many has a name of its own."""
SHIFT = identity.NODE_BITS + identity.SEQUENCE_BITS


class Templates:
    """The ids of the tasks that are copied: ended ones by kind, or one that waits."""

    def __init__(self, plain: int, failed: int, named: int) -> None:
        self.plain, self.failed, self.named = plain, failed, named


class Stock(NamedTuple):
    """A filled store: the home of its server, and when the first of its copies was made, in the project's epoch."""

    home: Path
    first_ms: int
    size: int

    @property
    def ids(self) -> tuple[int, int]:
        """The lowest and the highest id of the copies."""
        return self.first_ms << SHIFT, (self.first_ms + self.size - 1) << SHIFT

    def identifiers(self, part: float) -> str:
        """What the request ids begin with that were made within the second at that part of the store, 0 to 1."""
        return identity.request_id(int(self.first_ms + self.size * part) << SHIFT)[:10]

    def made_at_ms(self, part: float) -> int:
        """When the task at that part of the store was made, in milliseconds since 1970."""
        return int(self.first_ms + self.size * part) + identity.EPOCH_MS


class Stocks:
    """The filled stores of a run, each made when it is first asked for and removed with the run; use it in a `with`.

    Parameters
    ----------
    options: where, and in which sandbox.
    say: told what is being made.

    """

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        self._options, self._say = options, say
        self._stocks: dict[int, Stock] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def finished(self, count: int) -> Stock:
        """A store with `count` tasks of the function `stock` that are over.

        Raises
        ------
        NotMeasured: the disk has no room for them, or they cannot be made.

        """
        if count not in self._stocks:
            self._stocks[count] = self.filled(count)
        return self._stocks[count]

    def filled(self, count: int) -> Stock:
        """The same, but a new one each time."""
        home = self._new_home(count)
        with Served(self._options.directory, self._options.sandbox, ALONE, home) as served:
            served.deploy(FUNCTION, retries=0)
            templates = _ended(served)
        return Stock(home, fill(home / "data" / FILE_NAME, templates, count, self._say), count)

    def queued(self, count: int) -> Path:
        """The home of a server with `count` tasks of the function `stock` that wait and are due; a new one each time.

        Raises
        ------
        NotMeasured: as above.

        """
        home = self._new_home(count)
        with Served(self._options.directory, self._options.sandbox, ALONE, home) as served:
            served.deploy(FUNCTION, retries=0)
            waiting = _submitted(served, b"", {"x-fc-async-delay": str(DELAY_SECONDS)})
        fill(home / "data" / FILE_NAME, Templates(waiting, waiting, waiting), count, self._say, delay=DELAY_SECONDS)
        return home

    def _new_home(self, count: int) -> Path:
        free = shutil.disk_usage(self._options.directory).free
        if free < count * BYTES_MAX_EACH:
            raise NotMeasured(
                f"{count:,} tasks may need {count * BYTES_MAX_EACH >> 20:,} MiB, {self._options.directory} has "
                f"{free >> 20:,}: use --store-tasks or --dir"
            )
        place = tempfile.TemporaryDirectory(prefix="sojourn-bench-stock-", dir=self._options.directory)
        return Path(self._stack.enter_context(place))


def fill(path: Path, templates: Templates, count: int, say: Callable[[str], None], delay: int = 0) -> int:
    """Copy the templates' rows in the database at `path`, which no server works on, until there are `count` more.

    The youngest copy is two minutes old and they are a millisecond apart. Copies of a task that waits for `delay`
    seconds are due when they were made. Returns when the first one was made, in milliseconds of the project's epoch.

    Raises
    ------
    NotMeasured: the layout of the database is not what is known here.

    """
    first_ms = int(time.time() * 1000) - identity.EPOCH_MS - count - MARGIN_SECONDS * 1000
    connection = apsw.Connection(str(path))
    try:
        # The store is made anew when anything goes wrong, so nothing is synced and nothing can be rolled back.
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -262144", "locking_mode = EXCLUSIVE"):
            connection.execute(f"PRAGMA {pragma}")
        statements = _statements(connection, templates)
        for begin in range(0, count, CHUNK_TASKS):
            if count > CHUNK_TASKS and begin % (CHUNK_TASKS * 10) == 0:
                say(f"filling a store: {begin:,} of {count:,} tasks")
            values = {
                "begin": begin,
                "end": min(begin + CHUNK_TASKS, count),
                "first": first_ms,
                "plain": templates.plain,
                "failed": templates.failed,
                "named": templates.named,
                "delay": delay * 1_000_000,
            }
            with connection:
                for statement in statements:
                    connection.execute(statement, values)
        if _columns(connection, "ended_count"):
            connection.execute(_COUNT)
        connection.pragma("locking_mode", "NORMAL")
        connection.pragma("journal_mode", "WAL")
    except apsw.Error as error:
        raise NotMeasured(f"the store cannot be filled: {type(error).__name__}: {error}") from error
    finally:
        connection.close()
    return first_ms


_COPIES = f"""
WITH RECURSIVE copy(i) AS (SELECT :begin UNION ALL SELECT i + 1 FROM copy WHERE i + 1 < :end),
of(i, id, at, template) AS (
  SELECT i, (:first + i) << {SHIFT}, (:first + i + {identity.EPOCH_MS}) * 1000,
         CASE WHEN i % {FAILED_OF} = 7 THEN :failed WHEN i % {NAMED_OF} = 13 THEN :named ELSE :plain END
  FROM copy WHERE i < :end
)"""  # noqa: S608 - constants
"""The copies of one chunk: number, id, microseconds at which it was made, and whose copy it is."""
_COUNT = (
    "INSERT OR REPLACE INTO ended_count(function_id, status, tasks) "
    "SELECT function_id, status, count(*) FROM task WHERE status >= 10 GROUP BY function_id, status"
)
"""The server keeps count of ended tasks where it has retention."""
_VALUES = {
    "id": "of.id",
    "name": "CASE WHEN task.name IS NULL THEN NULL ELSE printf('named-%09d', of.i) END",
    "created_at": "of.at",
    "due_at": "of.at + task.due_at - task.created_at - :delay",
    "expires_at": "of.at + task.expires_at - task.created_at",
    "started_at": "CASE WHEN task.started_at > 0 THEN of.at + task.started_at - task.created_at ELSE 0 END",
    "ended_at": "CASE WHEN task.ended_at > 0 THEN of.at + task.ended_at - task.created_at ELSE 0 END",
}
"""What of a copy differs from its template."""


def _statements(connection: apsw.Connection, templates: Templates) -> list[str]:
    """What copies one chunk: the tasks, and what lies beside a template, if anything does."""
    columns = _columns(connection, "task")
    if not _VALUES.keys() <= set(columns):
        raise NotMeasured(f"the table of tasks lacks {', '.join(_VALUES.keys() - set(columns))}")
    found = [_copying("task", columns, _VALUES, "task.id")]
    beside = [("task_log", "task_id"), ("task_payload", "id"), ("task_result", "id")]
    ids = f"({templates.plain}, {templates.failed}, {templates.named})"
    for table, key in beside:
        columns = _columns(connection, table)
        if columns and connection.execute(f"SELECT count(*) FROM {table} WHERE {key} IN {ids}").get:  # noqa: S608 - constants
            found.append(_copying(table, columns, {key: "of.id"}, f"{table}.{key}"))
    return found


def _copying(table: str, columns: list[str], values: dict[str, str], key: str) -> str:
    selected = ", ".join(values.get(column, f"{table}.{column}") for column in columns)
    return (
        f"{_COPIES} INSERT INTO {table}({', '.join(columns)}) "  # noqa: S608 - names out of the schema
        f"SELECT {selected} FROM of CROSS JOIN {table} ON {key} = of.template ORDER BY of.i"
    )


def _columns(connection: apsw.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def _ended(served: Served) -> Templates:
    served.client.invoke(FUNCTION, PAYLOAD)  # so that no template waits for its sandbox
    plain = _submitted(served, PAYLOAD, {})
    failed = _submitted(served, b"fail", {})
    named = _submitted(served, PAYLOAD, {"x-fc-async-task-id": "named"})
    for task_id in (identity.request_id(plain), identity.request_id(failed), "named"):
        served.client.wait(FUNCTION, task_id, timeout=WAIT_SECONDS_MAX)
    return Templates(plain, failed, named)


def _submitted(served: Served, payload: bytes, headers: dict[str, str]) -> int:
    """The number of a task that was just submitted."""
    line = Line(served.target())
    path = f"/{wire.VERSION}/functions/{FUNCTION}/invocations"
    given = {"x-acs-action": "InvokeFunction", "x-fc-invocation-type": "Async", **headers}
    answer = line.exchange(wire.request(served.target(), "POST", path, given, payload))
    line.close()
    number = identity.number_of(answer.headers.get(b"x-fc-request-id", b"").decode())
    if answer.status != 202 or number is None:
        raise NotMeasured(f"a submit was answered {answer.status} {answer.body[:200]!r}")
    return number
