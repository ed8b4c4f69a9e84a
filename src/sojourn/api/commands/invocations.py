"""InvokeFunction: asynchronously it submits a task, synchronously it calls the function and waits.

A task's answer leaves when the task is durable and before anything of it runs. A synchronous answer is 200 also when
the function failed, as Function Compute does it: a header says so and the body is the error document. A synchronous
caller that goes away ends what it has begun.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping

from sojourn import identity
from sojourn.api.answer import BYTES, JSON, REQUEST_ID, Answer
from sojourn.api.call import Call
from sojourn.api.request import ClientGone
from sojourn.background import cancel
from sojourn.call import Answer as Result
from sojourn.crashpoint import crashpoint
from sojourn.errors import InvalidArgument, ServiceUnavailable
from sojourn.function import (
    DELAY_SECONDS_BOUNDS,
    PAYLOAD_ASYNC_BYTES_MAX,
    PAYLOAD_SYNC_BYTES_MAX,
    Function,
    check_digits,
    check_task_name,
)
from sojourn.output import whole
from sojourn.queue import wire_name
from sojourn.refusals import FunctionDisabled
from sojourn.store import Log
from sojourn.tags import HEADER as TAGS
from sojourn.tags import parse_tags
from sojourn.task import Failure

from .named import version_of

TASK_ID = b"x-fc-async-task-id"
OLDER_TASK_ID = b"x-fc-stateful-async-invocation-id"
"""What the generations before call it; both are taken, and both are given."""
DELAY = b"x-fc-async-delay"
TYPE = b"x-fc-invocation-type"
LOG_TAIL_BYTES = 4096
_TYPES = {b"sync": False, b"async": True}
_LOG_TYPES = {b"none": False, b"tail": True}


def payload_limit(headers: Mapping[bytes, bytes]) -> tuple[str, int]:
    """The bound of the payload, by the kind of call."""
    if is_async(headers):
        return "the payload of an asynchronous call", PAYLOAD_ASYNC_BYTES_MAX
    return "the payload of a synchronous call", PAYLOAD_SYNC_BYTES_MAX


async def invoke(call: Call) -> Answer:
    """Call a function, or have it called."""
    headers = call.headers
    function = version_of(call)
    if function.disabled is not None:
        raise FunctionDisabled(function.name, function.disabled.reason)
    tail = _choice(headers, b"x-fc-log-type", _LOG_TYPES, "None or Tail")
    if not is_async(headers):
        task_name(headers)  # what only a task has is not looked at, but has to be right
        _delay(headers)
        _tags(headers)
        result = await unless_gone(call, function, call.body)
        return sync_answer(result, function, call.request_id, tail=tail)
    return await submitted(call, function, call.dialect.qualifier(call) or "")


async def submitted(call: Call, function: Function, qualifier: str) -> Answer:
    """Submit a task of `function` with the call's body and headers; `qualifier` is what the caller asked for."""
    headers = call.headers
    task = await call.backend.queue.submit(
        function,
        call.body,
        name=task_name(headers),
        number=call.number,
        qualifier=qualifier,
        delay_seconds=_delay(headers),
        tags=_tags(headers),
    )
    crashpoint("api.submit.answering")
    request_id = identity.request_id(task.id).encode()
    name = request_id if task.name is None else wire_name(task).encode()
    return Answer(202, headers=((REQUEST_ID, request_id), (TASK_ID, name), (OLDER_TASK_ID, name)))


def task_name(headers: Mapping[bytes, bytes]) -> str | None:
    """The task id that the caller chose, None when it chose none.

    Raises
    ------
    InvalidArgument: it cannot be one, or two different ones are given.

    """
    given, older = headers.get(TASK_ID), headers.get(OLDER_TASK_ID)
    if not given and not older:
        return None
    if given and older and given != older:
        raise InvalidArgument(
            OLDER_TASK_ID.decode(), older.decode("latin-1"), f"must be the same as {TASK_ID.decode()}"
        )
    field, value = (TASK_ID, given) if given else (OLDER_TASK_ID, older or b"")
    return check_task_name(value.decode("latin-1"), field.decode())


def sync_answer(result: Result, function: Function, request_id: str, *, tail: bool) -> Answer:
    """What a synchronous call came to, as its answer; `tail` asks for the end of its log."""
    headers = [
        (b"x-fc-instance-id", result.instance_id.encode()),
        (b"x-fc-invocation-duration", b"%d" % round(result.duration_us / 1000)),
        (b"x-fc-max-memory-usage", b"%.2f" % (result.memory_peak_bytes / 1024 / 1024)),
        (b"x-fc-invocation-service-version", function.qualifier.encode()),
        (b"x-fc-code-checksum", function.code.checksum.encode()),
    ]
    if tail:
        headers.append((b"x-fc-log-result", base64.b64encode(log_tail(result.log, request_id))))
    outcome = result.outcome
    if not isinstance(outcome, Failure):
        return Answer(200, outcome.result, BYTES, tuple(headers))
    if outcome.lost:
        raise ServiceUnavailable(f"the instance was lost: {outcome.message}")
    headers.append((b"x-fc-error-type", outcome.kind.encode("latin-1", "replace")))
    return Answer(200, outcome.document, JSON, tuple(headers))


def log_tail(log: Log, request_id: str) -> bytes:
    """The last 4 KiB of what a call wrote, in its sections; a silent call has the lines of its section all the same."""
    text = whole(log)
    if not text:
        text = f"FC Invoke Start RequestId: {request_id}\nFC Invoke End RequestId: {request_id}\n".encode()
    return text[-LOG_TAIL_BYTES:]


async def unless_gone(call: Call, function: Function, payload: bytes, *, http: bool = False) -> Result:
    """Call the function for as long as the caller waits."""
    work = asyncio.ensure_future(call.backend.dispatcher.invoke(function, payload, call.request_id, http=http))
    leaving = asyncio.ensure_future(call.request.gone())
    try:
        await asyncio.wait((work, leaving), return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return await work
        raise ClientGone
    finally:
        await cancel(work, leaving)


def _delay(headers: Mapping[bytes, bytes]) -> int:
    given = headers.get(DELAY)
    return check_digits(DELAY.decode(), given.decode("latin-1"), DELAY_SECONDS_BOUNDS, "seconds") if given else 0


def _tags(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """The tags that a task is to have."""
    given = headers.get(TAGS)
    if not given:
        return {}
    try:
        text = given.decode()
    except UnicodeDecodeError:
        raise InvalidArgument(TAGS.decode(), given, "must be UTF-8") from None
    return parse_tags(TAGS.decode(), text)


def is_async(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a call is to be made later."""
    return _choice(headers, TYPE, _TYPES, "Sync or Async")


def _choice(headers: Mapping[bytes, bytes], name: bytes, choices: Mapping[bytes, bool], words: str) -> bool:
    value = headers.get(name)
    if not value:
        return False
    choice = choices.get(value.lower())
    if choice is None:
        raise InvalidArgument(name.decode(), value.decode("latin-1"), f"must be {words}")
    return choice
