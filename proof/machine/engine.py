"""The engine under test: catalog, queue, pool and dispatcher as they are, on a scripted sandbox, in virtual time.

Every attempt waits until it is told what to come to. `end` is a SIGKILL or an end in good order; `start` begins again
on what the store holds.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from proof.engine import Below, Bounds

from proof import engine
from scripted import Call, Script, ScriptedRuntime
from sojourn import identity
from sojourn.errors import SojournError
from sojourn.function import AccessKey
from sojourn.sandbox import Reply
from sojourn.store import PAGE_LIMIT_MAX, Store, TaskQuery
from sojourn.task import Task
from virtual_time import VirtualClock, VirtualLoop

from .elsewhere import Elsewhere, Place, Reopen

ACCOUNT = "1234567890"
REST_SECONDS = 0.001
TIMEOUT_SECONDS = 40
BOUNDS = Bounds(
    memory_mb=1 << 20,
    instances_max=1000,
    idle_seconds=2,
    grace_seconds=1,
    submits_pending_max=100,
    tasks_open_max=1000,
)


class Loop(VirtualLoop):
    """A virtual loop that does at once what is meant for a thread."""

    def run_in_executor(  # type: ignore[override]  # a future that is done is one
        self, executor: object, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Call it here."""
        del executor
        done: asyncio.Future[Any] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it is the caller's
            done.set_exception(error)
        return done


class Engine(engine.Engine):
    """One server after another on the same data."""

    def __init__(self, reopen: Reopen, place: Place, directory: Path) -> None:
        self._reopen, self._place, self._directory = reopen, place, directory
        self.clock = VirtualClock()
        self.calls: dict[int, tuple[Call, asyncio.Future[Reply]]] = {}
        self.slow_seconds = 0.0
        self._last = 0

    async def start(self) -> None:
        """As the composition root does it."""
        clock = self.clock
        self.script = Script()
        self.script.create_seconds = self.slow_seconds
        self.store: Store = Elsewhere(self._reopen(), self._place)
        incarnation = await self.store.open()
        below = Below(
            store=self.store, driver=self.script, runtime=ScriptedRuntime(), clock=clock, directory=self._directory
        )
        self.assemble(below, BOUNDS, random.Random(1), last=self._last)
        await self.admit(AccessKey(id="k", secret="s", account_id=ACCOUNT, created_at=1))  # noqa: S106 - of nobody
        await self.go_on(incarnation)

    async def end(self, *, crash: bool) -> None:
        """The server is gone: with a crash, whatever it was doing."""
        if crash:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for each in others:
                each.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        else:
            await self.dispatcher.drain(0)
            await self.pool.close("drain")
            await self.dispatcher.close()
        await self.store.close()
        self.calls.clear()

    async def _behave(self, call: Call) -> Reply:
        number = identity.number_of(call.invocation.request_id)
        assert number is not None  # noqa: S101 - only tasks are run
        told: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.calls[number] = call, told
        return await told

    # What callers do --------------------------------------------------------------------------------------------------

    async def asked(self, work: Any) -> str:
        """The code of the refusal that `work` meets, "" when it meets none."""
        try:
            await work
        except SojournError as error:
            return error.code
        return ""

    async def submit(self, function: str, name: str, payload: bytes, delay_seconds: int) -> None:
        """Submit a task."""
        found = self.catalog.function(ACCOUNT, function)
        task = await self.queue.submit(found, payload, name=name, delay_seconds=delay_seconds)
        self._last = max(self._last, task.id)

    async def stop(self, function: str, name: str) -> None:
        """Stop a task."""
        await self.dispatcher.stop(self.catalog.remembered(ACCOUNT, function), name, "caller")

    async def create(self, name: str) -> None:
        """Create a function."""
        config = {"runtime": "python3.12", "handler": "index.handler", "timeout": TIMEOUT_SECONDS}
        await self.catalog.create_function(ACCOUNT, config | {"functionName": name, "code": {"zipFile": "AA=="}})

    def told(self, task: Task, reply: Reply) -> None:
        """Let the attempt of a task come to its end."""
        self.calls[task.id][1].set_result(reply)

    def died(self, task: Task) -> None:
        """Let the process of an attempt end before it answers."""
        self.calls[task.id][0].die()

    def sandbox_lost(self) -> None:
        """The sandbox goes away, with everything in it."""
        for sandbox in self.script.sandboxes:
            if sandbox.alive:
                sandbox.lose()

    async def rest(self, seconds: float = REST_SECONDS) -> None:
        """Let time pass; a moment of it is enough for all that can go on without waiting."""
        for name in ("f", "g"):
            self.script.behaviours[name] = self._behave
        await asyncio.sleep(seconds)
        await asyncio.sleep(2e-6)  # what was to happen in the same moment has happened too

    # What callers see -------------------------------------------------------------------------------------------------

    async def page(self, function: str, **narrowed: Any) -> list[Task]:
        """All pages of a list."""
        query = TaskQuery(function_id=self.catalog.remembered(ACCOUNT, function).id, **narrowed)
        found: list[Task] = []
        while True:
            part: Sequence[Task] = await self.queue.page(query)
            found += part
            if len(part) < query.limit:
                return found
            query = TaskQuery(
                **{name: getattr(query, name) for name in query.__struct_fields__} | {"after": part[-1].id}
            )

    async def everything(self, functions: Sequence[str]) -> dict[str, Task]:
        """Every task, as a caller sees it."""
        pages = [await self.page(name, limit=PAGE_LIMIT_MAX, bodies=True, ascending=True) for name in functions]
        return {task.name or "": task for page in pages for task in page}
