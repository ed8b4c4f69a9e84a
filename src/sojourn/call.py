"""Synchronous calls: a function is called, its answer goes back, and no task comes of it.

A call passes the same gate as tasks do, before those of its own function, and waits a bounded time for an instance. A
caller that goes away ends the instance, because user code still runs in it (FC: a cancelled synchronous invocation
restarts its instance).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import msgspec

from .attempt import Attempt
from .background import Background
from .concurrency import Concurrency
from .crashpoint import crashpoint
from .errors import ResourceExhausted, ServiceUnavailable
from .function import Function
from .gate import Begun, Gate
from .pool import Instance, Pool
from .sandbox import Invocation
from .store import Log
from .task import Outcome

WAIT_SECONDS_MAX = 10.0


class Answer(msgspec.Struct, frozen=True):
    """What a synchronous call came to, and what it used."""

    outcome: Outcome
    instance_id: str
    duration_us: int
    memory_peak_bytes: int
    log: Log


class Calls:
    """Synchronous calls of this server; `on_wait()` is called when one begins to wait for its turn."""

    def __init__(self, pool: Pool, concurrency: Concurrency, gate: Gate) -> None:
        self._pool, self._concurrency, self._gate = pool, concurrency, gate
        self._waiting: dict[int, deque[tuple[Function, asyncio.Future[Instance]]]] = {}
        self.background = Background("a call")
        self.closed = False
        self.on_wait: Callable[[], None] = lambda: None

    async def invoke(self, function: Function, payload: bytes, request_id: str, *, http: bool = False) -> Answer:
        """Call `function` with `payload`, which with `http` is a request for the program itself.

        Raises
        ------
        ResourceExhausted: no instance became free in time, or the function's concurrency is used up.
        InstanceStartFailed: no instance can be made.
        ServiceUnavailable: the server is draining.

        """
        if not self._concurrency.allows(function):
            raise ResourceExhausted(f"function '{function.name}' has no concurrency left")
        self._concurrency.take(function)
        used: Instance | None = None
        abandoned = False
        try:
            used = await self._acquire(function)
            await self._pool.ready(used)
            attempt = Attempt(self._pool, used)
            invocation = Invocation(request_id=request_id, payload=payload, http=http)
            running = self.background.spawn(attempt.run(function, invocation))
            try:
                ended = await asyncio.shield(running)
            except asyncio.CancelledError:
                abandoned = True
                self.background.spawn(self._abandon(attempt, running, function, used))
                raise
        finally:
            if not abandoned:  # else user code still runs in it
                self._over(function, used)
        crashpoint("call.over")
        megabytes = float(str(ended.evidence.get("maxMemoryUsageMB", 0)))
        log = attempt.output.log(1) or Log(1, b"")
        return Answer(ended, used.id, attempt.duration_us, int(megabytes * 1024 * 1024), log)

    def wait_of(self, function_id: int) -> bool:
        """Whether a call of this function waits for its turn."""
        waiting = self._waiting.get(function_id)
        while waiting and waiting[0][1].done():  # its caller has just gone away and had no time yet to leave
            waiting.popleft()
        if waiting is not None and not waiting:
            del self._waiting[function_id]
        return bool(waiting)

    def begin(self, function_id: int) -> Begun:
        """Give the call that waits longest its instance, if there is one."""
        function, caller = self._waiting[function_id][0]
        found = self._pool.acquire(function)
        if found is None:
            return Begun.STARTING if self._pool.capacity.starts_enough(function) else Begun.FULL
        self._leave(function_id, caller)
        caller.set_result(found)
        return Begun.STARTED

    def close(self) -> None:
        """Take no more calls, and tell those that wait."""
        self.closed = True
        for waiting in self._waiting.values():
            for _, caller in waiting:
                if not caller.done():
                    caller.set_exception(ServiceUnavailable("the server is draining and starts nothing new"))
        self._waiting.clear()

    async def _acquire(self, function: Function) -> Instance:
        if self.closed:
            raise ServiceUnavailable("the server is draining and starts nothing new")
        if self._gate.open and (found := self._pool.acquire(function)) is not None:
            return found
        caller: asyncio.Future[Instance] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(function.id, deque()).append((function, caller))
        self._gate.want(function.id)
        self.on_wait()
        try:
            async with asyncio.timeout(WAIT_SECONDS_MAX):
                return await caller
        except TimeoutError:
            self._give_back(caller)
            raise ResourceExhausted(f"no instance for function '{function.name}' became free in time") from None
        except asyncio.CancelledError:
            self._give_back(caller)
            raise
        finally:
            self._leave(function.id, caller)

    async def _abandon(
        self, attempt: Attempt, running: asyncio.Task[Outcome], function: Function, used: Instance
    ) -> None:
        """The caller went away while user code ran: nobody gets the instance before that is over."""
        try:
            await attempt.end("cancel")
            await asyncio.wait([running])
        finally:
            self._over(function, used)

    def _over(self, function: Function, used: Instance | None) -> None:
        self._concurrency.give(function)
        if used is not None:  # also when the caller goes away during the start: whoever comes next gets it
            self._pool.release(used)

    def _give_back(self, caller: asyncio.Future[Instance]) -> None:
        """The caller went away in the very moment in which it got an instance."""
        if caller.done() and not caller.cancelled() and caller.exception() is None:
            self._pool.release(caller.result())

    def _leave(self, function_id: int, caller: asyncio.Future[Instance]) -> None:
        waiting = self._waiting.get(function_id)
        if waiting is None:
            return
        kept = deque(each for each in waiting if each[1] is not caller)
        if kept:
            self._waiting[function_id] = kept
        else:
            del self._waiting[function_id]
