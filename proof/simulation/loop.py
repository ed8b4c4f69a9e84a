"""An event loop in virtual time that chooses: of all callbacks that are ready, a seeded draw says which one is next.

Coroutines, tasks, futures and timeouts are asyncio's own; time jumps to the next timer when nothing is ready. Callbacks
belong to a `Domain`, by their context: one that is dead never runs again, as after a SIGKILL (no cancellation, no
`finally`), and one that stands still keeps what it would do until it goes on, as after a SIGSTOP.

`digest` is a rolling hash of every choice and the time it was made at: two runs with the same digest took the same way.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import Callable, Coroutine
from heapq import heappop, heappush
from typing import Any, TypeVar

T = TypeVar("T")

STEPS_MAX = 400_000
"""Callbacks of one run: more are a loop that never comes to rest."""


class Stuck(RuntimeError):
    """Nothing is ready and no timer is set."""


class Livelock(RuntimeError):
    """It does not come to rest."""


class Domain:
    """What lives and dies together: a server process, or all that is outside of it."""

    __slots__ = ("dead", "held", "name", "still")

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = self.still = False
        self.held: list[asyncio.Handle] = []


WORLD = Domain("world")
DOMAIN: contextvars.ContextVar[Domain] = contextvars.ContextVar("domain", default=WORLD)


class SimLoop:
    """The loop: all that asyncio asks of one here, and no more.

    `order` is the share of choices that are drawn, the others take the callback that is ready longest.
    """

    def __init__(self, seed: int, order: float = 1.0, steps_max: int = STEPS_MAX) -> None:
        self._draw = random.Random(seed).random
        self._order, self._steps_max = order, steps_max
        self._me: Any = self
        self._ready: list[asyncio.Handle] = []
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._now = 0.0
        self._numbers = 0
        self._tasks: list[asyncio.Task[Any]] = []
        self.steps = 0
        self.digest = 0
        self.halted = False
        self.on_exception: Callable[[dict[str, Any]], None] = lambda _: None

    # What asyncio asks of a loop --------------------------------------------------------------------------------------

    def time(self) -> float:
        """Virtual seconds since the beginning."""
        return self._now

    def get_debug(self) -> bool:
        """Never."""
        return False

    def is_running(self) -> bool:
        """Always, while anybody can ask."""
        return True

    def is_closed(self) -> bool:
        """Never."""
        return False

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Let it be ready."""
        handle = asyncio.Handle(callback, args, self._me, context)
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """Let it be ready after `delay` seconds."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """Let it be ready at `when`."""
        handle = asyncio.TimerHandle(when, callback, args, self._me, context)
        self._numbers += 1
        heappush(self._timers, (when, self._numbers, handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is passed over when its time comes."""

    def create_future(self) -> asyncio.Future[Any]:
        """One of asyncio's own."""
        return asyncio.Future(loop=self._me)

    def create_task(
        self,
        coro: Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[T]:
        """One of asyncio's own, kept until the run is over: what a dead domain leaves must not be collected."""
        task = asyncio.Task(coro, loop=self._me, name=name, context=context)
        self._tasks.append(task)
        return task

    def run_in_executor(self, executor: object, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """What threads would do: it takes a moment, and happens at one point in time."""
        del executor
        future: asyncio.Future[T] = self.create_future()

        def work() -> None:
            if future.done():
                return
            try:
                future.set_result(func(*args))
            except Exception as error:  # noqa: BLE001 - it is told to who waits
                future.set_exception(error)

        self.call_later(0.0005, work)
        return future

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """A callback raised."""
        self.on_exception(context)

    # The run ----------------------------------------------------------------------------------------------------------

    def run(self, main: Coroutine[Any, Any, T]) -> T | None:
        """Run until `main` is over, or until somebody halts the loop: then there is no answer.

        Raises
        ------
        Stuck: nothing would ever happen any more.
        Livelock: more than the bound of steps.

        """
        asyncio.events._set_running_loop(self._me)  # noqa: SLF001 - as every loop does
        try:
            task = self.create_task(main)
            while not task.done() and not self.halted:
                self._step()
            return None if self.halted else task.result()
        finally:
            asyncio.events._set_running_loop(None)  # noqa: SLF001 - as above

    def discard(self) -> None:
        """Let go of everything that is left, without a word about it.

        That goes for what is raised by being let go of as well: what somebody of a dead domain would have looked at,
        had it lived, is nobody's fault.
        """
        self.on_exception = lambda _: None
        for task in self._tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001 - how asyncio is told
            if task.done() and not task.cancelled():
                task.exception()
        self._tasks.clear()
        self._ready.clear()
        self._timers.clear()

    def resume(self, domain: Domain) -> None:
        """Let a domain that stood still go on."""
        domain.still = False
        held, domain.held = domain.held, []
        self._ready += held

    def _step(self) -> None:
        ready, timers = self._ready, self._timers
        if not ready:
            if not timers:
                raise Stuck
            self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now:
            handle: asyncio.Handle = heappop(timers)[2]
            if not handle._cancelled:  # noqa: SLF001 - a handle is the loop's own
                ready.append(handle)
        if not ready:
            return
        place = 0
        if len(ready) > 1 and (self._order >= 1.0 or self._draw() < self._order):
            place = int(self._draw() * len(ready))
        handle = ready.pop(place)
        self.digest = hash((self.digest, place, len(ready), self._now))
        if handle._cancelled:  # noqa: SLF001 - as above
            return
        domain = handle._context.get(DOMAIN, WORLD)  # type: ignore[attr-defined]  # noqa: SLF001 - as above
        if domain.dead:
            return
        if domain.still:
            domain.held.append(handle)
            return
        self.steps += 1
        if self.steps > self._steps_max:
            raise Livelock
        handle._run()  # noqa: SLF001 - as above
