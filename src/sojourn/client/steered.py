"""What comes back from steering: operations on many tasks, progress, queues, tasks that repeat others, the trail."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from .model import _Answer


class Operation(_Answer, frozen=True, kw_only=True, rename="camel"):
    """An operation on many tasks; `total` is None until they are counted, times are RFC 3339, `end_time` None so far.

    `done` counts the tasks that it changed, `skipped` those that it could not, the last time for `skipped_reason`.
    """

    operation_id: str
    verb: str
    status: str
    filter: dict[str, Any] = msgspec.field(default_factory=dict)
    actor: str = ""
    total: int | None = None
    done: int = 0
    skipped: int = 0
    skipped_reason: str = ""
    created_time: str = ""
    end_time: str | None = None

    @property
    def over(self) -> bool:
        """Whether it does nothing any more."""
        return self.status != "Running"


class TaskProgress(_Answer, frozen=True, kw_only=True, rename="camel"):
    """What a task reported of itself; `attempt` is 0 when it never did, `data` is its checkpoint."""

    task_id: str
    attempt: int = 0
    percent: float | None = None
    message: str = ""
    reported_time: str | None = None
    checkpoint: str = ""

    @property
    def data(self) -> bytes:
        """The checkpoint as bytes."""
        return base64.b64decode(self.checkpoint)


class Queue(_Answer, frozen=True, kw_only=True, rename="camel"):
    """Whether the queue of a function stands still, and since when."""

    function_name: str
    paused: bool
    paused_since: str = ""


class Rerun(_Answer, frozen=True, kw_only=True, rename="camel"):
    """A task that repeats another one."""

    task_id: str
    rerun_of: str
    request_id: str = ""
    status: str = ""
    tags: dict[str, str] = msgspec.field(default_factory=dict)


class AuditEntry(_Answer, frozen=True, kw_only=True, rename="camel"):
    """A call that was to change something; `time` is RFC 3339, `actor` the id of the key or token it came with.

    `target` is its path, `status` that of the answer, and `code` the error's, "" when there was none.
    """

    time: str = ""
    account: str = ""
    actor: str = ""
    operation: str = ""
    method: str = ""
    target: str = ""
    request_id: str = ""
    status: int = 0
    code: str = ""


class AuditPage(_Answer, frozen=True, kw_only=True, rename="camel"):
    """Some entries of the audit trail, newest first; `next_token` is "" on the last page."""

    entries: list[AuditEntry] = msgspec.field(default_factory=list)
    next_token: str = ""
