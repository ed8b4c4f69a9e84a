"""The calls a server answers, one function each: from Python's arguments to the wire of API 2023-03-30 and `/v1`.

Pure: what comes out is a `Call`. Bounds are the server's to check; only what would never arrive as it was meant
is refused here.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from sojourn.task import Status

from . import batch, model
from .batch import NewTask, Outcome
from .call import API_VERSION, Answer, Call, Progress, Submit, segment
from .errors import refused

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode


def get_function(name: str, qualifier: str = "") -> Call[model.Function]:
    """GetFunction."""
    query = _given({"qualifier": qualifier})
    return Call("GetFunction", "GET", _function(name), _json(model.Function), query=query, idempotent=True)


def create_function(body: Mapping[str, object], progress: Progress | None) -> Call[model.Function]:
    """CreateFunction; `body` is the wire's."""
    path = f"/{API_VERSION}/functions"
    return Call("CreateFunction", "POST", path, _json(model.Function), body=_encode(body), progress=progress)


def update_function(name: str, body: Mapping[str, object], progress: Progress | None) -> Call[model.Function]:
    """UpdateFunction; `body` is the wire's."""
    return Call(
        "UpdateFunction",
        "PUT",
        _function(name),
        _json(model.Function),
        body=_encode(body),
        idempotent=True,
        progress=progress,
    )


def list_functions(prefix: str, limit: int | None, next_token: str) -> Call[model.FunctionPage]:
    """ListFunctions."""
    query = _given({"prefix": prefix, "limit": limit, "nextToken": next_token})
    path = f"/{API_VERSION}/functions"
    return Call("ListFunctions", "GET", path, _json(model.FunctionPage), query=query, idempotent=True)


def delete_function(name: str) -> Call[None]:
    """DeleteFunction."""
    return Call("DeleteFunction", "DELETE", _function(name), _nothing, idempotent=True)


class TaskSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a function's tasks are treated, see `Client.put_async_config`; None keeps what is, times are in seconds."""

    retries: int | None = msgspec.field(default=None, name="maxAsyncRetryAttempts")
    max_age: int | None = msgspec.field(default=None, name="maxAsyncEventAgeInSeconds")
    retry_interval: int | None = msgspec.field(default=None, name="retryIntervalSeconds")
    retry_interval_max: int | None = msgspec.field(default=None, name="retryIntervalMaxSeconds")
    queue_weight: int | None = msgspec.field(default=None, name="queueWeight")
    destinations: dict[str, dict[str, str]] | None = msgspec.field(default=None, name="destinationConfig")


def destinations(on_success: str | None, on_failure: str | None) -> dict[str, dict[str, str]] | None:
    """Where records of ended tasks go, as the wire has it; None keeps what is, "" is nowhere."""
    ends = {"onSuccess": on_success, "onFailure": on_failure}
    return {end: {"destination": target} for end, target in ends.items() if target is not None} or None


def put_async_config(name: str, settings: TaskSettings, qualifier: str = "") -> Call[model.AsyncConfig]:
    """PutAsyncInvokeConfig."""
    body: dict[str, object] = {"asyncTask": True} | msgspec.to_builtins(settings)
    return Call(
        "PutAsyncInvokeConfig",
        "PUT",
        _function(name, "async-invoke-config"),
        _json(model.AsyncConfig),
        query=_given({"qualifier": qualifier}),
        body=_encode(body),
        idempotent=True,
    )


def get_async_config(name: str, qualifier: str = "") -> Call[model.AsyncConfig]:
    """GetAsyncInvokeConfig."""
    path, query = _function(name, "async-invoke-config"), _given({"qualifier": qualifier})
    return Call("GetAsyncInvokeConfig", "GET", path, _json(model.AsyncConfig), query=query, idempotent=True)


def delete_async_config(name: str, qualifier: str = "") -> Call[None]:
    """DeleteAsyncInvokeConfig."""
    path, query = _function(name, "async-invoke-config"), _given({"qualifier": qualifier})
    return Call("DeleteAsyncInvokeConfig", "DELETE", path, _nothing, query=query, idempotent=True)


def put_concurrency(name: str, reserved: int) -> Call[model.Concurrency]:
    """PutConcurrencyConfig."""
    return Call(
        "PutConcurrencyConfig",
        "PUT",
        _function(name, "concurrency"),
        _json(model.Concurrency),
        body=_encode({"reservedConcurrency": reserved}),
        idempotent=True,
    )


def get_concurrency(name: str) -> Call[model.Concurrency]:
    """GetConcurrencyConfig."""
    path = _function(name, "concurrency")
    return Call("GetConcurrencyConfig", "GET", path, _json(model.Concurrency), idempotent=True)


def delete_concurrency(name: str) -> Call[None]:
    """DeleteConcurrencyConfig."""
    return Call("DeleteConcurrencyConfig", "DELETE", _function(name, "concurrency"), _nothing, idempotent=True)


def submit(
    name: str,
    payload: bytes,
    task_id: str | None,
    delay_seconds: int | None,
    qualifier: str = "",
    *,
    tags: Mapping[str, str] | None = None,
    idempotent: bool,
) -> Call[model.Submission]:
    """InvokeFunction, asynchronously."""
    headers = {"x-fc-invocation-type": "Async"}
    if task_id is not None:
        headers["x-fc-async-task-id"] = _header("task_id", task_id)
    if delay_seconds is not None:
        headers["x-fc-async-delay"] = str(delay_seconds)
    if tags:
        headers["x-sojourn-task-tags"] = _tags(tags)

    def decode(answer: Answer) -> model.Submission:
        accepted = answer.headers.get("x-fc-async-task-id") or task_id or answer.request_id
        if not accepted:
            raise ValueError("no task id in the headers")
        return model.Submission(task_id=accepted, request_id=answer.request_id)

    task = NewTask(payload, task_id, delay_seconds, qualifier, tags or {})
    return _invocation(name, payload, headers, decode, qualifier, idempotent=idempotent, submit=Submit(name, task))


def submit_lines(name: str, lines: Sequence[bytes], *, idempotent: bool = False) -> Call[list[Outcome]]:
    """Submit a task a line, each JSON as `POST /v1/functions/{function}/tasks` takes it; none may be empty."""
    return Call(
        "SubmitTasks",
        "POST",
        f"/v1/functions/{segment('function', name)}/tasks:batch",
        lambda answer: batch.outcomes(answer.body, len(lines)),
        body=b"\n".join(lines),
        content_type="application/x-ndjson",
        idempotent=idempotent,
    )


def invoke(name: str, payload: bytes, timeout_seconds: float, qualifier: str = "") -> Call[model.Invocation]:
    """InvokeFunction, synchronously, with the end of its log."""
    headers = {"x-fc-invocation-type": "Sync", "x-fc-log-type": "Tail"}
    return _invocation(name, payload, headers, _invoked, qualifier, timeout_seconds=timeout_seconds)


def get_task(name: str, task_id: str) -> Call[model.Task]:
    """GetAsyncTask."""
    return Call("GetAsyncTask", "GET", _task(name, task_id), _json(model.Task), idempotent=True)


class TaskFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which tasks a listing shows; times in ms since 1970, inclusive; `limit` is the page size."""

    status: Status | None = None
    prefix: str = ""
    started_from: int | None = None
    started_to: int | None = None
    ascending: bool = False
    include_payload: bool = False
    limit: int | None = None


def list_tasks(name: str, wanted: TaskFilter, next_token: str) -> Call[model.TaskPage]:
    """ListAsyncTasks."""
    query = _given(
        {
            "status": wanted.status.value if wanted.status else "",
            "prefix": wanted.prefix,
            "startedTimeBegin": wanted.started_from,
            "startedTimeEnd": wanted.started_to,
            "sortOrderByTime": "asc" if wanted.ascending else "desc",
            "includePayload": "true" if wanted.include_payload else "",
            "limit": wanted.limit,
            "nextToken": next_token,
        }
    )
    path = _function(name, "async-tasks")
    return Call("ListAsyncTasks", "GET", path, _json(model.TaskPage), query=query, idempotent=True)


def stop_task(name: str, task_id: str) -> Call[None]:
    """StopAsyncTask."""
    return Call("StopAsyncTask", "PUT", _task(name, task_id) + "/stop", _nothing, idempotent=True)


def logs(name: str, task_id: str) -> Call[list[model.AttemptLog]]:
    """What each attempt of a task wrote."""

    def decode(answer: Answer) -> list[model.AttemptLog]:
        return msgspec.json.decode(answer.body, type=_Logs).logs

    return Call("GetTaskLogs", "GET", _native(name, task_id, "logs"), decode, idempotent=True)


def follow_logs(name: str, task_id: str) -> Call[None]:
    """What the attempts of a task write, as it comes; the answer is text without an end, so it is never decoded."""
    path = _native(name, task_id, "logs")
    return Call("FollowTaskLogs", "GET", path, _nothing, query={"follow": "true"}, timeout_seconds=0)


def deliveries(name: str, task_id: str) -> Call[list[model.Delivery]]:
    """Where the record of a task goes, and how far it is."""

    def decode(answer: Answer) -> list[model.Delivery]:
        return msgspec.json.decode(answer.body, type=_Deliveries).deliveries

    return Call("GetTaskDeliveries", "GET", _native(name, task_id, "deliveries"), decode, idempotent=True)


def resend(name: str, task_id: str) -> Call[model.Delivery]:
    """Send the record of a task again."""
    return Call("ResendTaskDelivery", "POST", _native(name, task_id, "deliveries:resend"), _json(model.Delivery))


def webhook_secret(*, rotate: bool) -> Call[str]:
    """The secret that signs records, or another one from now on."""

    def decode(answer: Answer) -> str:
        return msgspec.json.decode(answer.body, type=_Secret).secret

    if rotate:
        return Call("RotateWebhookSecret", "POST", "/v1/webhook-secret", decode)
    return Call("GetWebhookSecret", "GET", "/v1/webhook-secret", decode, idempotent=True)


def instances(function: str | None) -> Call[list[model.Instance]]:
    """The account's instances, or those of one function."""

    def decode(answer: Answer) -> list[model.Instance]:
        return msgspec.json.decode(answer.body, type=_Instances).instances

    query = _given({"function": function})
    return Call("ListInstances", "GET", "/v1/instances", decode, query=query, idempotent=True)


def create_account(account_id: str) -> Call[model.AccessKey]:
    """Make an account with a key pair."""
    body = _encode({"accountId": account_id})
    return Call("CreateAccount", "POST", "/v1/accounts", _json(model.AccessKey), body=body)


def list_accounts() -> Call[list[model.Account]]:
    """All accounts, oldest first."""

    def decode(answer: Answer) -> list[model.Account]:
        return msgspec.json.decode(answer.body, type=_Accounts).accounts

    return Call("ListAccounts", "GET", "/v1/accounts", decode, idempotent=True)


def version() -> Call[model.Version]:
    """What the server is; needs no key."""
    return Call("GetVersion", "GET", "/version", _json(model.Version), idempotent=True, signed=False)


class _Logs(msgspec.Struct):
    logs: list[model.AttemptLog]


class _Deliveries(msgspec.Struct):
    deliveries: list[model.Delivery]


class _Secret(msgspec.Struct):
    secret: str


class _Instances(msgspec.Struct):
    instances: list[model.Instance]


class _Accounts(msgspec.Struct):
    accounts: list[model.Account]


def _json(kind: type[T]) -> Callable[[Answer], T]:
    return lambda answer: msgspec.json.decode(answer.body, type=kind)


def _nothing(answer: Answer) -> None:
    del answer  # an accepted order has no content


def _function(name: str, *below: str) -> str:
    return "/".join((f"/{API_VERSION}/functions", segment("function", name), *below))


def _task(name: str, task_id: str) -> str:
    return _function(name, "async-tasks", segment("task_id", task_id))


def _native(name: str, task_id: str, below: str) -> str:
    return f"/v1/functions/{segment('function', name)}/tasks/{segment('task_id', task_id)}/{below}"


def _invocation(
    name: str,
    payload: bytes,
    headers: Mapping[str, str],
    decode: Callable[[Answer], T],
    qualifier: str,
    *,
    idempotent: bool = False,
    timeout_seconds: float | None = None,
    submit: Submit | None = None,
) -> Call[T]:
    return Call(
        "InvokeFunction",
        "POST",
        _function(name, "invocations"),
        decode,
        query=_given({"qualifier": qualifier}),
        headers=headers,
        body=payload,
        content_type="application/octet-stream",
        idempotent=idempotent,
        timeout_seconds=timeout_seconds,
        submit=submit,
    )


def _invoked(answer: Answer) -> model.Invocation:
    headers = answer.headers
    try:
        log = base64.b64decode(headers.get("x-fc-log-result", "")).decode("utf-8", "replace")
    except binascii.Error as error:
        raise ValueError("x-fc-log-result is not base64") from error
    return model.Invocation(
        result=answer.body,
        error_type=headers.get("x-fc-error-type", ""),
        request_id=answer.request_id,
        instance_id=headers.get("x-fc-instance-id", ""),
        duration_ms=float(headers.get("x-fc-invocation-duration") or 0),
        memory_peak_mb=float(headers.get("x-fc-max-memory-usage") or 0),
        log=log,
    )


def _given(query: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in query.items() if value not in (None, "")}


def _tags(tags: Mapping[str, str]) -> str:
    """Tags as a header has them; what would be read as another tag is refused."""
    for key, value in tags.items():
        if "," in key or "=" in key or "," in value:
            raise refused("tags", f"{key}={value}", "must have keys without ',' and '=', and values without ','")
    return _header("tags", ",".join(f"{key}={value}" for key, value in tags.items()))


def _header(name: str, value: str) -> str:
    if not value or not (value.isascii() and value.isprintable()):
        raise refused(name, value, "must be printable ASCII")
    return value
