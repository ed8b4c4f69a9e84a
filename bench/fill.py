"""A database that looks as if a server had worked on it for long, made at the level of rows: 50,000 a second and more.

Every row is one that the product could have written, history and counts included: `sojourn verify` finds nothing; only
what tasks wrote to their logs is not there. The database must exist, with the function whose tasks these are, and no
server may work on it meanwhile.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import apsw
import msgspec

from sojourn.history import append_event
from sojourn.identity import Numbers
from sojourn.stores.sqlite import forgetting, rows, schema, writes
from sojourn.stores.sqlite.connection import FILE_NAME
from sojourn.task import Status, Task

CHUNK = 20_000
MILLISECOND = 1_000
CACHE_KIB = 256 * 1024


class Mix(msgspec.Struct, frozen=True, kw_only=True):
    """What the tasks are like.

    They are spread evenly over `span_seconds` before `until` (microseconds since 1970). `ends` are the statuses that
    tasks come to, by weight; Enqueued among them makes a backlog. A share of `named` has a name of the caller's, which
    begins with a word and goes on with a number. `payload_bytes` and `result_bytes` are what each carries.
    """

    until: int
    span_seconds: float = 86_400.0
    ends: Mapping[Status, float] = MappingProxyType({Status.SUCCEEDED: 0.98, Status.FAILED: 0.01, Status.STOPPED: 0.01})
    named: float = 0.1
    words: tuple[str, ...] = ("order", "mail", "report", "invoice")
    payload_bytes: int = 200
    result_bytes: int = 100


class Owner(NamedTuple):
    """Whose tasks they are: the function's row."""

    account_id: str
    function_id: int
    generation: int


def fill(directory: Path, tasks: int, mix: Mix, *, function: str, seed: int = 1) -> None:
    """Put `tasks` more tasks into the database in `directory`, of the one function that is called `function`.

    Raises
    ------
    apsw.Error: there is no database, or it cannot be written.
    LookupError: there is no such function.

    """
    connection = apsw.Connection(str(directory / FILE_NAME), apsw.SQLITE_OPEN_READWRITE)
    try:
        schema.migrate(connection)
        connection.pragma("synchronous", "OFF")
        connection.pragma("cache_size", -CACHE_KIB)
        found = "SELECT account_id, id, generation FROM function WHERE name = ?"
        owner = next((Owner(*row) for row in connection.execute(found, (function,))), None)
        if owner is None:
            raise LookupError(f"there is no function {function!r} in {directory}")
        made = rows_of(tasks, mix, owner, random.Random(seed))
        ended: Counter[tuple[int, int]] = Counter()
        while chunk := list(islice(made, CHUNK)):
            ended.update((row[_FUNCTION], row[_STATUS]) for row in chunk if row[_STATUS] >= 10)
            with connection:
                connection.executemany(writes.INSERT_TASK, chunk)
        with connection:
            forgetting.count(connection.cursor(), ended)
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    finally:
        connection.close()


def rows_of(tasks: int, mix: Mix, owner: Owner, chance: random.Random) -> Iterator[tuple[Any, ...]]:
    """Rows as a store inserts them, in the order of their ids."""
    numbers = Numbers()
    shapes = {status: _shape(status, mix, owner) for status in mix.ends}
    statuses = chance.choices(list(mix.ends), list(mix.ends.values()), k=min(tasks, 9_973))  # a prime: no pattern
    begin, step = mix.until - int(mix.span_seconds * 1_000_000), mix.span_seconds * 1_000_000 / max(tasks, 1)
    for place in range(tasks):
        at = begin + int(place * step)
        status = statuses[place % len(statuses)]
        row = list(shapes[status])
        row[0] = numbers.next(at)
        if chance.random() < mix.named:
            row[_NAME] = f"{mix.words[place % len(mix.words)]}-{chance.getrandbits(40):010x}-{place}"
        for column in _TIMES:
            if row[column]:
                row[column] += at
        row[_CREATED] = at
        row[_HISTORY] = _history(status, at)
        yield tuple(row)


_COLUMNS = rows.INSERT_COLUMNS.split(", ")
_FUNCTION, _NAME, _STATUS, _CREATED, _HISTORY = map(
    _COLUMNS.index, ("function_id", "name", "status", "created_at", "history")
)
_TIMES = [_COLUMNS.index(name) for name in ("due_at", "expires_at", "started_at", "ended_at")]
_PATHS = {
    Status.ENQUEUED: (),
    Status.SUCCEEDED: (Status.DEQUEUED, Status.RUNNING, Status.SUCCEEDED),
    Status.FAILED: (Status.DEQUEUED, Status.RUNNING, Status.FAILED),
    Status.STOPPED: (Status.STOPPING, Status.STOPPED),
    Status.EXPIRED: (Status.DEQUEUED, Status.EXPIRED),
    Status.INVALID: (Status.DEQUEUED, Status.INVALID),
}
"""What follows Enqueued."""


def _shape(status: Status, mix: Mix, owner: Owner) -> tuple[Any, ...]:
    """The row of a task of that status, with times that count from the moment of its submission."""
    path = _PATHS[status]
    over = status is not Status.ENQUEUED
    ran = Status.RUNNING in path
    return rows.insert_values(
        Task(
            id=0,
            account_id=owner.account_id,
            function_id=owner.function_id,
            generation=owner.generation,
            qualifier="LATEST",
            status=status,
            epoch=1 + len(path),
            attempts=int(ran),
            due_at=0 if over else 1,
            expires_at=86_400_000_000,
            created_at=0,
            started_at=2 * MILLISECOND if ran else 0,
            ended_at=len(path) * MILLISECOND,
            retries_max=0 if over else 3,
            instance_id="c-0123456789abcdef" if ran else "",
            error="UnhandledInvocationError" if status is Status.FAILED else "",
            payload=b"p" * mix.payload_bytes,
            result=b"r" * mix.result_bytes if status is Status.SUCCEEDED else b"",
        )
    )


def _history(status: Status, at: int) -> bytes:
    """Of a task that was submitted at that time: a millisecond from one event to the next."""
    history = append_event(b"", Status.ENQUEUED.value, at)
    for place, each in enumerate(_PATHS[status], 1):
        history = append_event(history, each.value, at + place * MILLISECOND)
    return history
