"""The asynchronous client: the verbs of `blocking.Client`, each a coroutine; waiting for many tasks is concurrent.

What each verb means, takes and raises is said at `Client`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, overload

import httpx

from sojourn.clock import Clock, SystemClock

from . import calls, conversation, model, streaming
from .archive import code_archive
from .asynchronous_catalog import AsyncCatalogVerbs
from .asynchronous_exchange import AsyncExchange
from .asynchronous_steering import AsyncSteeringVerbs
from .batch import NewTask, Outcome, new_task
from .call import Call, Progress, pieces
from .calls import TaskFilter, TaskSettings
from .connection import Connection, from_environment
from .conversation import Conversation, Deployment, Pace, Pause, Retries, Step, ask
from .errors import ClientError, WaitTimedOut
from .gathering import Gathering, gathers
from .wire import Wire, answer

T = TypeVar("T")


class AsyncClient(AsyncCatalogVerbs, AsyncSteeringVerbs):
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

    async def deploy(
        self,
        name: str,
        code: str | os.PathLike[str] | bytes,
        *,
        handler: str | None = None,
        runtime: str | None = None,
        timeout: int | None = None,  # noqa: ASYNC109 - the function's own, on the server
        memory: int | None = None,
        env: Mapping[str, str] | None = None,
        description: str | None = None,
        retries: int | None = None,
        max_age: int | None = None,
        retry_interval: int | None = None,
        retry_interval_max: int | None = None,
        queue_weight: int | None = None,
        reserved_concurrency: int | None = None,
        settings: Mapping[str, object] | None = None,
        progress: Progress | None = None,
    ) -> model.Function:
        """Create the function `name`, or update it when it exists; see `Client.deploy`."""
        wanted = Deployment(
            name=name,
            archive=await asyncio.to_thread(code_archive, code),
            handler=handler,
            runtime=runtime,
            timeout=timeout,
            memory=memory,
            env=env,
            description=description,
            tasks=TaskSettings(
                retries=retries,
                max_age=max_age,
                retry_interval=retry_interval,
                retry_interval_max=retry_interval_max,
                queue_weight=queue_weight,
            ),
            reserved_concurrency=reserved_concurrency,
            settings=settings,
        )
        return await self._run(conversation.deploy(wanted, progress))

    async def get_function(self, name: str, *, qualifier: str = "") -> model.Function:
        """The function `name`, or one of its versions; `NotFound` when it is not there."""
        return await self._run(ask(calls.get_function(name, qualifier)))

    async def list_functions(
        self, *, prefix: str = "", limit: int | None = None, next_token: str = ""
    ) -> model.FunctionPage:
        """One page of functions by name."""
        return await self._run(ask(calls.list_functions(prefix, limit, next_token)))

    async def iterate_functions(self, *, prefix: str = "") -> AsyncIterator[model.Function]:
        """All functions by name, page after page."""
        token, more = "", True
        while more:
            page = await self.list_functions(prefix=prefix, next_token=token)
            for function in page.functions:
                yield function
            token, more = page.next_token, bool(page.next_token)

    async def delete_function(self, name: str) -> None:
        """Delete the function `name`; its waiting tasks become Invalid."""
        await self._run(ask(calls.delete_function(name)))

    async def submit(
        self,
        function: str,
        payload: bytes | str = b"",
        *,
        task_id: str | None = None,
        delay: int | None = None,
        qualifier: str = "",
        tags: Mapping[str, str] | None = None,
        existing_ok: bool = False,
    ) -> model.Submission:
        """Submit a task; when this returns, the server has it on disk. See `Client.submit`."""
        body = payload.encode() if isinstance(payload, str) else payload
        talk = conversation.submit(function, body, task_id, delay, qualifier, tags=tags, existing_ok=existing_ok)
        return await self._run(talk)

    async def submit_many(
        self,
        function: str,
        tasks: Iterable[NewTask | bytes | str],
        *,
        existing_ok: bool = False,
        on_outcomes: Callable[[Sequence[Outcome]], None] | None = None,
    ) -> list[Outcome]:
        """Submit many tasks in few calls; what is said of each is in their order. See `Client.submit_many`."""
        wanted = [new_task(task) for task in tasks]
        talk = conversation.submit_many(function, wanted, existing_ok=existing_ok, on_outcomes=on_outcomes)
        return await self._run(talk)

    async def invoke(
        self,
        function: str,
        payload: bytes | str = b"",
        *,
        timeout: float = 0,  # noqa: ASYNC109 - the HTTP library keeps it
        qualifier: str = "",
    ) -> model.Invocation:
        """Call the function and wait for its answer; cancelling the call stops the function."""
        body = payload.encode() if isinstance(payload, str) else payload
        return await self._run(ask(calls.invoke(function, body, timeout, qualifier)))

    async def get_task(self, function: str, task_id: str) -> model.Task:
        """The task with its history and bodies, or `NotFound`."""
        return await self._run(ask(calls.get_task(function, task_id)))

    async def list_tasks(
        self, function: str, wanted: TaskFilter | None = None, *, next_token: str = ""
    ) -> model.TaskPage:
        """One page of tasks, newest first unless `wanted` says otherwise."""
        return await self._run(ask(calls.list_tasks(function, wanted or TaskFilter(), next_token)))

    async def iterate_tasks(self, function: str, wanted: TaskFilter | None = None) -> AsyncIterator[model.Task]:
        """All tasks that match, page after page."""
        token, more = "", True
        while more:
            page = await self.list_tasks(function, wanted, next_token=token)
            for task in page.tasks:
                yield task
            token, more = page.next_token, bool(page.next_token)

    async def stop_task(self, function: str, task_id: str) -> None:
        """Stop a task; when this returns, nothing new of it will start. `Conflict` when it is over already."""
        await self._run(ask(calls.stop_task(function, task_id)))

    async def wait(
        self,
        function: str,
        task_id: str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - it ends in `WaitTimedOut`, with the state seen last
    ) -> model.Task:
        """The task once it is over, however it ended; see `Client.wait`."""
        return await self._run(conversation.wait(function, task_id, clock=self._clock, timeout=timeout))

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

    async def deliveries(self, function: str, task_id: str) -> list[model.Delivery]:
        """Where the record of the task goes and how far it is; nothing when it has no destination, or is not over."""
        return await self._run(ask(calls.deliveries(function, task_id)))

    async def resend(self, function: str, task_id: str) -> model.Delivery:
        """Send the record of the task to its destination again, or `NotFound` when there is none."""
        return await self._run(ask(calls.resend(function, task_id)))

    async def webhook_secret(self, *, rotate: bool = False) -> str:
        """The secret that signs the records of this account; with `rotate` it is replaced by a new one."""
        return await self._run(ask(calls.webhook_secret(rotate=rotate)))

    async def instances(self, function: str | None = None) -> list[model.Instance]:
        """The account's instances, the oldest first; or those of one function."""
        return await self._run(ask(calls.instances(function)))

    async def create_account(self, account_id: str) -> model.AccessKey:
        """Make an account with a random key pair; only the owner may."""
        return await self._run(ask(calls.create_account(account_id)))

    async def list_accounts(self) -> list[model.Account]:
        """All accounts, oldest first; only the owner may."""
        return await self._run(ask(calls.list_accounts()))

    async def version(self) -> model.Version:
        """What the server is; needs no key."""
        return await self._run(ask(calls.version()))

    def _text(self, call: Call[None]) -> AsyncIterator[str]:
        return streaming.text_async(self._http, self._wire, call)

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
                    together = self._exchange is not None and gathers(step)
                    told = await (self._gathering.submit(step) if together else self._send(step))
                except ClientError as error:
                    step = talk.throw(error)
                else:
                    step = talk.send(told)
        except StopIteration as end:
            result: T = end.value
            return result

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
