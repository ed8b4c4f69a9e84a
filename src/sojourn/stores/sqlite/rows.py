"""Tasks and functions as rows, and rows as tasks and functions.

A body of at most `INLINE_BYTES_MAX` lies in the task's row; of a larger one the row holds NULL, and the body lies in
a table beside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from sojourn.bulk import Operation
from sojourn.destination import Delivery, DeliveryStatus
from sojourn.function import Alias, AsyncConfig, Code, Config, Disabled, Function, Provision, Scaling
from sojourn.history import CODES, NAMES
from sojourn.progress import Progress
from sojourn.service import Service
from sojourn.task import Status, Task
from sojourn.trigger import Trigger

INLINE_BYTES_MAX = 1024
ROW_BYTES = 256
"""About what a row takes without its bodies."""

Row = tuple[Any, ...]

STATUS_CODES: dict[Status, int] = {status: CODES[status.value] for status in Status}
STATUSES: dict[int, Status] = {code: Status(name) for code, name in NAMES.items()}

_HEAD_COLUMNS = (
    "id, account_id, function_id, generation, name, qualifier, status, epoch, attempts, retries, losses, retries_max, "
    "due_at, expires_at, created_at, started_at, ended_at, owner, instance_id, error, history"
)
_BODY_COLUMNS = (
    "coalesce(result, (SELECT body FROM task_result WHERE id = task.id)), "
    "coalesce(payload, (SELECT body FROM task_payload WHERE id = task.id))"
)
COLUMNS = f"{_HEAD_COLUMNS}, {_BODY_COLUMNS}, snapshot_id, tags, rerun_of"
"""What `task_of` reads."""
COLUMNS_WITHOUT_BODIES = f"{_HEAD_COLUMNS}, x'', x'', snapshot_id, tags, rerun_of"
"""The same, with empty bodies: the large ones are not touched."""

INSERT_COLUMNS = f"{_HEAD_COLUMNS}, result, payload, snapshot_id, tags, rerun_of"
UPDATE_COLUMNS = (
    "status = ?, epoch = ?, attempts = ?, retries = ?, losses = ?, retries_max = ?, due_at = ?, expires_at = ?, "
    "started_at = ?, ended_at = ?, owner = ?, instance_id = ?, error = ?, history = ?, result = ?"
)
"""What may change after a task is submitted."""


def inline(body: bytes) -> bytes | None:
    """What stands in the row for `body`."""
    return body if len(body) <= INLINE_BYTES_MAX else None


def insert_values(task: Task) -> Row:
    """The values of `INSERT_COLUMNS`."""
    return (
        task.id,
        task.account_id,
        task.function_id,
        task.generation,
        task.name,
        task.qualifier,
        STATUS_CODES[task.status],
        task.epoch,
        task.attempts,
        task.retries,
        task.losses,
        task.retries_max,
        task.due_at,
        task.expires_at,
        task.created_at,
        task.started_at,
        task.ended_at,
        task.owner,
        task.instance_id,
        task.error,
        task.history,
        inline(task.result),
        inline(task.payload),
        task.snapshot_id,
        tags_text(task.tags),
        task.rerun_of,
    )


def tags_text(tags: Mapping[str, str]) -> str:
    """Tags as a row holds them."""
    return _text(tags) if tags else ""


def tags_of(text: str) -> dict[str, str]:
    """The tags that a row holds."""
    return _decode_tags(text) if text else {}


def update_values(task: Task, epoch: int) -> Row:
    """The values of `UPDATE_COLUMNS`, then the id and the epoch that the row must stand at."""
    return (
        STATUS_CODES[task.status],
        task.epoch,
        task.attempts,
        task.retries,
        task.losses,
        task.retries_max,
        task.due_at,
        task.expires_at,
        task.started_at,
        task.ended_at,
        task.owner,
        task.instance_id,
        task.error,
        task.history,
        inline(task.result),
        task.id,
        epoch,
    )


def task_of(row: Row) -> Task:
    """The task that a row of `COLUMNS` holds."""
    return Task(
        id=row[0],
        account_id=row[1],
        function_id=row[2],
        generation=row[3],
        name=row[4],
        qualifier=row[5],
        status=STATUSES[row[6]],
        epoch=row[7],
        attempts=row[8],
        retries=row[9],
        losses=row[10],
        retries_max=row[11],
        due_at=row[12],
        expires_at=row[13],
        created_at=row[14],
        started_at=row[15],
        ended_at=row[16],
        owner=row[17],
        instance_id=row[18],
        error=row[19],
        history=row[20],
        result=row[21],
        payload=row[22],
        snapshot_id=row[23],
        tags=tags_of(row[24]),
        rerun_of=row[25],
    )


DELIVERY_CODES: dict[DeliveryStatus, int] = {
    DeliveryStatus.PENDING: 0,
    DeliveryStatus.SUCCEEDED: 1,
    DeliveryStatus.FAILED: 2,
}
"""Stored for good: never renumber them."""
_DELIVERY_STATUSES = {code: status for status, code in DELIVERY_CODES.items()}
DELIVERY_COLUMNS = (
    "task_id, function_id, account_id, target, status, epoch, round, attempts, due_at, last_error, "
    "created_at, begun_at, ended_at"
)
DELIVERY_UPDATE_COLUMNS = (
    "status = ?, epoch = ?, round = ?, attempts = ?, due_at = ?, last_error = ?, begun_at = ?, ended_at = ?"
)


def delivery_values(delivery: Delivery) -> Row:
    """The values of `DELIVERY_COLUMNS`."""
    return (
        delivery.task_id,
        delivery.function_id,
        delivery.account_id,
        delivery.target,
        DELIVERY_CODES[delivery.status],
        delivery.epoch,
        delivery.round,
        delivery.attempts,
        delivery.due_at,
        delivery.last_error,
        delivery.created_at,
        delivery.begun_at,
        delivery.ended_at,
    )


def delivery_update_values(delivery: Delivery, epoch: int) -> Row:
    """The values of `DELIVERY_UPDATE_COLUMNS`, then the task id and the epoch that the row must stand at."""
    return (
        DELIVERY_CODES[delivery.status],
        delivery.epoch,
        delivery.round,
        delivery.attempts,
        delivery.due_at,
        delivery.last_error,
        delivery.begun_at,
        delivery.ended_at,
        delivery.task_id,
        epoch,
    )


def delivery_of(row: Row) -> Delivery:
    """The delivery that a row of `DELIVERY_COLUMNS` holds."""
    return Delivery(
        task_id=row[0],
        function_id=row[1],
        account_id=row[2],
        target=row[3],
        status=_DELIVERY_STATUSES[row[4]],
        epoch=row[5],
        round=row[6],
        attempts=row[7],
        due_at=row[8],
        last_error=row[9],
        created_at=row[10],
        begun_at=row[11],
        ended_at=row[12],
    )


FUNCTION_COLUMNS = (
    "account_id, name, generation, revision, deleted, created_at, modified_at, reserved_concurrency, "
    "config, code, async_config, provision, scaling, version, root_id, version_description, aliases, async_configs, "
    "disabled, paused_at"
)


def function_values(function: Function) -> Row:
    """The values of `FUNCTION_COLUMNS`."""
    return (
        function.account_id,
        function.name,
        function.generation,
        function.revision,
        int(function.deleted),
        function.created_at,
        function.modified_at,
        function.reserved_concurrency,
        _text(function.config),
        _text(function.code),
        function.async_config and _text(function.async_config),
        function.provision and _text(function.provision),
        function.scaling and _text(function.scaling),
        function.version,
        function.root_id,
        function.version_description,
        _text(function.aliases),
        _text(function.async_configs),
        function.disabled and _text(function.disabled),
        function.paused_at,
    )


def function_of(row: Row) -> Function:
    """The function that a row of id and `FUNCTION_COLUMNS` holds."""
    return Function(
        id=row[0],
        account_id=row[1],
        name=row[2],
        generation=row[3],
        revision=row[4],
        deleted=bool(row[5]),
        created_at=row[6],
        modified_at=row[7],
        reserved_concurrency=row[8],
        config=_decode_config(row[9]),
        code=_decode_code(row[10]),
        async_config=None if row[11] is None else _decode_async_config(row[11]),
        provision=None if row[12] is None else _decode_provision(row[12]),
        scaling=None if row[13] is None else _decode_scaling(row[13]),
        version=row[14],
        root_id=row[15],
        version_description=row[16],
        aliases=_decode_aliases(row[17]),
        async_configs=_decode_async_configs(row[18]),
        disabled=None if row[19] is None else _decode_disabled(row[19]),
        paused_at=row[20],
    )


def operation_of(row: Row) -> Operation:
    """The operation that a row of body and epoch holds."""
    return msgspec.structs.replace(_decode_operation(row[0]), epoch=row[1])


def operation_text(operation: Operation) -> str:
    """The body of an operation's row."""
    return _text(operation)


PROGRESS_COLUMNS = "id, attempt, percent, message, at, checkpoint"


def progress_values(progress: Progress) -> Row:
    """The values of `PROGRESS_COLUMNS`."""
    return (
        progress.task_id,
        progress.attempt,
        progress.percent,
        progress.message,
        progress.at,
        progress.checkpoint,
    )


def progress_of(row: Row) -> Progress:
    """The progress that a row of `PROGRESS_COLUMNS` holds."""
    return Progress(task_id=row[0], attempt=row[1], percent=row[2], message=row[3], at=row[4], checkpoint=row[5])


TRIGGER_COLUMNS = "function_id, name, type, config, epoch, id, qualifier, description, next_at, created_at, modified_at"


def trigger_values(trigger: Trigger) -> Row:
    """The values of `TRIGGER_COLUMNS`."""
    return tuple(getattr(trigger, name) for name in TRIGGER_COLUMNS.split(", "))


def trigger_of(row: Row) -> Trigger:
    """The trigger that a row of `TRIGGER_COLUMNS` holds."""
    return Trigger(**dict(zip(TRIGGER_COLUMNS.split(", "), row, strict=True)))


def service_values(service: Service) -> Row:
    """Account, name, revision and body of a service."""
    return (service.account_id, service.name, service.revision, _text(service))


def service_of(body: str) -> Service:
    """The service that a row holds."""
    return _decode_service(body)


_encode = msgspec.json.Encoder().encode
_decode_config = msgspec.json.Decoder(Config).decode
_decode_code = msgspec.json.Decoder(Code).decode
_decode_async_config = msgspec.json.Decoder(AsyncConfig).decode
_decode_provision = msgspec.json.Decoder(Provision).decode
_decode_scaling = msgspec.json.Decoder(Scaling).decode
_decode_aliases = msgspec.json.Decoder(dict[str, Alias]).decode
_decode_async_configs = msgspec.json.Decoder(dict[str, AsyncConfig]).decode
_decode_disabled = msgspec.json.Decoder(Disabled).decode
_decode_tags = msgspec.json.Decoder(dict[str, str]).decode
_decode_operation = msgspec.json.Decoder(Operation).decode
_decode_service = msgspec.json.Decoder(Service).decode


def _text(value: object) -> str:
    return _encode(value).decode()
