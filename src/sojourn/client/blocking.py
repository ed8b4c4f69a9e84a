"""The blocking client: one method per verb, each walking a conversation call by call.

A client may be shared by threads. What the verbs put on the wire is said in `calls` and `conversation`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, overload

import httpx

from sojourn.clock import Clock, SystemClock

from . import calls, conversation, model, streaming
from .archive import code_archive
from .batch import NewTask, Outcome, new_task
from .blocking_catalog import CatalogVerbs
from .blocking_exchange import Exchange
from .blocking_steering import SteeringVerbs
from .call import Call, Progress, pieces
from .calls import TaskFilter, TaskSettings
from .connection import Connection, from_environment
from .conversation import Conversation, Deployment, Pace, Pause, Retries, Step, ask
from .errors import ClientError, WaitTimedOut
from .together import together
from .wire import Wire, answer

T = TypeVar("T")


class Client(CatalogVerbs, SteeringVerbs):
    """Talks to one server with one key, blocking.

    Parameters
    ----------
    connection: the server and the key; None takes them from the environment (`from_environment`).
    retries: how often a call is sent again.
    timeout_seconds: how long to wait for an answer, except that of `invoke`.
    clock, transport: for tests.

    Raises
    ------
    NoCredentials: there is no connection, and none is configured.

    """

    def __init__(
        self,
        connection: Connection | None = None,
        *,
        retries: Retries | None = None,
        timeout_seconds: float = 30.0,
        clock: Clock | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._wire = Wire(connection or from_environment(), timeout_seconds, self._clock)
        self._retries = retries or Retries()
        self._transport = transport
        self._exchange = None if transport is not None or not self._wire.direct else Exchange(self._wire)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def connection(self) -> Connection:
        """The server and the key."""
        return self._wire.connection

    def close(self) -> None:
        """Let go of the connections. Closing twice is fine."""
        if self._exchange is not None:
            self._exchange.close()
        if "_http" in self.__dict__:
            self._http.close()

    def ask(self, call: Call[T]) -> T:
        """The answer to one call, such as those of `calls` and `documents`."""
        return self._run(ask(call))

    def deploy(
        self,
        name: str,
        code: str | os.PathLike[str] | bytes,
        *,
        handler: str | None = None,
        runtime: str | None = None,
        timeout: int | None = None,
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
        """Create the function `name`, or update it when it exists.

        Parameters
        ----------
        name: the function.
        code: a directory, a zip file, or a zip's bytes.
        handler: such as `index.handler`; needed for a new function.
        runtime: such as `python3.12`; needed for a new function.
        timeout: seconds one attempt may take.
        memory: MB one instance may use.
        env: its environment variables, all of them.
        description: free text.
        retries: how often a failed task is tried again.
        max_age: seconds a task may wait before it expires.
        retry_interval, retry_interval_max, queue_weight: see `put_async_config`.
        reserved_concurrency: how many of its tasks may run at a time.
        settings: further fields as the API spells them, such as
            `{"instanceLifecycleConfig": {"preStop": {"handler": "index.pre_stop", "timeout": 10}}}`.
        progress: called with the bytes sent and the bytes in all, while the code is uploaded.

        Raises
        ------
        Refused: the code cannot be deployed, or a value is outside its bounds.

        """
        wanted = Deployment(
            name=name,
            archive=code_archive(code),
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
        return self._run(conversation.deploy(wanted, progress))

    def get_function(self, name: str, *, qualifier: str = "") -> model.Function:
        """The function `name`, or one of its versions; `NotFound` when it is not there."""
        return self._run(ask(calls.get_function(name, qualifier)))

    def list_functions(self, *, prefix: str = "", limit: int | None = None, next_token: str = "") -> model.FunctionPage:
        """One page of functions by name, `limit` at most, after the page that gave `next_token`."""
        return self._run(ask(calls.list_functions(prefix, limit, next_token)))

    def iterate_functions(self, *, prefix: str = "") -> Iterator[model.Function]:
        """All functions by name, page after page."""
        page = self.list_functions(prefix=prefix)
        yield from page.functions
        while page.next_token:
            page = self.list_functions(prefix=prefix, next_token=page.next_token)
            yield from page.functions

    def delete_function(self, name: str) -> None:
        """Delete the function `name`; its waiting tasks become Invalid."""
        self._run(ask(calls.delete_function(name)))

    def submit(
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
        """Submit a task; when this returns, the server has it on disk.

        Parameters
        ----------
        function: the function to call.
        payload: what it is called with; text is sent as UTF-8.
        task_id: your name for the task, unique within the function; None lets the server choose one.
        delay: seconds to wait before it may start.
        qualifier: the version or alias to run, "" for the function as it stands when it starts.
        tags: words of your own that the task carries and is found by.
        existing_ok: with a `task_id`, make it safe to repeat: the call is sent again when the connection breaks, and
            a task that is there already under this id counts as this one (`Submission.existed`).

        Raises
        ------
        Conflict: a task with this id exists.
        Throttled: the server has no room now.

        """
        body = payload.encode() if isinstance(payload, str) else payload
        talk = conversation.submit(function, body, task_id, delay, qualifier, tags=tags, existing_ok=existing_ok)
        return self._run(talk)

    def submit_many(
        self,
        function: str,
        tasks: Iterable[NewTask | bytes | str],
        *,
        existing_ok: bool = False,
        on_outcomes: Callable[[Sequence[Outcome]], None] | None = None,
    ) -> list[Outcome]:
        """Submit many tasks in few calls, ten thousand at most in one; what is said of each is in their order.

        Parameters
        ----------
        function: the function to call.
        tasks: what to submit: payloads, or `NewTask`s with more to them.
        existing_ok: as in `submit`, for each of them; all need a `task_id` then.
        on_outcomes: hears of some more outcomes after each call.

        Raises
        ------
        ClientError: the first call failed. What a later one fails with is the outcome of its tasks and of all behind
            them, which were not sent; a task that is refused by itself has its error as its outcome.

        """
        wanted = [new_task(task) for task in tasks]
        talk = conversation.submit_many(function, wanted, existing_ok=existing_ok, on_outcomes=on_outcomes)
        return self._run(talk)

    def invoke(
        self, function: str, payload: bytes | str = b"", *, timeout: float = 0, qualifier: str = ""
    ) -> model.Invocation:
        """Call the function and wait for its answer, at most `timeout` seconds; 0 waits as long as it may take."""
        body = payload.encode() if isinstance(payload, str) else payload
        return self._run(ask(calls.invoke(function, body, timeout, qualifier)))

    def get_task(self, function: str, task_id: str) -> model.Task:
        """The task with its history and bodies, or `NotFound`."""
        return self._run(ask(calls.get_task(function, task_id)))

    def list_tasks(self, function: str, wanted: TaskFilter | None = None, *, next_token: str = "") -> model.TaskPage:
        """One page of tasks, newest first unless `wanted` says otherwise, after the page that gave `next_token`."""
        return self._run(ask(calls.list_tasks(function, wanted or TaskFilter(), next_token)))

    def iterate_tasks(self, function: str, wanted: TaskFilter | None = None) -> Iterator[model.Task]:
        """All tasks that match, page after page."""
        page = self.list_tasks(function, wanted)
        yield from page.tasks
        while page.next_token:
            page = self.list_tasks(function, wanted, next_token=page.next_token)
            yield from page.tasks

    def stop_task(self, function: str, task_id: str) -> None:
        """Stop a task; when this returns, nothing new of it will start. `Conflict` when it is over already."""
        self._run(ask(calls.stop_task(function, task_id)))

    def wait(self, function: str, task_id: str, *, timeout: float | None = None) -> model.Task:
        """The task once it is over, however it ended.

        Raises
        ------
        WaitTimedOut: it was not over within `timeout` seconds.

        """
        return self._run(conversation.wait(function, task_id, clock=self._clock, timeout=timeout))

    def wait_all(
        self,
        tasks: Sequence[tuple[str, str]],
        *,
        timeout: float | None = None,
        on_over: Callable[[model.Task], None] | None = None,
    ) -> list[model.Task]:
        """The tasks, given as (function, task id), in the same order, once all are over; `on_over` hears of each.

        Raises
        ------
        WaitTimedOut: some were not over within `timeout` seconds; it names them.

        """
        pace = Pace(len(tasks))
        waits = [
            conversation.wait(function, task_id, clock=self._clock, timeout=timeout, pace=pace)
            for function, task_id in tasks
        ]
        over: dict[int, model.Task] = {}
        late: list[WaitTimedOut] = []
        for number, result in together(waits, self._retries, self._clock, self._advance):
            if isinstance(result, WaitTimedOut):
                late.append(result)
                continue
            over[number] = result
            if on_over is not None:
                on_over(result)
        if late:
            raise conversation.late_together(late, len(tasks), timeout)
        return [over[number] for number in range(len(tasks))]

    @overload
    def logs(self, function: str, task_id: str, *, follow: Literal[False] = False) -> list[model.AttemptLog]: ...

    @overload
    def logs(self, function: str, task_id: str, *, follow: Literal[True]) -> Iterator[str]: ...

    def logs(self, function: str, task_id: str, *, follow: bool = False) -> list[model.AttemptLog] | Iterator[str]:
        """What each attempt of the task wrote, in order; a running one's so far.

        With `follow` it is text, piece by piece as it comes, until the task is over; where a task has several attempts,
        a line stands before each. Leave the iterator with its `close()` to stop earlier.
        """
        if follow:
            return streaming.text(self._http, self._wire, calls.follow_logs(function, task_id))
        return self._run(ask(calls.logs(function, task_id)))

    def deliveries(self, function: str, task_id: str) -> list[model.Delivery]:
        """Where the record of the task goes and how far it is; nothing when it has no destination, or is not over."""
        return self._run(ask(calls.deliveries(function, task_id)))

    def resend(self, function: str, task_id: str) -> model.Delivery:
        """Send the record of the task to its destination again, or `NotFound` when there is none."""
        return self._run(ask(calls.resend(function, task_id)))

    def webhook_secret(self, *, rotate: bool = False) -> str:
        """The secret that signs the records of this account; with `rotate` it is replaced by a new one."""
        return self._run(ask(calls.webhook_secret(rotate=rotate)))

    def instances(self, function: str | None = None) -> list[model.Instance]:
        """The account's instances, the oldest first; or those of one function."""
        return self._run(ask(calls.instances(function)))

    def create_account(self, account_id: str) -> model.AccessKey:
        """Make an account with a random key pair; only the owner may."""
        return self._run(ask(calls.create_account(account_id)))

    def list_accounts(self) -> list[model.Account]:
        """All accounts, oldest first; only the owner may."""
        return self._run(ask(calls.list_accounts()))

    def version(self) -> model.Version:
        """What the server is; needs no key."""
        return self._run(ask(calls.version()))

    def _text(self, call: Call[None]) -> Iterator[str]:
        return streaming.text(self._http, self._wire, call)

    def _run(self, talk: Conversation[T]) -> T:
        talk = conversation.persistent(talk, self._retries)
        try:
            step = next(talk)
            while True:
                step = self._advance(talk, step)
        except StopIteration as end:
            result: T = end.value
            return result

    def _advance(self, talk: Conversation[Any], step: Step) -> Step:
        """Do `step`, tell `talk` how it went, and take its next one."""
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return talk.send(None)
        try:
            told = self._send(step)
        except ClientError as error:
            return talk.throw(error)
        return talk.send(told)

    def _send(self, call: Call[T]) -> T:
        wanted = self._wire.request(call)
        if self._exchange is not None and call.progress is None:
            return call.read(self._exchange.send(wanted, self._wire.seconds(call)))
        try:
            response = self._http.request(
                wanted.method,
                wanted.url,
                headers=dict(wanted.headers),
                content=pieces(wanted.body, call.progress) if call.progress else wanted.body,
                timeout=self._wire.timeout(call),
            )
        except httpx.HTTPError as error:
            raise self._wire.unreachable(error) from error
        return call.read(answer(response))

    @cached_property
    def _http(self) -> httpx.Client:
        """For what is rare: uploads that are watched, answers that come bit by bit, and the way through a proxy."""
        return httpx.Client(transport=self._transport, **self._wire.options)
