"""The memory guard: looks at the trees of busy instances and names those that are over their limit.

Cheap by two rules. The nearer an instance is to its limit the sooner it is looked at again, as fast as memory can be
written. And the dear, exact measure (PSS) is taken only when the cheap one (resident pages, which count shared ones
more than once) says that the limit may have been passed.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from . import tree
from .loop import Loop

_TICK_SECONDS = 0.025
_PAUSE_SECONDS_MAX = 0.5
_BYTES_PER_SECOND = 2 * 1024 * 1024 * 1024
"""How fast a process may fill memory: a guess on the safe side for one core."""


class Watched:
    """An instance's memory: `limit_bytes`, and the highest use that was seen."""

    __slots__ = ("due", "limit_bytes", "peak_bytes", "pid")

    def __init__(self, pid: int, limit_bytes: int) -> None:
        self.pid, self.limit_bytes, self.peak_bytes, self.due = pid, limit_bytes, 0, 0.0


class Guard:
    """Calls `on_over(number)` once for a busy instance that holds more than its limit."""

    def __init__(self, loop: Loop, on_over: Callable[[int], None]) -> None:
        self._loop, self._on_over = loop, on_over
        self._busy: dict[int, Watched] = {}
        self._ticking = False

    def begin(self, number: int, watched: Watched) -> None:
        """Instance `number` runs something from now on."""
        self._busy[number] = watched
        if not self._ticking:
            self._ticking = True
            self._loop.later(_TICK_SECONDS, self._tick)

    def end(self, number: int) -> None:
        """It does not any more, or is gone."""
        self._busy.pop(number, None)

    def _tick(self) -> None:
        now = time.monotonic()
        over = [number for number, watched in self._busy.items() if watched.due <= now and self._look(watched, now)]
        for number in over:
            self.end(number)
            self._on_over(number)
        self._ticking = bool(self._busy)
        if self._ticking:
            self._loop.later(_TICK_SECONDS, self._tick)

    def _look(self, watched: Watched, now: float) -> bool:
        pids = [watched.pid, *tree.descendants(watched.pid)]
        used = tree.resident_bytes(pids)
        if used > watched.limit_bytes:
            used = tree.proportional_bytes(pids)
        watched.peak_bytes = max(watched.peak_bytes, used)
        headroom = max(watched.limit_bytes - used, 0)
        watched.due = now + min(headroom / _BYTES_PER_SECOND, _PAUSE_SECONDS_MAX)
        return used > watched.limit_bytes
