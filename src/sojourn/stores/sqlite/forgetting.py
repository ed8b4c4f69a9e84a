"""How tasks that are over leave the database: which of them may, and everything that goes with them.

What may go is found by a reader, so that the writer has only to delete. It looks again while it does: a delivery may
have been asked for once more in between. Pages that become free are used by later tasks, so a database keeps its size
once it holds what its retention asks for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import apsw
import orjson

from sojourn.crashpoint import crashpoint
from sojourn.identity import number_at
from sojourn.store import Forgotten
from sojourn.task import Status

from . import rows

BYTES_MAX = 2 << 20
"""How much may lie beside the tasks that are deleted in one go: to free a page takes about as long as to write it."""

_MAY_GO = (
    "status >= 10 AND ended_at < :ended_before "
    "AND NOT EXISTS (SELECT 1 FROM delivery INDEXED BY delivery_open WHERE task_id = task.id AND delivery.status = 0)"
)
# The length of a body is told by the head of its row: its pages are not read.
_FIND = (
    "SELECT id, coalesce((SELECT length(body) FROM task_payload WHERE id = task.id), 0) "  # noqa: S608 - constant text
    "+ coalesce((SELECT length(body) FROM task_result WHERE id = task.id), 0) "
    "+ coalesce((SELECT sum(length(head) + length(tail)) FROM task_log WHERE task_id = task.id), 0) "
    f"FROM task WHERE id > :after AND id < :high AND {_MAY_GO} ORDER BY id LIMIT :limit"
)
_IDS = "(SELECT value FROM json_each(:ids))"
_DELETE = f"DELETE FROM task WHERE id IN {_IDS} AND {_MAY_GO} RETURNING id, function_id, status"  # noqa: S608 - as above
_DELETE_BESIDE = (
    f"DELETE FROM task_payload WHERE id IN {_IDS}",  # noqa: S608 - as above
    f"DELETE FROM task_result WHERE id IN {_IDS}",  # noqa: S608 - as above
    f"DELETE FROM task_log WHERE task_id IN {_IDS}",  # noqa: S608 - as above
    f"DELETE FROM delivery WHERE task_id IN {_IDS}",  # noqa: S608 - as above
)
_COUNT = (
    "INSERT INTO ended_count(function_id, status, tasks) VALUES (?, ?, ?) "
    "ON CONFLICT(function_id, status) DO UPDATE SET tasks = tasks + excluded.tasks"
)
_COUNTS = "SELECT function_id, status, tasks FROM ended_count WHERE tasks > 0"


def find(connection: apsw.Connection, ended_before: int, after: int, limit: int) -> list[int]:
    """The ids of tasks that may go, in order: at most `limit`, and at least one when there is one."""
    # An id is not made after its task, so none that ended before that moment has one of a later time; where a clock
    # was set back some do, and go when that time has come.
    values = {"after": after, "high": number_at(ended_before + 1_000), "ended_before": ended_before, "limit": limit}
    found: list[int] = []
    size = 0
    for task_id, beside in connection.execute(_FIND, values):
        size += beside
        if found and size > BYTES_MAX:
            break
        found.append(task_id)
    return found


def forget(cursor: apsw.Cursor, ended_before: int, ids: Sequence[int]) -> Forgotten:
    """Delete those of `ids`, which are in order and not empty, that may go."""
    values = {"ids": orjson.dumps(ids).decode(), "ended_before": ended_before}
    gone = list(cursor.execute(_DELETE, values))
    if gone:
        crashpoint("store.task.half_forgotten")
        beside = {"ids": orjson.dumps([row[0] for row in gone]).decode()}
        for text in _DELETE_BESIDE:
            cursor.execute(text, beside)
    counted = Counter((function_id, code) for _, function_id, code in gone)
    count(cursor, {key: -tasks for key, tasks in counted.items()})
    return Forgotten({(number, rows.STATUSES[code]): tasks for (number, code), tasks in counted.items()}, ids[-1])


def count(cursor: apsw.Cursor, ended: Mapping[tuple[int, int], int]) -> None:
    """Note that there are so many more tasks of a function and the code of a status."""
    for (function_id, code), tasks in ended.items():
        cursor.execute(_COUNT, (function_id, code, tasks))


def counts(connection: apsw.Connection) -> dict[tuple[int, Status], int]:
    """How many tasks that are over there are, by function and status."""
    return {(number, rows.STATUSES[code]): tasks for number, code, tasks in connection.execute(_COUNTS)}
