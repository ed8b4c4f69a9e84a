"""The lines of all functions, rebuilt from rows at a start: the first of each before anything runs, the rest meanwhile.

What stands in a line is a hint, see `line`. So a line may lack what has not been read yet, and may hold what was
stopped since it was read: that is found out when it is taken.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from .background import Background
from .clock import Clock
from .crashpoint import crashpoint
from .errors import StoreFailed
from .line import Line
from .store import OpenTask
from .task import Status

log = logging.getLogger(__name__)

LOADED_FIRST_TASKS = 10_000
"""Waiting tasks that a start reads before anything runs."""
BUSY = (Status.RUNNING, Status.STOPPING)
"""Somebody was busy with a task of that status."""


class Lines:
    """The lines by function, or by its version; iterating gives those in which something waits."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: dict[int, Line] = {}
        self._background = Background("the lines")

    def __iter__(self) -> Iterator[Line]:
        return (line for line in list(self._lines.values()) if len(line))

    def of(self, function_id: int) -> Line:
        """The line of a function, or of one of its versions."""
        line = self._lines.get(function_id)
        if line is None:
            line = self._lines[function_id] = Line(function_id)
        return line

    async def rebuild(
        self,
        rows: AsyncIterator[Sequence[OpenTask]],
        *,
        on_due: Callable[[Line], None] = lambda _: None,
        ended: Callable[[], bool] = lambda: False,
    ) -> list[OpenTask]:
        """Line up what `rows` holds, as `Store.open_tasks` gives it; returns what an earlier start was busy with.

        Of many tasks that wait, the first of each function are in line on return, and the others follow.

        Parameters
        ----------
        rows: what there is.
        on_due: is told which lines have grown after the return.
        ended: whether it is no longer worth it.

        """
        busy: list[OpenTask] = []
        read = 0
        async for chunk in rows:
            for row in chunk:
                if row.status in BUSY:
                    crashpoint("queue.load.row")
                    busy.append(row)
            self._line_up([row for row in chunk if row.status not in BUSY])
            read += len(chunk)
            if read >= LOADED_FIRST_TASKS and chunk[-1].status is Status.ENQUEUED:
                self._background.spawn(self._follow(rows, on_due, ended))
                break
        return busy

    async def _follow(
        self, rows: AsyncIterator[Sequence[OpenTask]], on_due: Callable[[Line], None], ended: Callable[[], bool]
    ) -> None:
        began, read = self._clock.monotonic(), 0
        try:
            async for chunk in rows:
                if ended():
                    return
                read += len(chunk)
                for line in self._line_up(chunk):
                    on_due(line)
                await asyncio.sleep(0)  # those who submit and end tasks meanwhile come first
        except StoreFailed as error:
            if not ended():
                log.critical("tasks that wait could not be read, and wait for the next start: %s", error)
        else:
            log.info("%d more waiting tasks are in line after %.1f s", read, self._clock.monotonic() - began)

    def _line_up(self, rows: Sequence[OpenTask]) -> list[Line]:
        """Let tasks stand in their lines; returns those lines."""
        now = self._clock.now()
        for row in rows:
            crashpoint("queue.load.row")
            self.of(row.runs).add(row.id, row.due_at, row.expires_at, now)
        return [self.of(each) for each in {row.runs for row in rows}]
