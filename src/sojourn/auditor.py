"""Audits of a running server's store: when somebody asks, and every now and then although nobody does.

They run on a thread of their own. Those who ask while one runs get the same report. The one that nobody waits for takes
its time: the thread shares the interpreter with the server's loop, so it works in short pieces and rests between them,
and the longer it takes, the longer it is until the next. What audits have found is counted, and never uncounted.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Iterator

from .audit import SHOWN_MAX, Report, audit
from .background import cancel
from .clock import Clock
from .errors import SojournError
from .function import Function
from .store import Records, Store, Stray
from .task import Task

log = logging.getLogger(__name__)

PIECE_TASKS = 20
"""Tasks that are looked at in one go, which takes about half a millisecond."""
REST_SECONDS = 0.001
SHARE_MAX = 0.05
"""Of the time, that audits without anybody's asking may take."""


class Auditor:
    """Looks at what `store` holds.

    `violations` is how many different ones all audits have found, `audits` how many there were, `tasks` and `at` what
    the last one looked at and when it ended (microseconds since 1970, 0 for never).
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._running: asyncio.Future[Report] | None = None
        self._loop: asyncio.Task[None] | None = None
        self._known: set[str] = set()
        self._most = 0
        self.audits = self.tasks = self.at = 0

    @property
    def violations(self) -> int:
        """How many different ones were found; of those beyond what a report keeps, the most at a time."""
        return max(len(self._known), self._most)

    async def audit(self) -> Report:
        """The report on all that the store holds now.

        Raises
        ------
        StoreFailed: it cannot be read.

        """
        if self._running is None or self._running.done():
            self._running = asyncio.ensure_future(asyncio.to_thread(self._look))
            self._running.add_done_callback(self._looked)
        return await asyncio.shield(self._running)

    def start(self, seconds: float) -> None:
        """Look every so many seconds; 0 for never."""
        if seconds and self._loop is None:
            self._loop = asyncio.create_task(self._look_again(seconds))

    async def close(self) -> None:
        """Look no more by itself."""
        await cancel(self._loop)

    async def _look_again(self, seconds: float) -> None:
        took = 0.0
        while True:
            await asyncio.sleep(max(seconds, took / SHARE_MAX))
            began = self._clock.monotonic()
            with contextlib.suppress(SojournError):  # a store that cannot be read is told of where it is used
                self._note(await asyncio.to_thread(self._look_slowly))
            took = self._clock.monotonic() - began

    def _look(self) -> Report:
        with self._store.records() as records:
            return audit(records)

    def _look_slowly(self) -> Report:
        with self._store.records() as records:
            return audit(_Slow(records))

    def _looked(self, running: asyncio.Future[Report]) -> None:
        if not running.cancelled() and running.exception() is None:
            self._note(running.result())

    def _note(self, report: Report) -> None:
        self.audits, self.tasks, self.at = self.audits + 1, report.tasks, self._clock.now()
        self._most = max(self._most, report.violations_count)
        for text in map(str, report.violations):
            if text in self._known:
                continue
            log.critical("an invariant does not hold: %s", text)
            if len(self._known) < SHOWN_MAX:
                self._known.add(text)


class _Slow:
    """Records that are read in pieces."""

    def __init__(self, records: Records) -> None:
        self._records, self._nothing = records, threading.Event()

    def incarnation(self) -> int:
        return self._records.incarnation()

    def functions(self) -> Iterator[Function]:
        return self._records.functions()

    def tasks(self) -> Iterator[Task]:
        for number, task in enumerate(self._records.tasks(), 1):
            if number % PIECE_TASKS == 0:
                self._nothing.wait(REST_SECONDS)
            yield task

    def strays(self) -> Iterator[Stray]:
        return self._records.strays()
