"""The blocking client: it walks the conversation of a verb call by call.

A client may be shared by threads. The verbs that both clients have are said in `task_verbs`, `catalog_verbs` and
`steering_verbs`; here are those that iterate, or wait for many things.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, overload

import httpx

from sojourn.clock import Clock, SystemClock

from . import calls, conversation, events, model, steering, streaming
from .blocking_exchange import Exchange
from .call import Call, pieces
from .calls import TaskFilter
from .catalog_verbs import CatalogVerbs
from .connection import Connection, from_environment
from .conversation import Conversation, Pace, Pause, Retries, Step, Work, ask
from .errors import ClientError, WaitTimedOut
from .steered import AuditEntry
from .steering_verbs import SteeringVerbs
from .task_verbs import TaskVerbs
from .together import together
from .verb import Blocking
from .wire import Wire, answer

T = TypeVar("T")


class Client(TaskVerbs, CatalogVerbs, SteeringVerbs, Blocking):
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

    def iterate_functions(self, *, prefix: str = "") -> Iterator[model.Function]:
        """All functions by name, page after page."""
        page = self.list_functions(prefix=prefix)
        yield from page.functions
        while page.next_token:
            page = self.list_functions(prefix=prefix, next_token=page.next_token)
            yield from page.functions

    def iterate_tasks(self, function: str, wanted: TaskFilter | None = None) -> Iterator[model.Task]:
        """All tasks that match, page after page."""
        page = self.list_tasks(function, wanted)
        yield from page.tasks
        while page.next_token:
            page = self.list_tasks(function, wanted, next_token=page.next_token)
            yield from page.tasks

    def iterate_audit(self, *, account: str = "") -> Iterator[AuditEntry]:
        """The whole audit trail of an account ("": the caller's own), newest first, page after page."""
        page = self.list_audit(account=account)
        yield from page.entries
        while page.next_token:
            page = self.list_audit(account=account, next_token=page.next_token)
            yield from page.entries

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

    def watch(
        self, function: str | None = None, task_id: str | None = None, *, last_event_id: str = ""
    ) -> Iterator[dict[str, Any]]:
        """Every step of tasks as it becomes durable: of the account, of a function, or of one task.

        Each is a dictionary with `account`, `function`, `taskId`, `eventId`, `status`, `timestamp` and `eventDetail`,
        and in `id` what `last_event_id` takes to go on after it.
        """
        return events.told(streaming.text(self._http, self._wire, steering.watch(function, task_id, last_event_id)))

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
            told = step.do() if isinstance(step, Work) else self._send(step)
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
