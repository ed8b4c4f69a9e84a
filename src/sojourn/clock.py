"""The only place that reads time.

Loops take a `Clock` as an argument, so that tests and the simulation hand in their own. The pure core never reads it:
time comes to it as a number of microseconds since 1970 (`now`).
"""

from __future__ import annotations

import time
from typing import Protocol

MICROSECONDS_PER_SECOND = 1_000_000
MICROSECONDS_PER_MILLISECOND = 1_000


class Clock(Protocol):
    """Wall time for stamps and due times, monotonic time for deadlines."""

    def now(self) -> int:
        """Wall clock, microseconds since 1970 UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never step back; only differences mean something."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> int:
        """Wall clock, microseconds since 1970 UTC."""
        return time.time_ns() // 1_000

    def monotonic(self) -> float:
        """Seconds that never step back."""
        return time.monotonic()


class FasterClock:
    """A wall clock that runs `scale` times as fast as the machine's, from now on; for tests.

    What is planned by the wall clock comes sooner: delays, ages, waits between attempts, idleness. Monotonic time stays
    as it is, so deadlines of the server itself (grace, drain, waits for an instance) keep their length.
    """

    def __init__(self, scale: float, real: Clock | None = None) -> None:
        self.scale, self.real = scale, real or SystemClock()
        self._began, self._began_monotonic = self.real.now(), self.real.monotonic()

    def now(self) -> int:
        """The faster wall clock, microseconds since 1970 UTC."""
        passed = self.real.monotonic() - self._began_monotonic
        return self._began + int(passed * self.scale * MICROSECONDS_PER_SECOND)

    def monotonic(self) -> float:
        """Seconds that never step back, of the machine."""
        return self.real.monotonic()


def clock_of(scale: float) -> Clock:
    """The machine's clock, or one that runs `scale` times as fast."""
    return FasterClock(scale) if scale > 1 else SystemClock()


def pace_of(scale: float) -> str:
    """What a ready line says of a clock that is not the machine's; nothing otherwise."""
    return f"time runs {scale:g} times as fast · " if scale > 1 else ""


SCALED_SECONDS_MIN = 1.0
"""What a scaled timeout of user code leaves at least, since that code does not run faster."""


def real_seconds(clock: Clock, seconds: float) -> float:
    """How long to wait in truth until `seconds` have passed on `clock`."""
    return max(seconds / clock.scale, 0.001) if isinstance(clock, FasterClock) else seconds


def real_timeout_seconds(clock: Clock, seconds: float) -> float:
    """The same for a timeout of user code, which keeps the shorter of `SCALED_SECONDS_MIN` and what it had."""
    return max(real_seconds(clock, seconds), min(seconds, SCALED_SECONDS_MIN))


def unscaled(clock: Clock) -> Clock:
    """The clock that the outside world goes by, for what must agree with it, such as dates of signatures."""
    return clock.real if isinstance(clock, FasterClock) else clock


def milliseconds(microseconds: int) -> int:
    """Microseconds as the wire's integer milliseconds; 0 stays 0."""
    return microseconds // MICROSECONDS_PER_MILLISECOND
