"""Synchronous calls: a function is called, its answer goes back, and no task comes of it.

A call waits a bounded time for an instance. A caller that goes away ends the instance, because user code still
runs in it (FC: a cancelled synchronous invocation restarts its instance).
"""

from __future__ import annotations

import asyncio

import msgspec

from .attempt import Attempt
from .clock import Clock
from .concurrency import Concurrency
from .errors import ResourceExhausted, ServiceUnavailable
from .function import Function
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
    """Synchronous calls of this server."""

    def __init__(self, pool: Pool, concurrency: Concurrency, clock: Clock) -> None:
        self._pool, self._concurrency, self._clock = pool, concurrency, clock
        self._background: set[asyncio.Future[object]] = set()
        self.freed = asyncio.Event()
        self.closed = False

    async def invoke(self, function: Function, payload: bytes, request_id: str) -> Answer:
        """Call `function` with `payload`.

        Raises
        ------
        ResourceExhausted: no instance became free in time, or the function's concurrency is used up.
        InstanceStartFailed: no instance can be made.
        ServiceUnavailable: the server is draining.

        """
        if not self._concurrency.allows(function):
            raise ResourceExhausted(f"function '{function.name}' has no concurrency left")
        self._concurrency.take(function.id)
        used: Instance | None = None
        try:
            used = await self._acquire(function)
            attempt = Attempt(self._pool, used)
            try:
                ended = await attempt.run(function, Invocation(request_id=request_id, payload=payload))
            except asyncio.CancelledError:
                self._keep(asyncio.ensure_future(attempt.end("cancel")))
                raise
        finally:
            self._concurrency.give(function.id)
            if used is not None:
                self._pool.release(used)
        megabytes = float(str(ended.evidence.get("maxMemoryUsageMB", 0)))
        log = attempt.output.log(1) or Log(1, b"")
        return Answer(ended, used.id, attempt.duration_us, int(megabytes * 1024 * 1024), log)

    async def _acquire(self, function: Function) -> Instance:
        deadline = self._clock.monotonic() + WAIT_SECONDS_MAX
        while True:
            if self.closed:
                raise ServiceUnavailable("the server is draining and starts nothing new")
            self.freed.clear()
            used = self._pool.acquire(function)
            if used is not None:
                try:
                    await self._pool.ready(used)
                except BaseException:  # also a caller who goes away: whoever comes next gets the instance
                    self._pool.release(used)
                    raise
                return used
            try:
                async with asyncio.timeout(max(deadline - self._clock.monotonic(), 0)):
                    await self.freed.wait()
            except TimeoutError:
                raise ResourceExhausted(f"no instance for function '{function.name}' became free in time") from None

    def _keep(self, future: asyncio.Future[object]) -> None:
        self._background.add(future)
        future.add_done_callback(self._background.discard)
