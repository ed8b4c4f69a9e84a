"""What callers of API 2023-03-30 see of tasks and functions: pure, one function for each kind of object.

Every field is always there, so that a typed client may use it unasked; a time that has not come is 0. What is ours and
not Function Compute's: `runtimeNote` of a function and since when its queue is paused, the tags of a task and which one
it repeats, the waits between attempts and the weight in the queue of an asynchronous configuration, all but the first
only when they are set, and `taskPayloadEncoding` and `returnPayloadEncoding` of a task, which are there only when the
bytes are no UTF-8 text and stand as base64.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable

import msgspec

from sojourn import function as functions
from sojourn import identity
from sojourn.clock import milliseconds
from sojourn.destination import Delivery
from sojourn.errors import InvalidArgument
from sojourn.function import AsyncConfig, Function
from sojourn.history import Event
from sojourn.queue import wire_name
from sojourn.runtime import Runtime
from sojourn.task import Status, Task
from sojourn.times import rfc3339
from sojourn.trigger import Trigger

_ENDS_ATTEMPT = {status.value for status in (Status.RETRYING, Status.SUCCEEDED, Status.FAILED, Status.STOPPED)}
SHOWN_WHEN_SET = ("preload", "snapshot")
"""Settings of ours, which clients of Function Compute do not expect."""


def task_object(
    task: Task,
    function: Function,
    region: str,
    now: int,
    *,
    delivery: Delivery | None = None,
    bodies: bool = True,
) -> dict[str, object]:
    """AsyncTask.

    Parameters
    ----------
    task, function: the task, and the function it is a task of.
    region: for the ARN.
    now: microseconds; an attempt that runs has run until now.
    delivery: how far the record of the task is on its way to a destination, None when there is none.
    bodies: whether payload and result are shown; else they are "".

    """
    events = task.events
    shown: dict[str, object] = {
        "functionArn": functions.arn(function.account_id, function.name, region),
        "qualifier": task.qualifier,
        "taskId": wire_name(task),
        "status": task.status.value,
        "startedTime": milliseconds(task.started_at or task.created_at),
        "endTime": milliseconds(task.ended_at),
        "durationMs": milliseconds(last_attempt_duration(events, now)),
        "alreadyRetriedTimes": task.retries,
        "destinationStatus": delivery.status.value if delivery is not None else "",
        "taskErrorMessage": task.error,
        "requestId": identity.request_id(task.id),
        "instanceId": task.instance_id,
        "events": [
            {
                "eventId": event.number,
                "status": event.status,
                "timestamp": milliseconds(event.at),
                "eventDetail": event.detail,
            }
            for event in events
        ],
        "taskPayload": "",
        "returnPayload": "",
    }
    if task.tags:
        shown["taskTags"] = dict(task.tags)
    if task.rerun_of:
        shown["rerunOf"] = task.rerun_of
    if bodies:
        shown |= as_text("taskPayload", task.payload) | as_text("returnPayload", task.result)
    return shown


def last_attempt_duration(events: Iterable[Event], now: int) -> int:
    """Microseconds that the last attempt has taken, until it ended or until `now`; 0 when there was none."""
    began = ended = 0
    for event in events:
        if event.status == Status.RUNNING.value:
            began, ended = event.at, 0
        elif began and not ended and event.status in _ENDS_ATTEMPT:
            ended = event.at
    return max((ended or now) - began, 0) if began else 0


def as_text(field: str, data: bytes) -> dict[str, str]:
    """`data` as a text field; base64, and a sibling field that says so, when it is no text."""
    try:
        return {field: data.decode()}
    except UnicodeDecodeError:
        return {field: base64.b64encode(data).decode(), f"{field}Encoding": "base64"}


def function_object(function: Function, region: str, runtimes: Iterable[Runtime]) -> dict[str, object]:
    """Function; `runtimes` tell whether its interpreter is the one that was asked for."""
    shown: dict[str, object] = {
        name: value for name, value in msgspec.to_builtins(function.config).items() if value is not None
    }
    hooks = msgspec.to_builtins(function.config.instance_lifecycle_config)
    shown["instanceLifecycleConfig"] = {name: hook for name, hook in hooks.items() if hook is not None}
    for ours in SHOWN_WHEN_SET:
        if not shown[ours]:
            del shown[ours]
    if function.disabled is not None:
        shown |= {"invocationRestriction": {"disable": True, "reason": function.disabled.reason}}
    if function.paused_at:
        shown |= {"queuePausedSince": rfc3339(function.paused_at)}
    if function.version:
        shown |= {"versionId": function.version}
    return shown | {
        "functionName": function.name,
        "functionArn": functions.arn(function.account_id, function.name, region),
        "functionId": f"{function.id}-{function.generation}",
        "codeSize": function.code.size,
        "codeChecksum": function.code.checksum,
        "createdTime": rfc3339(function.created_at),
        "lastModifiedTime": rfc3339(function.modified_at),
        "state": "Active",
        "lastUpdateStatus": "Successful",
        "runtimeNote": runtime_note(function.config.runtime, runtimes),
    }


def async_config_object(config: AsyncConfig, owner: dict[str, object]) -> dict[str, object]:
    """AsyncConfig, after the fields that say whose it is; what is ours is there only when it was set."""
    ours: dict[str, object] = {
        "retryIntervalSeconds": config.retry_interval_seconds,
        "retryIntervalMaxSeconds": config.retry_interval_max_seconds,
        "queueWeight": config.queue_weight if config.queue_weight != functions.AsyncConfig().queue_weight else None,
    }
    ends = config.destination_config
    return {
        **owner,
        "asyncTask": config.async_task,
        "maxAsyncRetryAttempts": config.max_async_retry_attempts,
        "maxAsyncEventAgeInSeconds": config.max_async_event_age_in_seconds,
        "destinationConfig": {
            name: {"destination": destination.destination}
            for name, destination in (("onSuccess", ends.on_success), ("onFailure", ends.on_failure))
            if destination is not None
        },
        "createdTime": rfc3339(config.created_at),
        "lastModifiedTime": rfc3339(config.modified_at),
    } | {name: value for name, value in ours.items() if value is not None}


def trigger_object(trigger: Trigger, function: Function, region: str, url: str) -> dict[str, object]:
    """Trigger."""
    return {
        "triggerId": trigger.id,
        "triggerName": trigger.name,
        "triggerType": trigger.type,
        "triggerConfig": trigger.config,
        "qualifier": trigger.qualifier or functions.LATEST,
        "description": trigger.description,
        "invocationRole": "",
        "sourceArn": "",
        "targetArn": functions.arn(function.account_id, function.name, region),
        "status": "",
        "httpTrigger": {"urlInternet": url, "urlIntranet": url} if url else None,
        "createdTime": rfc3339(trigger.created_at),
        "lastModifiedTime": rfc3339(trigger.modified_at),
    }


def builtins(value: object) -> dict[str, object]:
    """A part of a configuration under its names on the wire, without what is not set."""
    return {name: part for name, part in msgspec.to_builtins(value).items() if part is not None}


def runtime_note(name: str, runtimes: Iterable[Runtime]) -> str:
    """What there is to say about the interpreter that a runtime's name gets here."""
    for runtime in runtimes:
        try:
            resolved = runtime.resolve(name)
        except InvalidArgument as error:
            return error.message
        if resolved is not None:
            return resolved.note
    return f"nothing on this server runs {name} any more"
