"""Work that nobody waits for: kept from being collected, its faults logged and not lost; and how work is given up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

from .errors import InstanceStartFailed

log = logging.getLogger(__name__)

T = TypeVar("T")


async def cancel(*work: asyncio.Future[Any] | None) -> None:
    """Cancel what of `work` is not done, and wait until nothing of it runs; None is work that never began."""
    begun = [each for each in work if each is not None]
    for each in begun:
        each.cancel()
    await asyncio.gather(*begun, return_exceptions=True)


class Background:
    """The background tasks of one owner, whose name is for the log; `on_fault()` is called after one failed."""

    def __init__(self, owner: str, on_fault: Callable[[], None] = lambda: None) -> None:
        self._owner, self._on_fault = owner, on_fault
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[asyncio.Task[Any]]:
        return iter(tuple(self._tasks))

    def spawn(self, coroutine: Coroutine[object, object, T]) -> asyncio.Task[T]:
        """Begin it."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def finish(self) -> None:
        """Wait until all of it is done, with what it begins meanwhile."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[T]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            if not isinstance(error, InstanceStartFailed):  # whoever waits for the instance is told
                log.error("%s failed at its edge", self._owner, exc_info=error)
            self._on_fault()
