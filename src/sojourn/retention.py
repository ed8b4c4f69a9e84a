"""How long tasks are kept after their end, and the loop that lets them go.

It looks every few seconds for what has been over for long enough and deletes it in small pieces, oldest first, so that
whoever submits or ends a task meanwhile waits for one piece at most. Which tasks may go is the store's to say, by
`Store.forget`: never one that is open, nor one whose record is still to be delivered. What one round leaves (it was
interrupted, the store was full) is found by the next.
"""

from __future__ import annotations

import asyncio
import logging

from .background import cancel
from .clock import MICROSECONDS_PER_SECOND, Clock, real_seconds
from .errors import SojournError
from .queue import Queue

log = logging.getLogger(__name__)

PIECE_TASKS = 500
"""Tasks that are deleted in one go: some 3 ms of the writer's time."""
REST_SECONDS = 10.0
SHARE_MAX = 0.1
"""Of the time, that rounds may take which find nothing to delete."""


class Retention:
    """Lets tasks of `queue` go when they have been over for `seconds` of `clock`; 0 keeps them for ever."""

    def __init__(self, queue: Queue, clock: Clock, seconds: float) -> None:
        self._queue, self._clock, self._seconds = queue, clock, seconds
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to let go; starting twice is fine."""
        if self._seconds and self._loop is None:
            self._loop = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Let nothing go any more."""
        await cancel(self._loop)

    async def _run(self) -> None:
        took = 0.0
        while True:
            # Timers come first after a start: that a firing has its task is seen by the task.
            await asyncio.sleep(max(real_seconds(self._clock, REST_SECONDS), took / SHARE_MAX))
            began = self._clock.monotonic()
            try:
                deleted = await self._round()
            except SojournError as error:
                log.warning("tasks that are over cannot be deleted now: %s", error)
            except Exception:  # a fault of ours in one round must not end all that would follow
                log.exception("a round of deleting failed")
            else:
                # A round that finds much is work that has to be done; only looking in vain is kept rare.
                took = 0.0 if deleted else self._clock.monotonic() - began

    async def _round(self) -> int:
        """Delete all that has been over for long enough by now; says how many there were."""
        ended_before = self._clock.now() - int(self._seconds * MICROSECONDS_PER_SECOND)
        deleted, after = 0, 0
        while True:
            forgotten = await self._queue.forget(ended_before, after, PIECE_TASKS)
            if forgotten.last is None:
                return deleted
            deleted, after = deleted + forgotten.tasks, forgotten.last
