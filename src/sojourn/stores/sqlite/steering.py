"""What steering many tasks, and what tasks report of themselves, do to the tables.

Every function that writes runs inside the writer's transaction, as those of `writes`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import apsw
import msgspec
import orjson

from sojourn.bulk import Operation
from sojourn.progress import Progress
from sojourn.store import Work

from . import forgetting, rows, writes

_INSERT_OPERATION = "INSERT INTO operation(id, account_id, epoch, body) VALUES (?, ?, ?, ?) ON CONFLICT(id) DO NOTHING"
_UPDATE_OPERATION = "UPDATE operation SET epoch = ?, body = ? WHERE id = ? AND epoch = ?"
_DROP_OPERATION = "DELETE FROM operation WHERE id = ?"
_OPERATION_AT = "SELECT 1 FROM operation WHERE id = ? AND epoch = ?"
_OPERATIONS = "SELECT body, epoch FROM operation ORDER BY id"
_DROP_TASK = (
    "DELETE FROM task WHERE id = ?1 AND status >= 10 "
    "AND NOT EXISTS (SELECT 1 FROM delivery WHERE task_id = ?1 AND status = 0) RETURNING function_id, status"
)
_DROP_REST = (
    "DELETE FROM task_payload WHERE id = ?",
    "DELETE FROM task_result WHERE id = ?",
    "DELETE FROM task_log WHERE task_id = ?",
    "DELETE FROM delivery WHERE task_id = ?",
)
_PUT_TAGS = "UPDATE task SET tags = ? WHERE id = ? AND status < 10 RETURNING account_id"
_TAGS = "SELECT tags FROM task WHERE id = ? AND status < 10"
_DROP_TAG = "DELETE FROM task_tag WHERE account_id = ? AND tag = ? AND task_id = ?"
# Only the attempt that runs may say something: one that was lost, or stopped, is not heard any more.
_PUT_PROGRESS = (
    f"INSERT OR REPLACE INTO task_progress({rows.PROGRESS_COLUMNS}) SELECT ?1, ?2, ?3, ?4, ?5, ?6 "  # noqa: S608 - constant text
    "WHERE EXISTS (SELECT 1 FROM task WHERE id = ?1 AND attempts = ?2 AND status = 2)"
)
_PROGRESS = (
    f"SELECT {rows.PROGRESS_COLUMNS} FROM task_progress "  # noqa: S608 - constant text
    "WHERE id IN (SELECT value FROM json_each(?))"
)


def carry(cursor: apsw.Cursor, operation: Operation, epoch: int, work: Work) -> tuple[Operation | None, list[int]]:
    """Do `work` and move the operation on; None, and nothing done, when it does not stand at `epoch`."""
    if cursor.execute(_OPERATION_AT, (operation.id, epoch)).get is None:
        return None, []
    moved_tasks = [
        change.task
        for change in work.changes
        if writes.apply_task(cursor, change.epoch, change.task, None, change.delivery)
    ]
    ended = Counter((task.function_id, rows.STATUS_CODES[task.status]) for task in moved_tasks if task.over)
    touched = [task.id for task in moved_tasks]
    touched += [task.id for task in work.inserts if writes.insert_task(cursor, task)]
    for task_id in work.drops:
        if (was := _drop(cursor, task_id)) is not None:
            touched.append(task_id)
            ended[was] -= 1
    forgetting.count(cursor, ended)
    moved = msgspec.structs.replace(operation, epoch=epoch + 1, done=operation.done + len(touched))
    put_operation(cursor, moved, epoch)
    return moved, touched


def put_operation(cursor: apsw.Cursor, operation: Operation, epoch: int) -> bool:
    """Create an operation (`epoch` 0) or replace it if it stands at `epoch`."""
    body = rows.operation_text(operation)
    if not epoch:
        cursor.execute(_INSERT_OPERATION, (operation.id, operation.account_id, operation.epoch, body))
    else:
        cursor.execute(_UPDATE_OPERATION, (operation.epoch, body, operation.id, epoch))
    return bool(cursor.connection.changes())


def drop_operation(cursor: apsw.Cursor, operation_id: int) -> None:
    """Forget an operation."""
    cursor.execute(_DROP_OPERATION, (operation_id,))


def operations(connection: apsw.Connection) -> list[Operation]:
    """All operations, oldest first."""
    return [rows.operation_of(row) for row in connection.execute(_OPERATIONS)]


def put_tags(cursor: apsw.Cursor, task_id: int, tags: Mapping[str, str]) -> bool:
    """Give a task that is not over these tags, and let it be found by them instead; False when it is over."""
    before = cursor.execute(_TAGS, (task_id,)).get
    if before is None:
        return False
    account_id = cursor.execute(_PUT_TAGS, (rows.tags_text(tags), task_id)).get
    for key, value in rows.tags_of(before).items():
        cursor.execute(_DROP_TAG, (account_id, writes.tag(key, value), task_id))
    for key, value in tags.items():
        cursor.execute(writes.INSERT_TAG, (account_id, writes.tag(key, value), task_id))
    return True


def put_progress(cursor: apsw.Cursor, progress: Progress) -> bool:
    """Keep what the running attempt of a task reports; False when it is another one."""
    cursor.execute(_PUT_PROGRESS, rows.progress_values(progress))
    return bool(cursor.connection.changes())


def progress(connection: apsw.Connection, task_ids: Sequence[int]) -> list[Progress]:
    """What those tasks reported that did."""
    return [rows.progress_of(row) for row in connection.execute(_PROGRESS, (orjson.dumps(list(task_ids)).decode(),))]


def _drop(cursor: apsw.Cursor, task_id: int) -> tuple[int, int] | None:
    """Delete a task that is over; its function and the code of its status, None when it stays."""
    was: tuple[int, int] | None = cursor.execute(_DROP_TASK, (task_id,)).fetchone()
    if was is not None:
        for text in _DROP_REST:
            cursor.execute(text, (task_id,))
    return was
