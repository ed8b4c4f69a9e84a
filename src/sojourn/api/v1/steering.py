"""Steering one task in the native API: stopping it, at once if it must be, giving it other tags, running it again."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from sojourn import identity
from sojourn.api import answer
from sojourn.api.answer import Answer
from sojourn.api.call import Call, only
from sojourn.api.operation import Handler, Limit
from sojourn.errors import InvalidArgument, PayloadTooLarge
from sojourn.function import DELAY_SECONDS_BOUNDS, PAYLOAD_ASYNC_BYTES_MAX, Function, check_integer, check_task_name
from sojourn.queue import wire_name
from sojourn.refusals import FunctionDisabled, TaskNotOver
from sojourn.tags import check_tags
from sojourn.task import Task

from .named import function_of
from .tasks import task_object

ACCEPTED = 202
BODY_BYTES_MAX = 256 * 1024
"""A payload of the largest size as base64, and what stands around it."""


async def stop(call: Call) -> Answer:
    """Stop a task; the answer says that the stop is durable.

    With `force` what it runs on is killed at once.
    """
    function, task_id = function_of(call), call.path["task"]
    force = _flag("force", only(call.json(), "force").get("force"))
    task = await call.backend.dispatcher.stop(function, task_id, call.key.id, force=force)
    shown = {"functionName": function.name, "taskId": wire_name(task), "status": task.status.value}
    return answer.of_json(shown, ACCEPTED)


async def edit(call: Call) -> Answer:
    """Give a task that is not over other tags; everything else of it was promised when it was accepted.

    Raises
    ------
    InvalidArgument: tags are missing or out of their bounds, or the body would change something else.
    TaskAlreadyCompleted: it is over.

    """
    function, body = function_of(call), call.json()
    for field, value in body.items():
        if field != "tags":
            raise InvalidArgument(
                field, value, "cannot be changed, only 'tags' can: stop the task and run it again with another one"
            )
    if "tags" not in body:
        raise InvalidArgument("tags", None, "must be given: an object of keys and values, empty for none")
    tags = check_tags("tags", body["tags"])
    task = await call.backend.queue.tag(await call.backend.queue.find(function, call.path["task"]), tags)
    return answer.of_json(task_object(task, function.name, call.backend.clock.now()))


async def rerun(call: Call) -> Answer:
    """Run a task that is over again, as a new task with the same payload or another one."""
    function = function_of(call)
    origin = await call.backend.queue.find(function, call.path["task"])
    body = only(call.json(), "payload", "payloadEncoding", "taskId", "delaySeconds", "tags")
    if not origin.over:
        raise TaskNotOver(wire_name(origin), origin.status.value)
    version = call.backend.catalog.qualified(call.account_id, function.name, origin.qualifier, call.number)
    if version.disabled is not None:
        raise FunctionDisabled(function.name, version.disabled.reason)
    name, delay, tags = body.get("taskId"), body.get("delaySeconds"), body.get("tags")
    task = await call.backend.queue.submit(
        version,
        _payload(body, origin),
        name=None if name is None else check_task_name(name, "taskId"),
        number=call.number,
        qualifier=origin.qualifier,
        delay_seconds=0 if delay is None else check_integer("delaySeconds", delay, DELAY_SECONDS_BOUNDS, "seconds"),
        tags=origin.tags if tags is None else check_tags("tags", tags),
        rerun_of=wire_name(origin),
    )
    place = f"/v1/functions/{function.name}/tasks/{wire_name(task)}"
    return answer.of_json(_made(task, function), ACCEPTED)._replace(headers=((b"location", place.encode()),))


def larger(_: Mapping[bytes, bytes]) -> tuple[str, int]:
    """The bound of a body that may hold a payload."""
    return "the request body", BODY_BYTES_MAX


def _made(task: Task, function: Function) -> dict[str, object]:
    return {
        "functionName": function.name,
        "taskId": wire_name(task),
        "requestId": identity.request_id(task.id),
        "status": task.status.value,
        "rerunOf": task.rerun_of,
        "tags": dict(task.tags),
    }


def _payload(body: Mapping[str, object], origin: Task) -> bytes:
    """The payload that a body gives, the origin's when it gives none."""
    text, encoding = body.get("payload"), body.get("payloadEncoding")
    if encoding not in (None, "base64"):
        raise InvalidArgument("payloadEncoding", encoding, "must be base64, or left out for text")
    if text is None:
        return origin.payload
    if not isinstance(text, str):
        raise InvalidArgument("payload", text, "must be text, or base64 with payloadEncoding")
    try:
        payload = base64.b64decode(text, validate=True) if encoding else text.encode()
    except (binascii.Error, ValueError):
        raise InvalidArgument("payload", text, "must be UTF-8 text, or base64 with payloadEncoding") from None
    if len(payload) > PAYLOAD_ASYNC_BYTES_MAX:
        raise PayloadTooLarge("payload", len(payload), PAYLOAD_ASYNC_BYTES_MAX)
    return payload


def _flag(field: str, value: object) -> bool:
    if value is not None and not isinstance(value, bool):
        raise InvalidArgument(field, value, "must be true or false")
    return bool(value)


_TASK = "/v1/functions/{function}/tasks/{task}"
OPERATIONS: tuple[tuple[str, str, Handler], ...] = (
    ("PATCH", _TASK, edit),
    ("POST", f"{_TASK}/stop", stop),
    ("POST", f"{_TASK}/rerun", rerun),
)
LIMITS: Mapping[Handler, Limit] = {rerun: larger}
