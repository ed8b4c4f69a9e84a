"""Real asyncio in virtual time: a loop that jumps to its next timer instead of waiting for it.

Coroutines, tasks and timeouts are asyncio's own. When nothing is ready the loop's clock is set forward, so that a
wait of five minutes takes no time and two runs take the same steps. A loop that would wait for ever says so.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")

START = 1_800_000_000_000_000
"""What the wall clock shows when a virtual loop begins, microseconds since 1970."""
THREADS_SECONDS_MAX = 5.0


class Deadlock(RuntimeError):
    """Nothing is ready, no timer is set, and nobody came to wake the loop."""


class _Jumping(selectors.SelectSelector):
    """Answers at once, and lets the loop's time pass instead of ours."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:  # only another thread can wake the loop now
            ready = super().select(THREADS_SECONDS_MAX)
            if not ready:
                raise Deadlock
            return ready
        ready = super().select(0)
        if not ready and timeout > 0:
            self.loop.seconds += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only when everybody waits."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.steps = 0
        selector = _Jumping()
        selector.loop = self
        super().__init__(selector)

    def _run_once(self) -> None:
        self.steps += 1
        super()._run_once()  # type: ignore[misc]  # asyncio's own, which its stubs leave out

    def time(self) -> float:
        """Virtual seconds since the loop began."""
        return self.seconds


class VirtualClock:
    """A `Clock` that follows the virtual loop; `ahead_us` sets the wall clock off, as an operator's hand would."""

    def __init__(self) -> None:
        self.ahead_us = 0

    def now(self) -> int:
        """Wall clock, microseconds since 1970."""
        return START + self.ahead_us + round(asyncio.get_running_loop().time() * 1_000_000)

    def monotonic(self) -> float:
        """The loop's own time."""
        return asyncio.get_running_loop().time()


def run(main: Coroutine[object, object, T]) -> T:
    """Run `main` in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def steps() -> int:
    """How often the virtual loop has turned."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop.steps


async def settle(steps: int = 50) -> None:
    """Let everything that can go on without time passing go on."""
    for _ in range(steps):
        await asyncio.sleep(0)
