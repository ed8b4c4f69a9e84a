"""What the server answers, as typed values; field names on the wire are the camel-case form of these.

Every field has a default, so that an older or newer server's answer still decodes; a name that is not known here is
passed over. Times that end in `_time` of a task are milliseconds since 1970, 0 while they have not come.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from sojourn.task import TERMINAL, Status


class _Answer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The common form of answers: immutable, by keyword, camel case on the wire."""


class Function(_Answer, frozen=True, kw_only=True, rename="camel"):
    """A deployed function; memory and disk in MB, timeout in seconds, times in RFC 3339.

    `runtime_note` tells when the server runs it on another interpreter than the one asked for.
    """

    function_name: str
    function_arn: str = ""
    function_id: str = ""
    runtime: str = ""
    handler: str = ""
    description: str = ""
    memory_size: int = 0
    timeout: int = 0
    cpu: float | None = None
    disk_size: int = 0
    instance_concurrency: int = 1
    internet_access: bool = True
    environment_variables: dict[str, str] | None = None
    tags: list[dict[str, str]] | None = None
    code_size: int = 0
    code_checksum: str = ""
    created_time: str = ""
    last_modified_time: str = ""
    state: str = ""
    last_update_status: str = ""
    runtime_note: str = ""
    version_id: str = ""
    invocation_restriction: dict[str, Any] | None = None
    queue_paused_since: str = ""

    @property
    def disabled(self) -> bool:
        """Whether it takes no invocations."""
        return bool((self.invocation_restriction or {}).get("disable"))


class FunctionPage(_Answer, frozen=True, kw_only=True, rename="camel"):
    """Some functions; `next_token` is "" on the last page."""

    functions: list[Function]
    next_token: str = ""


class AsyncConfig(_Answer, frozen=True, kw_only=True, rename="camel"):
    """How a function's tasks are retried, and for how many seconds they may wait; None is the server's own setting."""

    function_arn: str = ""
    async_task: bool = True
    max_async_retry_attempts: int = 0
    max_async_event_age_in_seconds: int = 0
    destination_config: dict[str, dict[str, str]] = {}
    retry_interval_seconds: int | None = None
    retry_interval_max_seconds: int | None = None
    queue_weight: int = 1
    created_time: str = ""
    last_modified_time: str = ""


class Concurrency(_Answer, frozen=True, kw_only=True, rename="camel"):
    """How many of a function's tasks may run at a time."""

    function_arn: str = ""
    reserved_concurrency: int = 0


class TaskEvent(_Answer, frozen=True, kw_only=True, rename="camel"):
    """One line of a task's history: `event_id` counts from 1, `timestamp` is ms since 1970, the detail is JSON text."""

    event_id: int
    status: Status
    timestamp: int
    event_detail: str = ""

    @property
    def detail(self) -> dict[str, Any]:
        """The detail decoded; empty when there is none."""
        found = msgspec.json.decode(self.event_detail) if self.event_detail else {}
        return found if isinstance(found, dict) else {}


class Task(_Answer, frozen=True, kw_only=True, rename="camel"):
    """A task as the server shows it.

    Bytes that are no text stand as base64 in `task_payload` and `return_payload`, and the field beside says so;
    `payload` and `result` are the bytes either way.
    """

    task_id: str
    status: Status
    function_arn: str = ""
    qualifier: str = "LATEST"
    destination_status: str = ""
    started_time: int = 0
    end_time: int = 0
    duration_ms: int = 0
    task_error_message: str = ""
    task_payload: str = ""
    return_payload: str = ""
    task_payload_encoding: str | msgspec.UnsetType = msgspec.UNSET
    return_payload_encoding: str | msgspec.UnsetType = msgspec.UNSET
    already_retried_times: int = 0
    request_id: str = ""
    instance_id: str = ""
    task_tags: dict[str, str] = {}
    rerun_of: str = ""
    events: list[TaskEvent] = []

    @property
    def payload(self) -> bytes:
        """What the task was submitted with; empty where a listing leaves it out."""
        return _bytes(self.task_payload, self.task_payload_encoding)

    @property
    def result(self) -> bytes:
        """What the function returned, or its error document; empty where a listing leaves it out."""
        return _bytes(self.return_payload, self.return_payload_encoding)

    @property
    def function_name(self) -> str:
        """The function, taken from its ARN."""
        return self.function_arn.rpartition("/")[2]

    @property
    def over(self) -> bool:
        """Whether the status is terminal: it will never change again."""
        return self.status in TERMINAL

    @property
    def succeeded(self) -> bool:
        """Whether the task ended well."""
        return self.status is Status.SUCCEEDED


class TaskPage(_Answer, frozen=True, kw_only=True, rename="camel"):
    """Some tasks; `next_token` is "" on the last page."""

    tasks: list[Task]
    next_token: str = ""


class Submission(_Answer, frozen=True, kw_only=True, rename="camel"):
    """An accepted task; `existed` is True when an earlier submit of the same id had already been accepted."""

    task_id: str
    request_id: str = ""
    existed: bool = False


class Invocation(_Answer, frozen=True, kw_only=True, rename="camel"):
    """The answer of a synchronous call; `error_type` is "" when the function returned."""

    result: bytes
    error_type: str = ""
    request_id: str = ""
    instance_id: str = ""
    duration_ms: float = 0.0
    memory_peak_mb: float = 0.0
    log: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the function returned; otherwise `result` is its error document."""
        return not self.error_type


class AttemptLog(_Answer, frozen=True, kw_only=True, rename="camel"):
    """What one attempt wrote; `dropped` bytes of it were not kept."""

    attempt: int
    text: str
    dropped: int = 0


class Delivery(_Answer, frozen=True, kw_only=True, rename="camel"):
    """The record of a task on its way to its destination.

    `status` is Pending, Succeeded or Failed. `round` grows when the record is sent again on request; `attempts` and
    `last_error` are of this round. Times are text in UTC, "" for one that is not or will not be.
    """

    task_id: str
    destination: str
    status: str
    round: int = 1
    attempts: int = 0
    last_error: str = ""
    created_time: str = ""
    next_attempt_time: str = ""
    end_time: str = ""


class InFlight(_Answer, frozen=True, kw_only=True, rename="camel"):
    """Something an instance is doing; `task_id` is "" for a synchronous call."""

    request_id: str
    task_id: str = ""


class Instance(_Answer, frozen=True, kw_only=True, rename="camel"):
    """An instance of a function; memory size in MB, what it uses in bytes and seconds, None when it could not be told.

    `cold_start` holds the parts of its start in milliseconds: `sandboxMs` its account's sandbox, `runtimeMs` its
    process, `initializerMs` its Initializer, and parts of these.
    """

    id: str
    function: str
    status: str
    qualifier: str = "LATEST"
    since: str = ""
    created_time: str = ""
    memory_size: int = 0
    concurrency: int = 1
    in_flight: list[InFlight] = []
    invocations: int = 0
    ahead_of_demand: bool = False
    cold_start: dict[str, float] = {}
    memory_bytes: int | None = None
    memory_peak_bytes: int | None = None
    cpu_seconds: float | None = None
    processes: int | None = None
    isolation: dict[str, Any] = {}
    node: str = ""

    @property
    def start_ms(self) -> float:
        """How long its start took, until it could serve."""
        return sum(self.cold_start.get(part, 0.0) for part in ("sandboxMs", "runtimeMs", "initializerMs"))


class Account(_Answer, frozen=True, kw_only=True, rename="camel"):
    """A tenant; the owner operates the server."""

    account_id: str
    created_time: str | int = ""
    owner: bool = False


class AccessKey(_Answer, frozen=True, kw_only=True, rename="camel"):
    """A new account's key pair; the secret is shown this once."""

    account_id: str
    access_key_id: str
    access_key_secret: str


class Version(_Answer, frozen=True, kw_only=True, rename="camel"):
    """What the server is."""

    version: str


def _bytes(text: str, encoding: str | msgspec.UnsetType) -> bytes:
    return base64.b64decode(text) if encoding == "base64" else text.encode()
