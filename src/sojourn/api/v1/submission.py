"""Submitting in the native API: one task as JSON, or up to ten thousand at a time, a line each.

What is one task's fault is that task's outcome and nobody else's. Only what concerns all of them refuses a batch: a
body that is too large, a function that is not there, or no room for them (429, and then none was accepted, so that all
may be sent again). The lines that are good become durable in one transaction, before the answer leaves.
"""

from __future__ import annotations

import asyncio
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from sojourn import identity
from sojourn.api import answer
from sojourn.api.answer import JSON, Answer
from sojourn.api.call import Call
from sojourn.api.operation import Handler, Limit
from sojourn.crashpoint import crashpoint
from sojourn.errors import InvalidArgument, PayloadTooLarge, SojournError
from sojourn.function import (
    DELAY_SECONDS_BOUNDS,
    PAYLOAD_ASYNC_BYTES_MAX,
    check_integer,
    check_task_name,
)
from sojourn.order import Order
from sojourn.queue import wire_name
from sojourn.refusals import FunctionDisabled
from sojourn.tags import check_tags
from sojourn.task import Task

LINES_MAX = 10_000
BATCH_BYTES_MAX = 16 * 1024 * 1024
ONE_BYTES_MAX = PAYLOAD_ASYNC_BYTES_MAX * 2
"""A payload in base64 takes a third more than itself, and its fields stand beside it."""
LINES_AT_ONCE = 250
"""So many lines are read, or answered, before other callers have their turn."""
ACCEPTED = 202
FIELDS = ("taskId", "payload", "payloadBase64", "delaySeconds", "qualifier", "tags")

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode


class Outcome(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What became of one line of a batch, `status` as if it had come alone; an error says what is wrong with it."""

    line: int
    status: int
    task_id: str = ""
    request_id: str = ""
    code: str = ""
    message: str = ""
    field: str = ""
    value: str = ""
    bound: str = ""


class Outcomes(msgspec.Struct, frozen=True):
    """What became of a batch."""

    accepted: int
    results: list[Outcome]


class Line(NamedTuple):
    """A line that is not empty, and where it stands, from 1."""

    number: int
    text: bytes


def one(_: Mapping[bytes, bytes]) -> tuple[str, int]:
    """The bound of the body of one task."""
    return "the request body", ONE_BYTES_MAX


def many(_: Mapping[bytes, bytes]) -> tuple[str, int]:
    """The bound of a batch."""
    return "the batch", BATCH_BYTES_MAX


async def submit(call: Call) -> Answer:
    """Submit a task; the answer says that it is durable."""
    order = order_of(call, call.body or b"{}", call.number)
    task = await call.backend.queue.submit(
        order.function,
        order.payload,
        name=order.name,
        delay_seconds=order.delay_seconds,
        number=order.number,
        qualifier=order.qualifier,
        tags=order.tags,
    )
    crashpoint("api.submit.answering")
    name = wire_name(task)
    where = f"/2023-03-30/functions/{call.path['function']}/async-tasks/{name}"
    shown = answer.of_json({"taskId": name, "requestId": identity.request_id(task.id)}, ACCEPTED)
    return shown._replace(headers=((b"location", where.encode()),))


async def submit_batch(call: Call) -> Answer:
    """Submit many tasks, one a line; each has an outcome of its own, and the good ones are durable."""
    call.backend.catalog.function(call.account_id, call.path["function"])
    lines = lines_of(call.body)
    asked: list[Order | SojournError] = []
    for begin in range(0, len(lines), LINES_AT_ONCE):
        asked += [_judged(call, line.text) for line in lines[begin : begin + LINES_AT_ONCE]]
        await asyncio.sleep(0)
    orders = [each for each in asked if isinstance(each, Order)]
    submitted = iter(await call.backend.queue.submit_many(orders))
    crashpoint("api.submit.answering")
    results: list[Outcome] = []
    for begin in range(0, len(lines), LINES_AT_ONCE):
        for line, each in zip(lines[begin : begin + LINES_AT_ONCE], asked[begin : begin + LINES_AT_ONCE], strict=True):
            results.append(outcome(line.number, next(submitted) if isinstance(each, Order) else each))
        await asyncio.sleep(0)
    accepted = sum(each.status == ACCEPTED for each in results)
    return Answer(200, _encode(Outcomes(accepted, results)), JSON)


def lines_of(body: bytes) -> list[Line]:
    """The lines of a batch; empty ones are passed over.

    Raises
    ------
    InvalidArgument: there are too many.

    """
    count = body.count(b"\n") + (not body.endswith(b"\n"))
    if count > LINES_MAX:
        raise InvalidArgument("request body", f"{count} lines", f"must hold at most {LINES_MAX} lines")
    return [Line(number, text) for number, text in enumerate(body.split(b"\n"), 1) if text.strip()]


def order_of(call: Call, text: bytes, number: int) -> Order:
    """The task that a line asks for; `number` becomes its own.

    Raises
    ------
    SojournError: it cannot be had as it is asked for.

    """
    fields = _fields_of(text)
    delay, name = _value(fields, "delaySeconds"), _value(fields, "taskId")
    qualifier, tags = _value(fields, "qualifier"), _value(fields, "tags")
    if qualifier is not None and not isinstance(qualifier, str):
        raise InvalidArgument("qualifier", qualifier, "must be a string")
    function = call.backend.catalog.qualified(call.account_id, call.path["function"], qualifier, number)
    if function.disabled is not None:
        raise FunctionDisabled(function.name, function.disabled.reason)
    return Order(
        function=function,
        payload=_payload(fields),
        name=None if name is None else check_task_name(name, "taskId"),
        delay_seconds=0 if delay is None else check_integer("delaySeconds", delay, DELAY_SECONDS_BOUNDS, "seconds"),
        number=number,
        qualifier=qualifier or "",
        tags={} if tags is None else check_tags("tags", tags),
    )


def outcome(line: int, came_to: Task | SojournError) -> Outcome:
    """What became of a line, as it is shown."""
    if isinstance(came_to, Task):
        name = wire_name(came_to)
        return Outcome(line=line, status=ACCEPTED, task_id=name, request_id=identity.request_id(came_to.id))
    wrong: dict[str, str] = {}
    if isinstance(came_to, InvalidArgument):
        wrong = {"field": came_to.field, "value": came_to.shown, "bound": came_to.bound}
    elif isinstance(came_to, PayloadTooLarge):
        bound = f"must have at most {came_to.limit_bytes} bytes"
        wrong = {"field": came_to.what, "value": f"{came_to.size_bytes} bytes", "bound": bound}
    return Outcome(line=line, status=came_to.status, code=came_to.code, message=came_to.message, **wrong)


def _judged(call: Call, text: bytes) -> Order | SojournError:
    try:
        return order_of(call, text, call.backend.number())
    except SojournError as error:
        return error


def _fields_of(text: bytes) -> Mapping[str, msgspec.Raw]:
    """The fields of a JSON object, each as it is spelled there."""
    try:
        fields = _fields.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidArgument("line", text[:64], f"must be a JSON object ({error})") from None
    for field in fields:
        if field not in FIELDS:
            raise InvalidArgument(field, bytes(fields[field])[:64], f"is not supported; there are {', '.join(FIELDS)}")
    return fields


def _value(fields: Mapping[str, msgspec.Raw], name: str) -> Any:
    """The value of a field, None when it is not given."""
    raw = fields.get(name)
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidArgument(name, bytes(raw)[:64], f"must be JSON ({error})") from None


def _payload(fields: Mapping[str, msgspec.Raw]) -> bytes:
    """The event: the JSON that stands under `payload`, byte for byte, or the bytes of `payloadBase64`."""
    raw, encoded = fields.get("payload"), _value(fields, "payloadBase64")
    if encoded is None:
        payload = b"" if raw is None else bytes(raw)
        return _bounded("payload", payload)
    if raw is not None:
        raise InvalidArgument("payloadBase64", encoded, "must not be given beside payload")
    try:
        return _bounded("payloadBase64", binascii.a2b_base64(encoded, strict_mode=True))
    except (binascii.Error, TypeError, ValueError):
        raise InvalidArgument("payloadBase64", encoded, "must be base64 text") from None


def _bounded(field: str, payload: bytes) -> bytes:
    if len(payload) > PAYLOAD_ASYNC_BYTES_MAX:
        raise PayloadTooLarge(field, len(payload), PAYLOAD_ASYNC_BYTES_MAX)
    return payload


_TASKS = "/v1/functions/{function}/tasks"
OPERATIONS: Sequence[tuple[str, str, Handler]] = (
    ("POST", _TASKS, submit),
    ("POST", f"{_TASKS}:batch", submit_batch),
)
LIMITS: Mapping[Handler, Limit] = {submit: one, submit_batch: many}
