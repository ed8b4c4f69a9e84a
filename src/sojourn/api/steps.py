"""A coroutine that is led from wait to wait by callbacks: a task of asyncio's without the task.

A task is begun and woken by the loop, each time a turn later; that is most of what a short request costs besides its
work. Here the first step is taken where the request was read, and each further one where what it waited for is told.
What does so must not ask for the current task, as `asyncio.timeout` and task groups do: there is none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Steps(Generic[T]):
    """Leads `coroutine` to its end, which is told to `on_end`: what it returned, or what it raised.

    `begin` takes the first step, and all others when it never waits; then `on_end` is called before `begin` returns.
    """

    __slots__ = ("_awaited", "_cancelled", "_coroutine", "_on_end")

    def __init__(
        self, coroutine: Coroutine[Any, Any, T], on_end: Callable[[T | None, BaseException | None], None]
    ) -> None:
        self._coroutine, self._on_end = coroutine, on_end
        self._awaited: asyncio.Future[Any] | None = None
        self._cancelled = False

    def begin(self) -> None:
        """Take the first step."""
        self._step(None)

    def cancel(self) -> None:
        """As of a task: what it waits for is cancelled, and so the coroutine is told."""
        if self._awaited is None or not self._awaited.cancel():
            self._cancelled = True  # it waits for nothing any more, and is told at its next step

    def _step(self, _: object) -> None:
        self._awaited = None
        cancelled, self._cancelled = self._cancelled, False
        try:
            awaited = self._coroutine.throw(asyncio.CancelledError()) if cancelled else self._coroutine.send(None)
        except StopIteration as end:
            self._on_end(end.value, None)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - it goes to whoever asked
            self._on_end(None, error)
        else:
            if awaited is None:  # it only lets others go first
                asyncio.get_running_loop().call_soon(self._step, None)
            else:
                self._awaited = awaited
                awaited.add_done_callback(self._step)
