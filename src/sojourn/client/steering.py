"""The calls of steering: stops that kill, reruns, queues, progress, operations on many tasks. Pure, as `calls`."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import msgspec

from .call import Answer, Call, segment
from .naming import given, one
from .steered import AuditPage, Operation, Queue, Rerun, TaskProgress

VERBS = ("stop", "rerun", "expire", "delete")


def task_path(function: str, task_id: str, below: str = "") -> str:
    """Where a task is in the native API."""
    path = f"/v1/functions/{segment('function', function)}/tasks/{segment('task_id', task_id)}"
    return f"{path}/{below}" if below else path


def document(path: str, query: Mapping[str, str] | None = None) -> Call[dict[str, Any]]:
    """Whatever object the native API has at `path`."""
    return Call("Get", "GET", path, _document, query=query or {}, idempotent=True)


def watch(function: str | None, task_id: str | None, last_event_id: str) -> Call[None]:
    """WatchTasks; the answer is a stream without an end, so it is never decoded."""
    query = {"function": function, "taskId": task_id, "lastEventId": last_event_id or None}
    given_query = {name: value for name, value in query.items() if value}
    return Call("WatchTasks", "GET", "/v1/watch", _nothing, query=given_query, timeout_seconds=0)


def force_stop(function: str, task_id: str) -> Call[None]:
    """StopTask, with force."""
    path = task_path(function, task_id, "stop")
    return Call("StopTask", "POST", path, _nothing, body=given(force=True), idempotent=True)


def edit(function: str, task_id: str, tags: Mapping[str, str]) -> Call[dict[str, Any]]:
    """EditTask."""
    body = given(tags=dict(tags))
    return Call("EditTask", "PATCH", task_path(function, task_id), _document, body=body, idempotent=True)


def rerun(function: str, task_id: str, edits: Mapping[str, object]) -> Call[Rerun]:
    """RerunTask; `edits` are what differs from the task that is run again."""
    path = task_path(function, task_id, "rerun")
    return Call("RerunTask", "POST", path, one(Rerun), body=msgspec.json.encode(edits))


def edits(
    payload: bytes | None, task_id: str | None, delay_seconds: int | None, tags: Mapping[str, str] | None
) -> dict[str, object]:
    """What differs in a rerun, as the wire has it; None keeps what is."""
    found: dict[str, object] = {}
    if payload is not None:
        found |= {"payload": base64.b64encode(payload).decode(), "payloadEncoding": "base64"}
    rest = {"taskId": task_id, "delaySeconds": delay_seconds, "tags": tags}
    return found | {name: value for name, value in rest.items() if value is not None}


def queue(function: str, *, paused: bool) -> Call[Queue]:
    """PauseQueue or ResumeQueue."""
    verb = "pause" if paused else "resume"
    path = f"/v1/functions/{segment('function', function)}/queue:{verb}"
    return Call(f"{verb.capitalize()}Queue", "POST", path, one(Queue), idempotent=True)


def progress(function: str, task_id: str) -> Call[TaskProgress]:
    """GetProgress."""
    return Call("GetProgress", "GET", task_path(function, task_id, "progress"), one(TaskProgress), idempotent=True)


def report(function: str, task_id: str, body: Mapping[str, object]) -> Call[TaskProgress]:
    """ReportProgress."""
    return Call(
        "ReportProgress",
        "POST",
        task_path(function, task_id, "progress"),
        one(TaskProgress),
        body=msgspec.json.encode({name: value for name, value in body.items() if value is not None}),
        idempotent=True,
    )


def begin(verb: str, wanted: Mapping[str, object]) -> Call[Operation]:
    """StopTasks, RerunTasks, ExpireTasks or DeleteTasks."""
    return Call(f"{verb.capitalize()}Tasks", "POST", f"/v1/tasks:{verb}", one(Operation), body=given(filter=wanted))


def count(verb: str, wanted: Mapping[str, object]) -> Call[int]:
    """How many tasks an operation would change."""

    def decode(answer: Answer) -> int:
        return int(msgspec.json.decode(answer.body)["count"])

    body = given(filter=wanted, dryRun=True)
    return Call(f"{verb.capitalize()}Tasks", "POST", f"/v1/tasks:{verb}", decode, body=body, idempotent=True)


def operations() -> Call[list[Operation]]:
    """ListOperations."""

    def decode(answer: Answer) -> list[Operation]:
        return msgspec.json.decode(answer.body, type=_Operations).operations

    return Call("ListOperations", "GET", "/v1/operations", decode, idempotent=True)


def operation(operation_id: str) -> Call[Operation]:
    """GetOperation."""
    path = f"/v1/operations/{segment('operation_id', operation_id)}"
    return Call("GetOperation", "GET", path, one(Operation), idempotent=True)


def cancel(operation_id: str) -> Call[Operation]:
    """CancelOperation."""
    path = f"/v1/operations/{segment('operation_id', operation_id)}"
    return Call("CancelOperation", "DELETE", path, one(Operation), idempotent=True)


def audit(account: str, limit: int, next_token: str) -> Call[AuditPage]:
    """ListAudit."""
    query = {"limit": str(limit)} | ({"account": account} if account else {})
    query |= {"nextToken": next_token} if next_token else {}
    return Call("ListAudit", "GET", "/v1/audit", one(AuditPage), query=query, idempotent=True)


class _Operations(msgspec.Struct):
    operations: list[Operation]


def _document(answer: Answer) -> dict[str, Any]:
    return msgspec.json.decode(answer.body, type=dict[str, Any])


def _nothing(answer: Answer) -> None:
    del answer
