"""Reports of tasks on their way to the store: a few writes a second for each task, and the last one is always kept.

What a report may hold, and how one follows another, is decided by `progress`. A report is in memory at first and
durable at once, or a moment later when the task has just reported before; whoever ends an attempt calls `settle`, so
that nothing is left behind. Only the attempt that runs is heard, which the store checks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import msgspec

from .background import Background
from .clock import Clock
from .errors import SojournError, StoreFailed
from .progress import Progress, Report, merged, parse
from .store import Store
from .task import Task

log = logging.getLogger(__name__)

WRITE_SECONDS = 0.25
"""Between two writes of one task."""
STORE_RETRY_SECONDS = 1.0


class _Held:
    """The newest report of a task, and whether it is to be written."""

    __slots__ = ("dirty", "progress")

    def __init__(self, progress: Progress) -> None:
        self.progress, self.dirty = progress, True


class Reports:
    """Progress of all tasks; `on_progress` is called whenever one has become durable."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._held: dict[int, _Held] = {}
        self._background = Background("a report")
        self.closing = False
        self.on_progress: Callable[[Progress], None] = lambda _: None

    def take(self, task: Task, attempt: int, body: bytes) -> None:
        """What the sandbox of a task says it reports, all of it; what is no report is not heard."""
        try:
            report = parse(msgspec.json.decode(body, type=dict[str, object]))
        except (SojournError, msgspec.MsgspecError) as error:
            log.info("a sandbox sent what is no report: %s", error)
            return
        held = self._held.get(task.id)
        before = held.progress if held is not None else Progress(task_id=task.id, attempt=attempt)
        self._hold(merged(before, report, attempt, self._clock.now()))

    async def report(self, task: Task, report: Report) -> Progress:
        """What somebody reports of a running task; it is durable soon, and shown at once."""
        before = (await self.of([task.id])).get(task.id) or Progress(task_id=task.id, attempt=task.attempts)
        progress = merged(before, report, task.attempts, self._clock.now())
        self._hold(progress)
        return progress

    async def of(self, task_ids: Sequence[int]) -> dict[int, Progress]:
        """What is known of those tasks that ever reported something."""
        found = {each.task_id: each for each in await self._store.progress(task_ids)}
        return found | {number: self._held[number].progress for number in task_ids if number in self._held}

    async def checkpoint(self, task_id: int) -> bytes:
        """What the attempts of a task before left for the next one."""
        while not self.closing:
            try:
                found = (await self.of([task_id])).get(task_id)
            except StoreFailed:
                await asyncio.sleep(STORE_RETRY_SECONDS)
                continue
            return found.checkpoint if found is not None else b""
        return b""

    async def settle(self, task_id: int) -> None:
        """Write what a task reported last; its attempt is about to be over."""
        held = self._held.pop(task_id, None)
        while held is not None and held.dirty and not self.closing:
            held.dirty = False
            await self._write(held)
            if held.dirty:
                await asyncio.sleep(STORE_RETRY_SECONDS)

    async def close(self) -> None:
        """Write what is left."""
        self.closing = True
        for held in list(self._held.values()):
            await self._write(held)
        for each in self._background:
            each.cancel()
        await self._background.finish()

    def _hold(self, progress: Progress) -> None:
        held = self._held.get(progress.task_id)
        if held is None:
            held = self._held[progress.task_id] = _Held(progress)
            self._background.spawn(self._keep(held))
        else:
            held.progress, held.dirty = progress, True

    async def _keep(self, held: _Held) -> None:
        """Write for as long as there is something new."""
        while held.dirty:
            held.dirty = False
            await self._write(held)
            await asyncio.sleep(WRITE_SECONDS)
        if self._held.get(held.progress.task_id) is held:
            del self._held[held.progress.task_id]

    async def _write(self, held: _Held) -> None:
        progress = held.progress
        try:
            if await self._store.put_progress(progress):
                self.on_progress(progress)
        except StoreFailed:
            held.dirty = True
