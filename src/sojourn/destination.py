"""Destinations: which record of a finished task goes where, what is in it, and what an attempt to deliver it leads to.

Pure. A task that ends has at most one delivery, written with its last status in one transaction, so that none is lost
and none is made for an end that did not happen. The row is small: the record itself is built from the task's row, which
does not change any more, so that every attempt sends the same bytes. Loops and waiting are left to `deliveries`.

Times are microseconds since 1970; `0` means *not yet*.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from enum import Enum

import msgspec

from . import identity
from .function import LATEST, Function, arn
from .task import INSTANCE_LOST, MESSAGE_TOO_OLD, Status, Task

BACKOFF_BASE_SECONDS = 0.5
BACKOFF_CAP_SECONDS = 300.0
BACKOFF_JITTER = 0.2
RETRY_AFTER_SECONDS_MAX = 600.0
"""The longest wait that a target may ask for."""
HOPS_MAX = 8
"""How many functions may follow one another by destinations: beyond it is a loop."""
ERROR_CHARACTERS_MAX = 500
INVOCATION_ERROR = "InvocationError"
STOPPED_BY_USER = "StoppedByUser"

RETRIED = frozenset({408, 425, 429})
"""The statuses below 500 that are no final word."""
_STATUS_CODES: Mapping[Status, int] = {Status.STOPPED: 499, Status.EXPIRED: 408, Status.INVALID: 412}
_DERIVED = re.compile(r"destination-([1-9][0-9]?)-1-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{12}(-[0-9]+)?")


class DeliveryStatus(Enum):
    """How far a delivery is; spelled as callers see it in `destinationStatus`."""

    PENDING = "Pending"
    """It was not tried yet, or will be tried again."""
    SUCCEEDED = "Succeeded"
    """The target took the record."""
    FAILED = "Failed"
    """The target refused it, or did not take it in time."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """The record of one finished task on its way to its target; a task has at most one, so `task_id` identifies it.

    `target` is text as it was configured when the task ended. `round` counts from 1 and grows when somebody asks for
    the record to be sent again; `begun_at` is when the round began, `attempts` and `last_error` are of this round.
    Writes are compare-and-set on `epoch`.
    """

    task_id: int
    function_id: int
    account_id: str
    target: str
    status: DeliveryStatus = DeliveryStatus.PENDING
    epoch: int = 1
    round: int = 1
    attempts: int = 0
    due_at: int = 0
    last_error: str = ""
    created_at: int = 0
    begun_at: int = 0
    ended_at: int = 0

    @property
    def over(self) -> bool:
        """Whether nothing more is going to be sent."""
        return self.status is not DeliveryStatus.PENDING


class Delivered(msgspec.Struct, frozen=True):
    """The target took the record."""


class Refused(msgspec.Struct, frozen=True):
    """The target will never take it, or is none."""

    reason: str


class Deferred(msgspec.Struct, frozen=True):
    """It did not work this time; `after_seconds` is the wait the target asked for."""

    reason: str
    after_seconds: float | None = None


Verdict = Delivered | Refused | Deferred


class RequestContext(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which task it was, and in one word what went wrong with it."""

    request_id: str
    function_arn: str
    condition: str
    approximate_invoke_count: int


class ResponseContext(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Whether the function answered (200, also with an error of its own), or the system did."""

    status_code: int
    function_error: str


class Record(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a target gets (FC: result callback), its fields in this order.

    Payloads are text. One that is no UTF-8 stands as base64, and only then a field beside it says so.
    """

    timestamp: int
    request_context: RequestContext
    request_payload: str
    request_payload_encoding: str | msgspec.UnsetType = msgspec.UNSET
    response_context: ResponseContext
    response_payload: str
    response_payload_encoding: str | msgspec.UnsetType = msgspec.UNSET


def delivery_of(task: Task, function: Function, now: int) -> Delivery | None:
    """The delivery that the end of `task` asks for, by the configuration of its function as it stands now."""
    config = function.async_config_of(task.qualifier)
    if config is None:
        return None
    ends = config.destination_config
    destination = ends.on_success if task.status is Status.SUCCEEDED else ends.on_failure
    if destination is None:
        return None
    return Delivery(
        task_id=task.id,
        function_id=task.function_id,
        account_id=task.account_id,
        target=destination.destination,
        due_at=now,
        created_at=now,
        begun_at=now,
    )


def record_of(task: Task, function: Function, region: str) -> bytes:
    """The record of a task that is over, as JSON; the same bytes however often it is built."""
    condition, context, answer = _how_it_ended(task)
    request, request_encoding = _text(task.payload)
    response, response_encoding = _text(answer)
    return msgspec.json.encode(
        Record(
            timestamp=task.ended_at // 1_000,
            request_context=RequestContext(
                request_id=identity.request_id(task.id),
                function_arn=_arn(task, function, region),
                condition=condition,
                approximate_invoke_count=task.attempts,
            ),
            request_payload=request,
            request_payload_encoding=request_encoding,
            response_context=context,
            response_payload=response,
            response_payload_encoding=response_encoding,
        )
    )


def attempted(delivery: Delivery, verdict: Verdict, now: int, spread: float, give_up_seconds: float) -> Delivery:
    """The delivery after an attempt; `spread` is a random number in [-1, 1] for the wait before the next one.

    A last attempt is made when the time is over, so that a target that comes back in time is never missed by a wait.
    """
    changed = msgspec.structs.replace(delivery, epoch=delivery.epoch + 1, attempts=delivery.attempts + 1)
    if isinstance(verdict, Delivered):
        return msgspec.structs.replace(
            changed, status=DeliveryStatus.SUCCEEDED, last_error="", due_at=0, ended_at=max(now, 1)
        )
    reason = verdict.reason[:ERROR_CHARACTERS_MAX]
    end = delivery.begun_at + int(give_up_seconds * 1_000_000)
    if isinstance(verdict, Refused) or now >= end:
        return msgspec.structs.replace(
            changed, status=DeliveryStatus.FAILED, last_error=reason, due_at=0, ended_at=max(now, 1)
        )
    seconds = min(BACKOFF_BASE_SECONDS * 2.0 ** min(delivery.attempts, 30), BACKOFF_CAP_SECONDS)
    seconds *= 1.0 + BACKOFF_JITTER * spread
    if verdict.after_seconds is not None:
        seconds = max(seconds, min(verdict.after_seconds, RETRY_AFTER_SECONDS_MAX))
    return msgspec.structs.replace(changed, last_error=reason, due_at=min(now + int(seconds * 1_000_000), end))


def resent(delivery: Delivery, now: int) -> Delivery:
    """The delivery at the beginning of another round, whatever became of the one before."""
    return msgspec.structs.replace(
        delivery,
        status=DeliveryStatus.PENDING,
        epoch=delivery.epoch + 1,
        round=delivery.round + 1,
        attempts=0,
        last_error="",
        due_at=now,
        begun_at=now,
        ended_at=0,
    )


def verdict_of(status: int, retry_after: str | None, now: int) -> Verdict:
    """What an HTTP status means: 2xx is taken, 5xx and a few more may work later, all else is final."""
    ok, redirect, wrong, broken = 200, 300, 400, 500
    if ok <= status < redirect:
        return Delivered()
    if status >= broken or status in RETRIED:
        return Deferred(f"the target answered {status}", retry_after_seconds(retry_after, now))
    said = "which is a redirect, and none is followed" if redirect <= status < wrong else "which is final"
    return Refused(f"the target answered {status}, {said}")


def retry_after_seconds(text: str | None, now: int) -> float | None:
    """The wait that a Retry-After header asks for, in seconds or as a date; None when it is absent or unreadable."""
    if not text:
        return None
    if text.strip().isdecimal():
        return float(text.strip()[:9])
    try:
        at = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(at - now / 1_000_000, 0.0)


def derived_name(task: Task, delivery: Delivery) -> str:
    """The task id under which the record of `task` is submitted to a function: the same at every attempt of a round.

    It also carries how many functions came before by way of destinations, see `hops`.
    """
    again = f"-{delivery.round}" if delivery.round > 1 else ""
    return f"destination-{hops(task) + 1}-{identity.request_id(task.id)}{again}"


def hops(task: Task) -> int:
    """How many deliveries to functions led to this task."""
    match = _DERIVED.fullmatch(task.name or "")
    return int(match[1]) if match else 0


def _arn(task: Task, function: Function, region: str) -> str:
    """How the record names the function: one of a service as its generation does, with the qualifier."""
    if not function.service:
        return arn(task.account_id, function.name, region)
    service = f"{function.service}.{task.qualifier or LATEST}"
    return f"acs:fc:{region}:{task.account_id}:services/{service}/functions/{function.short_name}"


def _how_it_ended(task: Task) -> tuple[str, ResponseContext, bytes]:
    """Condition, response context and response payload, by the last status and the detail of its event."""
    if task.status is Status.SUCCEEDED:
        return "", ResponseContext(status_code=200, function_error=""), task.result
    detail = msgspec.json.decode(task.events[-1].detail or "{}", type=dict[str, object])
    refusal = _error(str(detail.get("Error", "")), str(detail.get("message", "")))
    if task.status is not Status.FAILED:
        answers = {
            Status.STOPPED: _error(STOPPED_BY_USER, "the task was stopped"),
            Status.EXPIRED: _error(MESSAGE_TOO_OLD, "the task grew too old before it was started"),
            Status.INVALID: refusal,
        }
        code = _STATUS_CODES[task.status]
        return task.status.value, ResponseContext(status_code=code, function_error=""), answers[task.status]
    system = ResponseContext(status_code=500, function_error="")
    if detail.get("errorType") == INSTANCE_LOST:  # by our own fault
        return INSTANCE_LOST, system, task.result
    if "message" in detail:  # it could not be started again
        return str(detail.get("Error")), system, refusal
    condition = MESSAGE_TOO_OLD if detail.get("cause") == MESSAGE_TOO_OLD else task.error
    return condition, ResponseContext(status_code=200, function_error=INVOCATION_ERROR), task.result


def _error(type_: str, message: str) -> bytes:
    return msgspec.json.encode({"errorMessage": message, "errorType": type_})


def _text(data: bytes) -> tuple[str, str | msgspec.UnsetType]:
    try:
        return data.decode(), msgspec.UNSET
    except UnicodeDecodeError:
        return base64.b64encode(data).decode(), "base64"
