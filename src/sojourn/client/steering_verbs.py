"""The clients' verbs of steering; what they put on the wire is said in `steering`."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from . import steering
from .conversation import Conversation, ask
from .steered import AuditPage, Operation, Queue, Rerun, TaskProgress
from .verb import Verb


class SteeringVerbs:
    """A part of both clients; `watch`, which never ends, is each one's own."""

    @Verb
    def force_stop(self, function: str, task_id: str) -> Conversation[None]:
        """Stop a task and kill what it runs on at once: no PreStop, no grace. `Conflict` when it is over."""
        return ask(steering.force_stop(function, task_id))

    @Verb
    def tag_task(self, function: str, task_id: str, tags: Mapping[str, str]) -> Conversation[dict[str, Any]]:
        """Give a task that is not over these tags in place of those it has; the task as the native API shows it.

        Raises
        ------
        Conflict: it is over.

        """
        return ask(steering.edit(function, task_id, tags))

    @Verb
    def rerun_task(
        self,
        function: str,
        task_id: str,
        *,
        payload: bytes | None = None,
        new_task_id: str | None = None,
        delay_seconds: int | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Conversation[Rerun]:
        """Run a task that is over again, as a new task; None keeps what the other one had.

        Raises
        ------
        Conflict: it is not over, or there is a task of the new id.

        """
        edits = steering.edits(payload, new_task_id, delay_seconds, tags)
        return ask(steering.rerun(function, task_id, edits))

    @Verb
    def pause_queue(self, function: str) -> Conversation[Queue]:
        """Let no task of a function start; what runs goes on."""
        return ask(steering.queue(function, paused=True))

    @Verb
    def resume_queue(self, function: str) -> Conversation[Queue]:
        """Let tasks of a function start again."""
        return ask(steering.queue(function, paused=False))

    @Verb
    def progress(self, function: str, task_id: str) -> Conversation[TaskProgress]:
        """What a task has reported of itself."""
        return ask(steering.progress(function, task_id))

    @Verb
    def report_progress(
        self,
        function: str,
        task_id: str,
        *,
        percent: float | None = None,
        message: str | None = None,
        checkpoint: bytes | None = None,
    ) -> Conversation[TaskProgress]:
        """Say how far a running task is, for what works on it elsewhere; None keeps what was reported before."""
        body: dict[str, object] = {"percent": percent, "message": message}
        if checkpoint is not None:
            body |= {"checkpoint": base64.b64encode(checkpoint).decode(), "checkpointEncoding": "base64"}
        return ask(steering.report(function, task_id, body))

    @Verb
    def begin_operation(self, verb: str, wanted: Mapping[str, object]) -> Conversation[Operation]:
        """Do something to every task that a filter means: `stop`, `rerun`, `expire` or `delete`.

        Parameters
        ----------
        verb: what.
        wanted: the filter's fields as the API has them, at least one: `status`, `function`, `createdFrom` ….

        """
        return ask(steering.begin(verb, wanted))

    @Verb
    def count_tasks(self, verb: str, wanted: Mapping[str, object]) -> Conversation[int]:
        """How many tasks `begin_operation` would change; nothing is done."""
        return ask(steering.count(verb, wanted))

    @Verb
    def list_operations(self) -> Conversation[list[Operation]]:
        """The account's operations, the youngest first."""
        return ask(steering.operations())

    @Verb
    def get_operation(self, operation_id: str) -> Conversation[Operation]:
        """One operation, and how far it is."""
        return ask(steering.operation(operation_id))

    @Verb
    def cancel_operation(self, operation_id: str) -> Conversation[Operation]:
        """Let an operation touch no further task; what it has done stays. `Conflict` when it has ended by itself."""
        return ask(steering.cancel(operation_id))

    @Verb
    def list_audit(self, *, account: str = "", limit: int = 100, next_token: str = "") -> Conversation[AuditPage]:
        """A page of the audit trail, newest first: who changed what, of the caller's account or of another one.

        Parameters
        ----------
        account: whose; "" for the caller's own. Others' are for the account that operates the server.
        limit: how many entries at most, 1 to 100.
        next_token: where the page before said that the list goes on.

        """
        return ask(steering.audit(account, limit, next_token))
