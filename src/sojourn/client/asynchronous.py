"""The asynchronous client: the verbs of `blocking.Client`, each a coroutine; waiting for many tasks is concurrent.

The verbs that both clients have are said in `task_verbs`, `catalog_verbs` and `steering_verbs`; here are those that
iterate, or wait for many things. What these mean, take and raise is said at `Client`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from functools import cached_property
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, overload

import httpx

from sojourn.clock import Clock, SystemClock

from . import calls, conversation, events, model, steering, streaming
from .asynchronous_exchange import AsyncExchange
from .call import Call, Progress, pieces
from .calls import TaskFilter
from .catalog_verbs import CatalogVerbs
from .connection import Connection, from_environment
from .conversation import Conversation, Pace, Pause, Retries, Step, Work, ask
from .errors import ClientError, WaitTimedOut
from .gathering import Gathering, gathers
from .steered import AuditEntry
from .steering_verbs import SteeringVerbs
from .task_verbs import TaskVerbs
from .verb import Awaited
from .wire import Wire, answer

T = TypeVar("T")


class AsyncClient(TaskVerbs, CatalogVerbs, SteeringVerbs, Awaited):
    """Talks to one server with one key, asynchronously; takes what `Client` takes."""

    def __init__(
        self,
        connection: Connection | None = None,
        *,
        retries: Retries | None = None,
        timeout_seconds: float = 30.0,
        clock: Clock | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._wire = Wire(connection or from_environment(), timeout_seconds, self._clock)
        self._retries = retries or Retries()
        self._transport = transport
        self._exchange = None if transport is not None or not self._wire.direct else AsyncExchange(self._wire)
        self._gathering = Gathering(self._send)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def connection(self) -> Connection:
        """The server and the key."""
        return self._wire.connection

    async def close(self) -> None:
        """Let go of the connections. Closing twice is fine."""
        await self._gathering.close()
        if self._exchange is not None:
            self._exchange.close()
        if "_http" in self.__dict__:
            await self._http.aclose()

    async def ask(self, call: Call[T]) -> T:
        """The answer to one call, such as those of `calls` and `documents`."""
        return await self._run(ask(call))

    async def iterate_functions(self, *, prefix: str = "") -> AsyncIterator[model.Function]:
        """All functions by name, page after page."""
        token, more = "", True
        while more:
            page = await self.list_functions(prefix=prefix, next_token=token)
            for function in page.functions:
                yield function
            token, more = page.next_token, bool(page.next_token)

    async def iterate_tasks(self, function: str, wanted: TaskFilter | None = None) -> AsyncIterator[model.Task]:
        """All tasks that match, page after page."""
        token, more = "", True
        while more:
            page = await self.list_tasks(function, wanted, next_token=token)
            for task in page.tasks:
                yield task
            token, more = page.next_token, bool(page.next_token)

    async def iterate_audit(self, *, account: str = "") -> AsyncIterator[AuditEntry]:
        """The whole audit trail of an account ("": the caller's own), newest first, page after page."""
        token, more = "", True
        while more:
            page = await self.list_audit(account=account, next_token=token)
            for entry in page.entries:
                yield entry
            token, more = page.next_token, bool(page.next_token)

    async def wait_all(
        self,
        tasks: Sequence[tuple[str, str]],
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - it ends in `WaitTimedOut`, with the tasks still waiting
        on_over: Callable[[model.Task], None] | None = None,
    ) -> list[model.Task]:
        """The tasks, given as (function, task id), in the same order, once all are over; see `Client.wait_all`."""
        pace = Pace(len(tasks))

        async def one(function: str, task_id: str) -> model.Task | WaitTimedOut:
            talk = conversation.wait(function, task_id, clock=self._clock, timeout=timeout, pace=pace)
            try:
                task = await self._run(talk)
            except WaitTimedOut as late:
                return late
            if on_over is not None:
                on_over(task)
            return task

        try:
            async with asyncio.TaskGroup() as group:
                waits = [group.create_task(one(function, task_id)) for function, task_id in tasks]
        except BaseExceptionGroup as group_error:  # the first one speaks for all, as in the blocking client
            raise group_error.exceptions[0] from None
        ended = [wait.result() for wait in waits]
        late = [result for result in ended if isinstance(result, WaitTimedOut)]
        if late:
            raise conversation.late_together(late, len(tasks), timeout)
        return [result for result in ended if not isinstance(result, WaitTimedOut)]

    @overload
    def logs(
        self, function: str, task_id: str, *, follow: Literal[False] = False
    ) -> Coroutine[Any, Any, list[model.AttemptLog]]: ...

    @overload
    def logs(self, function: str, task_id: str, *, follow: Literal[True]) -> AsyncIterator[str]: ...

    def logs(
        self, function: str, task_id: str, *, follow: bool = False
    ) -> Coroutine[Any, Any, list[model.AttemptLog]] | AsyncIterator[str]:
        """What each attempt of the task wrote, to be awaited; with `follow` to be iterated, see `Client.logs`."""
        if follow:
            return streaming.text_async(self._http, self._wire, calls.follow_logs(function, task_id))
        return self._run(ask(calls.logs(function, task_id)))

    def watch(
        self, function: str | None = None, task_id: str | None = None, *, last_event_id: str = ""
    ) -> AsyncIterator[dict[str, Any]]:
        """Every step of tasks as it becomes durable; see `Client.watch`."""
        text = streaming.text_async(self._http, self._wire, steering.watch(function, task_id, last_event_id))
        return events.told_async(text)

    async def _run(self, talk: Conversation[T]) -> T:
        talk = conversation.persistent(talk, self._retries)
        try:
            step: Step = next(talk)
            while True:
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                    step = talk.send(None)
                    continue
                try:
                    told = await self._done(step)
                except ClientError as error:
                    step = talk.throw(error)
                else:
                    step = talk.send(told)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _done(self, step: Call[Any] | Work) -> Any:
        if isinstance(step, Work):
            return await asyncio.to_thread(step.do)
        if self._exchange is not None and gathers(step):
            return await self._gathering.submit(step)
        return await self._send(step)

    async def _send(self, call: Call[T]) -> T:
        wanted = self._wire.request(call)
        if self._exchange is not None and call.progress is None:
            return call.read(await self._exchange.send(wanted, self._wire.seconds(call)))
        try:
            response = await self._http.request(
                wanted.method,
                wanted.url,
                headers=dict(wanted.headers),
                content=_pieces(wanted.body, call.progress) if call.progress else wanted.body,
                timeout=self._wire.timeout(call),
            )
        except httpx.HTTPError as error:
            raise self._wire.unreachable(error) from error
        return call.read(answer(response))

    @cached_property
    def _http(self) -> httpx.AsyncClient:
        """For what is rare: uploads that are watched, answers that come bit by bit, and the way through a proxy."""
        return httpx.AsyncClient(transport=self._transport, **self._wire.options)


async def _pieces(body: bytes, progress: Progress) -> AsyncIterator[bytes]:
    for piece in pieces(body, progress):
        yield piece
