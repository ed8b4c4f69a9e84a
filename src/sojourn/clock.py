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


def milliseconds(microseconds: int) -> int:
    """Microseconds as the wire's integer milliseconds; 0 stays 0."""
    return microseconds // MICROSECONDS_PER_MILLISECOND
