"""Where the checks of one run happen: a generation, an endpoint, and what was made there and has to go again.

Everything that is made carries the run's prefix and is noted before it is asked for, so that `clean` finds it however
the run ends. What several checks look at is made once (`exhibit`): the first that needs it makes it, the others wait.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, TypeVar, cast

from . import programs
from .expect import Differs, holds, same, shown
from .generations import Function, Generation
from .wire import Answer, Document, How, Wire

T = TypeVar("T")

POLL_SECONDS = (0.05, 0.5)
"""The first wait between two looks at something, and the longest."""
CONFLICT_SECONDS = (0.1, 0.2, 0.4, 0.8)
"""The waits before something is asked again that another request was just changing."""
TASK_SECONDS_MAX = 40.0
OVER = frozenset({"Succeeded", "Failed", "Stopped", "Expired", "Invalid"})
MEMORY_MB = 128
TIMEOUT_SECONDS = 30


class Site:
    """One run's place.

    Parameters
    ----------
    generation: how to speak.
    wire: whom to.
    prefix: what the names of everything here begin with.
    runtime: that of the functions.
    patience_seconds: how long to wait for a task to become what it must.

    """

    def __init__(
        self,
        generation: Generation,
        wire: Wire,
        prefix: str,
        *,
        runtime: str,
        patience_seconds: float = TASK_SECONDS_MAX,
    ) -> None:
        self.generation, self.wire, self.prefix, self.runtime = generation, wire, prefix, runtime
        self._patience_seconds = patience_seconds
        self.service = f"{prefix}-s" if generation.services else ""
        self.of_service = Function(self.service, "")
        self._services: list[str] = []
        self._functions: list[Function] = []
        self._tasks: list[tuple[Function, str]] = []
        self._exhibits: dict[object, asyncio.Task[Any]] = {}
        self._numbers = iter(range(1, 1_000_000))

    # Asking -----------------------------------------------------------------------------------------------------------

    async def ask(
        self,
        operation: str,
        function: Function | None = None,
        *,
        body: Document | bytes | None = None,
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        qualifier: str = "",
        how: How | None = None,
        **parts: str,
    ) -> Answer:
        """The answer to an operation.

        Parameters
        ----------
        operation: by the kit's name.
        function: whose.
        body: bytes as they are, or an object for JSON.
        query, headers: of the request, beside what the operation needs.
        qualifier: which version is meant.
        how: see `wire.How`.
        parts: what else stands in the path, by name.

        """
        wanted = self.generation.operations[operation]
        path, found = self.generation.address(wanted.path, function, qualifier)
        for name, value in parts.items():
            path = path.replace(f"{{{name}}}", value)
        found |= {name: str(value) for name, value in (query or {}).items()}
        sent = dict(headers or {})
        if isinstance(body, dict):
            sent.setdefault("content-type", "application/json")
            body = json.dumps(body).encode()
        for wait in (*CONFLICT_SECONDS, None):
            answer = await self.wire.send(
                wanted.action, wanted.method, path, query=found, headers=sent, body=body or b"", how=how
            )
            if answer.code != "ConcurrentUpdateError" or wait is None:
                break
            await asyncio.sleep(wait)
        return answer

    async def sure(self, operation: str, function: Function | None = None, **more: Any) -> Answer:
        """The same, for an answer that must be a success."""
        answer = await self.ask(operation, function, **more)
        holds(f"{self.generation.operations[operation].action} succeeds", answer.status in range(200, 300), answer)
        return answer

    def name(self, word: str = "x") -> str:
        """A name that nothing else of this run has."""
        return f"{self.prefix}-{word}-{next(self._numbers)}"

    # Functions --------------------------------------------------------------------------------------------------------

    async def open_service(self, name: str) -> None:
        """Make a service."""
        self._services.append(name)
        await self.sure("service.create", body={"serviceName": name})

    def body(self, source: str = programs.WORKER, **settings: object) -> Document:
        """What CreateFunction takes for a worker, in the generation's words; a setting of None is left out."""
        body: Document = {
            "runtime": self.runtime,
            "handler": programs.HANDLER,
            "memorySize": MEMORY_MB,
            "timeout": TIMEOUT_SECONDS,
            "code": {"zipFile": base64.b64encode(programs.archive(source)).decode()},
            **settings,
        }
        return self.generation.function_body({name: value for name, value in body.items() if value is not None})

    async def try_create(self, name: str, body: Document, service: str = "") -> tuple[Function, Answer]:
        """CreateFunction, whatever the answer."""
        function = Function(service or self.service, name)
        self._functions.append(function)
        answer = await self.ask("function.create", function, body={"functionName": name, **body})
        return function, answer

    async def create(
        self, word: str = "f", source: str = programs.WORKER, *, service: str = "", **settings: object
    ) -> Function:
        """A new function."""
        function, answer = await self.try_create(self.name(word), self.body(source, **settings), service)
        same("CreateFunction", 200, answer.status if answer.status == 200 else str(answer))
        return function

    async def configure(self, function: Function, *, qualifier: str = "", **settings: object) -> Answer:
        """Its asynchronous configuration, in task mode."""
        body = self.generation.async_body({"asyncTask": True, **settings})
        return await self.sure("async.put", function, body=body, qualifier=qualifier)

    async def cap(self, function: Function, count: int) -> None:
        """Bound its concurrent executions."""
        await self.sure("cap.put", function, body=self.generation.cap_body(count))

    async def tasker(self, word: str = "t", **settings: Any) -> Function:
        """A new function in task mode, with an asynchronous configuration."""
        function = await self.create(word)
        await self.configure(function, **settings)
        return function

    # Invocations ------------------------------------------------------------------------------------------------------

    async def invoke(
        self,
        function: Function,
        payload: bytes | Document = b"",
        *,
        headers: Mapping[str, str] | None = None,
        qualifier: str = "",
    ) -> Answer:
        """A synchronous call."""
        return await self.ask("invoke", function, body=payload, headers=_raw(payload, headers), qualifier=qualifier)

    async def submit(
        self,
        function: Function,
        payload: bytes | Document = b"",
        *,
        task_id: str = "",
        delay_seconds: int | str | None = None,
        headers: Mapping[str, str] | None = None,
        qualifier: str = "",
    ) -> Answer:
        """An asynchronous call, whatever the answer."""
        sent = {**_raw(payload, headers), "x-fc-invocation-type": "Async"}
        if task_id:
            sent[self.generation.task_header] = task_id
        if delay_seconds is not None:
            sent["x-fc-async-delay"] = str(delay_seconds)
        answer = await self.ask("invoke", function, body=payload, headers=sent, qualifier=qualifier)
        if answer.status == 202 and (known := answer.headers.get(self.generation.task_header, task_id)):
            self._tasks.append((function, known))
        return answer

    async def begin(self, function: Function, payload: bytes | Document = b"", **more: Any) -> str:
        """An asynchronous call that must be accepted; the task's id."""
        answer = await self.submit(function, payload, **more)
        same("an asynchronous call", 202, answer.status if answer.status == 202 else str(answer))
        return answer.headers.get(self.generation.task_header, more.get("task_id", ""))

    async def task(self, function: Function, task_id: str) -> Document:
        """A task, in the kit's words."""
        answer = await self.sure("task.get", function, task=task_id)
        return self.generation.task(answer.document)

    async def tasks(self, function: Function, *, qualifier: str = "", **query: object) -> list[Document]:
        """A page of tasks, in the kit's words."""
        answer = await self.sure("task.list", function, query=query, qualifier=qualifier)
        found = answer.document.get(self.generation.tasks_field)
        holds(f"a list in the field {self.generation.tasks_field}", isinstance(found, list), answer)
        return [self.generation.task(each) for each in cast("list[Document]", found)]

    async def until(self, function: Function, task_id: str, statuses: Collection[str]) -> Document:
        """The task as soon as it has one of these statuses.

        Raises
        ------
        Differs: it ended in another one, or had none of them in time.

        """
        seconds = self._patience_seconds
        deadline, wait = time.monotonic() + seconds, POLL_SECONDS[0]
        while True:
            found = await self.task(function, task_id)
            status = found.get("status")
            if status in statuses:
                return found
            if status in OVER or time.monotonic() > deadline:
                how = "" if status in OVER else f" after {seconds:g} s"
                raise Differs(
                    f"a task that becomes {' or '.join(sorted(statuses))}", f"{status}{how}: {history(found)}"
                )
            await asyncio.sleep(wait)
            wait = min(wait * 1.5, POLL_SECONDS[1])

    async def ended(self, function: Function, task_id: str) -> Document:
        """The task as soon as it is over, however."""
        return await self.until(function, task_id, OVER)

    async def ran(self, function: Function, payload: bytes | Document = b"", **more: Any) -> Document:
        """A task that was submitted and is over."""
        return await self.ended(function, await self.begin(function, payload, **more))

    async def eventually(self, what: str, look: Callable[[], Awaitable[T]], seconds: float | None = None) -> T:
        """What `look` finds, as soon as it finds anything."""
        seconds = self._patience_seconds if seconds is None else seconds
        deadline, wait = time.monotonic() + seconds, POLL_SECONDS[0]
        while not (found := await look()):
            if time.monotonic() > deadline:
                raise Differs(what, f"{shown(found)} after {seconds:g} s")
            await asyncio.sleep(wait)
            wait = min(wait * 1.5, POLL_SECONDS[1])
        return found

    # What several checks share ----------------------------------------------------------------------------------------

    async def once(self, make: Callable[[Site], Awaitable[T]]) -> T:
        """What `make` makes, made once in this run; what it raises is raised for everybody."""
        if make not in self._exhibits:
            self._exhibits[make] = asyncio.ensure_future(make(self))
        return cast("T", await asyncio.shield(self._exhibits[make]))

    # Afterwards -------------------------------------------------------------------------------------------------------

    async def clean(self) -> list[str]:
        """Take away everything that was made; what could not be taken away is told."""
        for task in self._exhibits.values():
            task.cancel()
        await asyncio.gather(*self._exhibits.values(), return_exceptions=True)
        await asyncio.gather(*(self._stop(*each) for each in self._tasks))
        left = [name for name in await asyncio.gather(*map(self._drop, self._functions)) if name]
        for service in self._services:
            left += [service] if not await self._close(service) else []
        return left

    async def _stop(self, function: Function, task_id: str) -> None:
        with contextlib.suppress(Differs):
            found = await self.ask("task.get", function, task=task_id)
            if found.status == 200 and found.document.get("status") not in OVER:
                await self.ask("task.stop", function, task=task_id)

    async def _drop(self, function: Function) -> str:
        with contextlib.suppress(Differs):
            answer = await self.ask("function.delete", function)
            if answer.code == "FunctionNotEmpty":
                listed = await self.ask("trigger.list", function)
                for each in listed.document.get("triggers", []):
                    await self.ask("trigger.delete", function, trigger=str(each["triggerName"]))
                answer = await self.ask("function.delete", function)
            if answer.status in (204, 404):
                return ""
        return function.name

    async def _close(self, service: str) -> bool:
        of = Function(service, "")
        with contextlib.suppress(Differs):
            for noun, field, key in (("alias", "aliases", "aliasName"), ("version", "versions", "versionId")):
                listed = await self.ask(f"{noun}.list", of, query={"limit": 100})
                for each in listed.document.get(field, []) if listed.status == 200 else []:
                    named: dict[str, Any] = {noun: str(each[key])}
                    await self.ask(f"{noun}.delete", of, **named)
            return (await self.ask("service.delete", of)).status in (204, 404)
        return False


def exhibit(make: Callable[[Site], Awaitable[T]]) -> Callable[[Site], Awaitable[T]]:
    """Make it once in a run, however many checks look at it."""

    async def shared(on: Site) -> T:
        return await on.once(make)

    return shared


def history(task: Document) -> list[str]:
    """The statuses of a task's events."""
    return [str(event.get("status")) for event in task.get("events") or []]


def _raw(payload: bytes | Document, headers: Mapping[str, str] | None) -> dict[str, str]:
    kind = "application/json" if isinstance(payload, dict) else "application/octet-stream"
    return {"content-type": kind, **(headers or {})}
