"""What each change does to the tables. Every function runs inside the writer's transaction and answers for its caller.

A change that does not apply (a name that is taken, a row that has moved on) is an answer, not an error.
"""

from __future__ import annotations

import apsw
import msgspec

from sojourn.access import AccessToken
from sojourn.crashpoint import crashpoint
from sojourn.destination import Delivery
from sojourn.function import AccessKey, Account, Function
from sojourn.service import Service
from sojourn.store import Log
from sojourn.task import Task
from sojourn.trigger import Trigger

from . import rows

INSERT_TASK = (
    f"INSERT INTO task({rows.INSERT_COLUMNS}) VALUES ({', '.join('?' * 26)}) "  # noqa: S608 - constant text
    "ON CONFLICT(function_id, name) WHERE name IS NOT NULL DO NOTHING"
)
_INSERT_PAYLOAD = "INSERT INTO task_payload(id, body) VALUES (?, ?)"
INSERT_TAG = "INSERT INTO task_tag(account_id, tag, task_id) VALUES (?, ?, ?)"
_UPDATE_TASK = f"UPDATE task SET {rows.UPDATE_COLUMNS} WHERE id = ? AND epoch = ?"  # noqa: S608 - constant text
# A task's row carries its result through all later transitions; only one that differs is written.
_PUT_RESULT = (
    "INSERT INTO task_result(id, body) VALUES (?, ?) "
    "ON CONFLICT(id) DO UPDATE SET body = excluded.body WHERE body IS NOT excluded.body"
)
_DROP_RESULT = "DELETE FROM task_result WHERE id = ?"
_PUT_LOG = "INSERT OR REPLACE INTO task_log(task_id, attempt, head, tail, dropped) VALUES (?, ?, ?, ?, ?)"
_INSERT_DELIVERY = f"INSERT INTO delivery({rows.DELIVERY_COLUMNS}) VALUES ({', '.join('?' * 13)})"  # noqa: S608 - constant text
_UPDATE_DELIVERY = f"UPDATE delivery SET {rows.DELIVERY_UPDATE_COLUMNS} WHERE task_id = ? AND epoch = ?"  # noqa: S608 - constant text

_INSERT_FUNCTION = (
    f"INSERT INTO function({rows.FUNCTION_COLUMNS}) VALUES ({', '.join('?' * 20)}) "  # noqa: S608 - constant text
    "ON CONFLICT(account_id, name, version) DO NOTHING RETURNING id"
)
_UPDATE_FUNCTION = (
    f"UPDATE function SET ({rows.FUNCTION_COLUMNS}) = ({', '.join('?' * 20)}) "  # noqa: S608 - constant text
    "WHERE id = ? AND revision = ? AND account_id = ? AND name = ? AND version = ?"
)
_INSERT_ACCOUNT = (
    "INSERT INTO account(id, created_at, owner, webhook_secret) SELECT ?, ?, ?, ? WHERE NOT EXISTS "
    "(SELECT 1 FROM access_key WHERE id = ?) ON CONFLICT(id) DO NOTHING"
)
_PUT_WEBHOOK_SECRET = "UPDATE account SET webhook_secret = ? WHERE id = ? AND webhook_secret = ?"  # noqa: S105 - a statement
_INSERT_KEY = (
    "INSERT INTO access_key(id, secret, account_id, created_at, expires_at, token) SELECT ?, ?, ?, ?, ?, ? "
    "WHERE EXISTS (SELECT 1 FROM account WHERE id = ?) ON CONFLICT(id) DO NOTHING"
)
_DROP_KEYS = "DELETE FROM access_key WHERE expires_at > 0 AND expires_at <= ?"
_INSERT_ACCESS = (
    "INSERT INTO access_token(id, account_id, name, scope, digest, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_DROP_ACCESS = "DELETE FROM access_token WHERE id = ?"
_INSERT_SERVICE = "INSERT INTO service(account_id, name, revision, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_UPDATE_SERVICE = "UPDATE service SET revision = ?, body = ? WHERE account_id = ? AND name = ? AND revision = ?"
_INSERT_TRIGGER = (
    f"INSERT INTO trigger_of_function({rows.TRIGGER_COLUMNS}) VALUES ({', '.join('?' * 11)}) "  # noqa: S608 - constant text
    "ON CONFLICT DO NOTHING"
)
_UPDATE_TRIGGER = (
    f"UPDATE trigger_of_function SET ({rows.TRIGGER_COLUMNS}) = ({', '.join('?' * 11)}) "  # noqa: S608 - constant text
    "WHERE function_id = ? AND name = ? AND epoch = ?"
)
_DROP_TRIGGER = "DELETE FROM trigger_of_function WHERE function_id = ? AND name = ? AND epoch = ?"


def insert_task(cursor: apsw.Cursor, task: Task) -> bool:
    """Keep a new task; False when its function has one of this name."""
    cursor.execute(INSERT_TASK, rows.insert_values(task))
    if not cursor.connection.changes():
        return False
    if len(task.payload) > rows.INLINE_BYTES_MAX:
        crashpoint("store.task.without_payload")
        cursor.execute(_INSERT_PAYLOAD, (task.id, task.payload))
    if len(task.result) > rows.INLINE_BYTES_MAX:
        cursor.execute(_PUT_RESULT, (task.id, task.result))
    for key, value in task.tags.items():
        cursor.execute(INSERT_TAG, (task.account_id, tag(key, value), task.id))
    return True


def tag(key: str, value: str) -> str:
    """A tag as its index has it."""
    return f"{key}={value}"


def apply_task(cursor: apsw.Cursor, epoch: int, task: Task, log: Log | None, delivery: Delivery | None = None) -> bool:
    """Replace what may change of a task that stands at `epoch`; False, and nothing else, when it stands elsewhere."""
    cursor.execute(_UPDATE_TASK, rows.update_values(task, epoch))
    if not cursor.connection.changes():
        return False
    if len(task.result) > rows.INLINE_BYTES_MAX:
        crashpoint("store.task.without_result")
        cursor.execute(_PUT_RESULT, (task.id, task.result))
    elif task.attempts > 1:
        # Only an earlier attempt can have left a large result, and the row says already that it no longer counts: this
        # gives its space back. A trigger on the row would see it too, but costs every task a tenth of its writing time.
        cursor.execute(_DROP_RESULT, (task.id,))
    if log is not None:
        crashpoint("store.task.without_log")
        cursor.execute(_PUT_LOG, (task.id, log.attempt, log.head, log.tail, log.dropped))
    if delivery is not None:
        crashpoint("store.task.without_delivery")
        cursor.execute(_INSERT_DELIVERY, rows.delivery_values(delivery))
    return True


def put_delivery(cursor: apsw.Cursor, epoch: int, delivery: Delivery) -> bool:
    """Replace what may change of a delivery that stands at `epoch`; False when it stands elsewhere."""
    cursor.execute(_UPDATE_DELIVERY, rows.delivery_update_values(delivery, epoch))
    return bool(cursor.connection.changes())


def put_function(cursor: apsw.Cursor, function: Function, revision: int) -> Function | None:
    """Create a function (`revision` 0) or replace it if it stands at `revision`; None when it stands elsewhere."""
    values = rows.function_values(function)
    if not revision:
        given = cursor.execute(_INSERT_FUNCTION, values).get
        return None if given is None else msgspec.structs.replace(function, id=given)
    cursor.execute(
        _UPDATE_FUNCTION, (*values, function.id, revision, function.account_id, function.name, function.version)
    )
    return function if cursor.connection.changes() else None


def put_account(cursor: apsw.Cursor, account: Account, key: AccessKey) -> bool:
    """Keep a new account and its first key; False when either id is taken."""
    cursor.execute(
        _INSERT_ACCOUNT, (account.id, account.created_at, int(account.owner), account.webhook_secret, key.id)
    )
    if not cursor.connection.changes():
        return False
    crashpoint("store.account.without_key")
    return put_access_key(cursor, key)


def put_access_key(cursor: apsw.Cursor, key: AccessKey) -> bool:
    """Keep a key of an account; False when its id is taken or its account is not there."""
    values = (key.id, key.secret, key.account_id, key.created_at, key.expires_at, key.token, key.account_id)
    cursor.execute(_INSERT_KEY, values)
    return bool(cursor.connection.changes())


def drop_access_keys(cursor: apsw.Cursor, expired_before: int) -> None:
    """Forget the keys whose time was over by then."""
    cursor.execute(_DROP_KEYS, (expired_before,))


def put_access_token(cursor: apsw.Cursor, token: AccessToken) -> None:
    """Keep an access token."""
    values = (token.account_id, token.name, token.scope.value, token.digest, token.created_at, token.expires_at)
    cursor.execute(_INSERT_ACCESS, (token.id, *values))


def drop_access_token(cursor: apsw.Cursor, token_id: str) -> None:
    """Forget an access token, if it is there."""
    cursor.execute(_DROP_ACCESS, (token_id,))


def put_service(cursor: apsw.Cursor, service: Service, revision: int) -> bool:
    """Create a service (`revision` 0) or replace it if it stands at `revision`."""
    account_id, name, number, body = rows.service_values(service)
    if not revision:
        cursor.execute(_INSERT_SERVICE, (account_id, name, number, body))
    else:
        cursor.execute(_UPDATE_SERVICE, (number, body, account_id, name, revision))
    return bool(cursor.connection.changes())


def put_trigger(cursor: apsw.Cursor, trigger: Trigger, epoch: int) -> bool:
    """Create a trigger (`epoch` 0) or replace it if it stands at `epoch`."""
    values = rows.trigger_values(trigger)
    if not epoch:
        cursor.execute(_INSERT_TRIGGER, values)
    else:
        cursor.execute(_UPDATE_TRIGGER, (*values, trigger.function_id, trigger.name, epoch))
    return bool(cursor.connection.changes())


def drop_trigger(cursor: apsw.Cursor, function_id: int, name: str, epoch: int) -> bool:
    """Forget a trigger if it stands at `epoch`."""
    cursor.execute(_DROP_TRIGGER, (function_id, name, epoch))
    return bool(cursor.connection.changes())


def put_webhook_secret(cursor: apsw.Cursor, account_id: str, before: str, secret: str) -> bool:
    """Give an account another webhook secret; False when it has not `before`."""
    cursor.execute(_PUT_WEBHOOK_SECRET, (secret, account_id, before))
    return bool(cursor.connection.changes())
