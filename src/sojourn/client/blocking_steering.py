"""The blocking client's verbs of steering; what they put on the wire is said in `steering`."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from . import events, steering
from .call import Call
from .conversation import Conversation, ask
from .steered import AuditEntry, AuditPage, Operation, Queue, Rerun, TaskProgress

T = TypeVar("T")


class SteeringVerbs:
    """A part of `blocking.Client`."""

    def _run(self, talk: Conversation[T]) -> T:
        raise NotImplementedError

    # Steering ---------------------------------------------------------------------------------------------------------

    def _text(self, call: Call[None]) -> Iterator[str]:
        raise NotImplementedError

    def watch(
        self, function: str | None = None, task_id: str | None = None, *, last_event_id: str = ""
    ) -> Iterator[dict[str, Any]]:
        """Every step of tasks as it becomes durable: of the account, of a function, or of one task.

        Each is a dictionary with `account`, `function`, `taskId`, `eventId`, `status`, `timestamp` and `eventDetail`,
        and in `id` what `last_event_id` takes to go on after it.
        """
        return events.told(self._text(steering.watch(function, task_id, last_event_id)))

    def force_stop(self, function: str, task_id: str) -> None:
        """Stop a task and kill what it runs on at once: no PreStop, no grace. `Conflict` when it is over."""
        self._run(ask(steering.force_stop(function, task_id)))

    def tag_task(self, function: str, task_id: str, tags: Mapping[str, str]) -> dict[str, Any]:
        """Give a task that is not over these tags in place of those it has; the task as the native API shows it.

        Raises
        ------
        Conflict: it is over.

        """
        return self._run(ask(steering.edit(function, task_id, tags)))

    def rerun_task(
        self,
        function: str,
        task_id: str,
        *,
        payload: bytes | None = None,
        new_task_id: str | None = None,
        delay_seconds: int | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Rerun:
        """Run a task that is over again, as a new task; None keeps what the other one had.

        Raises
        ------
        Conflict: it is not over, or there is a task of the new id.

        """
        edits = steering.edits(payload, new_task_id, delay_seconds, tags)
        return self._run(ask(steering.rerun(function, task_id, edits)))

    def pause_queue(self, function: str) -> Queue:
        """Let no task of a function start; what runs goes on."""
        return self._run(ask(steering.queue(function, paused=True)))

    def resume_queue(self, function: str) -> Queue:
        """Let tasks of a function start again."""
        return self._run(ask(steering.queue(function, paused=False)))

    def progress(self, function: str, task_id: str) -> TaskProgress:
        """What a task has reported of itself."""
        return self._run(ask(steering.progress(function, task_id)))

    def report_progress(
        self,
        function: str,
        task_id: str,
        *,
        percent: float | None = None,
        message: str | None = None,
        checkpoint: bytes | None = None,
    ) -> TaskProgress:
        """Say how far a running task is, for what works on it elsewhere; None keeps what was reported before."""
        body: dict[str, object] = {"percent": percent, "message": message}
        if checkpoint is not None:
            body |= {"checkpoint": base64.b64encode(checkpoint).decode(), "checkpointEncoding": "base64"}
        return self._run(ask(steering.report(function, task_id, body)))

    def begin_operation(self, verb: str, wanted: Mapping[str, object]) -> Operation:
        """Do something to every task that a filter means: `stop`, `rerun`, `expire` or `delete`.

        Parameters
        ----------
        verb: what.
        wanted: the filter's fields as the API has them, at least one: `status`, `function`, `createdFrom` ….

        """
        return self._run(ask(steering.begin(verb, wanted)))

    def count_tasks(self, verb: str, wanted: Mapping[str, object]) -> int:
        """How many tasks `begin_operation` would change; nothing is done."""
        return self._run(ask(steering.count(verb, wanted)))

    def list_operations(self) -> list[Operation]:
        """The account's operations, the youngest first."""
        return self._run(ask(steering.operations()))

    def get_operation(self, operation_id: str) -> Operation:
        """One operation, and how far it is."""
        return self._run(ask(steering.operation(operation_id)))

    def cancel_operation(self, operation_id: str) -> Operation:
        """Let an operation touch no further task; what it has done stays. `Conflict` when it has ended by itself."""
        return self._run(ask(steering.cancel(operation_id)))

    def list_audit(self, *, account: str = "", limit: int = 100, next_token: str = "") -> AuditPage:
        """A page of the audit trail, newest first: who changed what, of the caller's account or of another one.

        Parameters
        ----------
        account: whose; "" for the caller's own. Others' are for the account that operates the server.
        limit: how many entries at most, 1 to 100.
        next_token: where the page before said that the list goes on.

        """
        return self._run(ask(steering.audit(account, limit, next_token)))

    def iterate_audit(self, *, account: str = "") -> Iterator[AuditEntry]:
        """The whole audit trail, newest first, page after page."""
        page = self.list_audit(account=account)
        yield from page.entries
        while page.next_token:
            page = self.list_audit(account=account, next_token=page.next_token)
            yield from page.entries
