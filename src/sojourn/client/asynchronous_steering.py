"""The verbs of `blocking_steering`, each a coroutine. What each means, takes and raises is said there."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar

from . import events, steering
from .call import Call
from .conversation import Conversation, ask
from .steered import AuditEntry, AuditPage, Operation, Queue, Rerun, TaskProgress

T = TypeVar("T")


class AsyncSteeringVerbs:
    """A part of `asynchronous.AsyncClient`."""

    async def _run(self, talk: Conversation[T]) -> T:
        raise NotImplementedError

    # Steering ---------------------------------------------------------------------------------------------------------

    def _text(self, call: Call[None]) -> AsyncIterator[str]:
        raise NotImplementedError

    def watch(
        self, function: str | None = None, task_id: str | None = None, *, last_event_id: str = ""
    ) -> AsyncIterator[dict[str, Any]]:
        """Every step of tasks as it becomes durable: of the account, of a function, or of one task.

        Each is a dictionary with `account`, `function`, `taskId`, `eventId`, `status`, `timestamp` and `eventDetail`,
        and in `id` what `last_event_id` takes to go on after it.
        """
        return events.told_async(self._text(steering.watch(function, task_id, last_event_id)))

    async def force_stop(self, function: str, task_id: str) -> None:
        """Stop a task and kill what it runs on at once: no PreStop, no grace. `Conflict` when it is over."""
        await self._run(ask(steering.force_stop(function, task_id)))

    async def tag_task(self, function: str, task_id: str, tags: Mapping[str, str]) -> dict[str, Any]:
        """Give a task that is not over these tags in place of those it has; see `Client.tag_task`."""
        return await self._run(ask(steering.edit(function, task_id, tags)))

    async def rerun_task(
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
        return await self._run(ask(steering.rerun(function, task_id, edits)))

    async def pause_queue(self, function: str) -> Queue:
        """Let no task of a function start; what runs goes on."""
        return await self._run(ask(steering.queue(function, paused=True)))

    async def resume_queue(self, function: str) -> Queue:
        """Let tasks of a function start again."""
        return await self._run(ask(steering.queue(function, paused=False)))

    async def progress(self, function: str, task_id: str) -> TaskProgress:
        """What a task has reported of itself."""
        return await self._run(ask(steering.progress(function, task_id)))

    async def report_progress(
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
        return await self._run(ask(steering.report(function, task_id, body)))

    async def begin_operation(self, verb: str, wanted: Mapping[str, object]) -> Operation:
        """Do something to every task that a filter means: `stop`, `rerun`, `expire` or `delete`.

        Parameters
        ----------
        verb: what.
        wanted: the filter's fields as the API has them, at least one: `status`, `function`, `createdFrom` ….

        """
        return await self._run(ask(steering.begin(verb, wanted)))

    async def count_tasks(self, verb: str, wanted: Mapping[str, object]) -> int:
        """How many tasks `begin_operation` would change; nothing is done."""
        return await self._run(ask(steering.count(verb, wanted)))

    async def list_operations(self) -> list[Operation]:
        """The account's operations, the youngest first."""
        return await self._run(ask(steering.operations()))

    async def get_operation(self, operation_id: str) -> Operation:
        """One operation, and how far it is."""
        return await self._run(ask(steering.operation(operation_id)))

    async def cancel_operation(self, operation_id: str) -> Operation:
        """Let an operation touch no further task; what it has done stays. `Conflict` when it has ended by itself."""
        return await self._run(ask(steering.cancel(operation_id)))

    async def list_audit(self, *, account: str = "", limit: int = 100, next_token: str = "") -> AuditPage:
        """A page of the audit trail, newest first; see `Client.list_audit`."""
        return await self._run(ask(steering.audit(account, limit, next_token)))

    async def iterate_audit(self, *, account: str = "") -> AsyncIterator[AuditEntry]:
        """The whole audit trail, newest first, page after page."""
        token, more = "", True
        while more:
            page = await self.list_audit(account=account, next_token=token)
            for entry in page.entries:
                yield entry
            token, more = page.next_token, bool(page.next_token)
