"""The freezer: what becomes of an instance that rests. After a short linger it is frozen, after its idle time it goes.

One timer serves all instances. An instance stands at most once among those that linger and once among those that wait
for the end of their idle time, however often it is used meanwhile; when its moment comes, the time of its last use
decides. So a busy function pays nothing, and none of its instances is frozen between back-to-back tasks. Freezing and
ending themselves are `pool`'s.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush

from .clock import Clock
from .fleet import Instance
from .instance import Status

RECHECK_SECONDS = 1.0
"""How soon an instance that must stay is looked at again, at the least."""
_SLACK_SECONDS = 1e-6
"""Of a timer's own arithmetic."""


class Freezer:
    """The resting instances' clock.

    Parameters
    ----------
    clock: tells how long one has rested.
    linger_seconds: how long an instance rests before it is frozen.
    idle_seconds: how long each may rest before it goes.
    freezes: whether an instance may be frozen at all.
    stays: whether it is kept beyond its idle time.
    freeze, reclaim: do it.

    """

    def __init__(
        self,
        clock: Clock,
        *,
        linger_seconds: float,
        idle_seconds: Callable[[Instance], float],
        freezes: Callable[[Instance], bool],
        stays: Callable[[Instance], bool],
        freeze: Callable[[Instance], None],
        reclaim: Callable[[Instance], object],
    ) -> None:
        self._clock, self._linger_seconds, self._idle_seconds = clock, linger_seconds, idle_seconds
        self._freezes, self._stays, self._freeze, self._reclaim = freezes, stays, freeze, reclaim
        self._lingering: deque[Instance] = deque()
        self._watched: list[tuple[float, int, Instance]] = []
        self._number = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._closed = False

    def rest(self, used: Instance) -> None:
        """An instance begins to rest, or is to be looked at anew."""
        if self._closed:
            return
        if not used.lingers:
            used.lingers = True
            self._lingering.append(used)
        if not used.watched:
            self._watch(used, used.rested_at + self._idle_seconds(used))
        self._arm()

    def close(self) -> None:
        """Let everything be."""
        self._closed = True
        self._lingering.clear()
        self._watched.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _watch(self, used: Instance, moment: float) -> None:
        used.watched = True
        self._number += 1
        heappush(self._watched, (moment, self._number, used))

    def _arm(self) -> None:
        """Set the timer to the next moment, unless it comes earlier anyway."""
        moments = [self._lingering[0].rested_at + self._linger_seconds] if self._lingering else []
        if self._watched:
            moments.append(self._watched[0][0])
        if not moments or self._closed:
            return
        moment = min(moments)
        if self._timer is not None:
            if self._timer_at <= moment:
                return
            self._timer.cancel()
        self._timer_at = moment
        delay = max(moment - self._clock.monotonic(), 0.0)
        self._timer = asyncio.get_running_loop().call_later(delay, self._look)

    def _look(self) -> None:
        self._timer = None
        now = self._clock.monotonic() + _SLACK_SECONDS
        for _ in range(len(self._lingering)):
            first = self._lingering[0]
            if first.rested_at + self._linger_seconds > now and first.status is Status.IDLE:
                break
            self._lingering.popleft()
            first.lingers = False
            if first.status is not Status.IDLE or first.gone is not None or not self._freezes(first):
                continue
            self._freeze(first)
        while self._watched and self._watched[0][0] <= now:
            _, _, used = heappop(self._watched)
            used.watched = False
            if used.gone is not None or used.status not in (Status.IDLE, Status.FREEZING, Status.FROZEN):
                continue
            seconds = self._idle_seconds(used)
            if used.rested_at + seconds > now:
                self._watch(used, used.rested_at + seconds)
            elif self._stays(used):
                self._watch(used, now + max(seconds, RECHECK_SECONDS))
            else:
                self._reclaim(used)
        self._arm()
