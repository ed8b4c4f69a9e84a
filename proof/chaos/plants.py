"""Mistakes that a server of the real product is given, to see that a run notices them.

Each is a patch that is made in the server's process before it starts. Nothing here is ever part of a server that is
meant to be right.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any

from sojourn.function import Function
from sojourn.stopping import Stops
from sojourn.task import Task

LATE_SECONDS = 0.3
_late: set[asyncio.Task[Any]] = set()


def _answers_early() -> None:
    """A submit is answered before its task is durable."""
    for entry in entry_points(group="sojourn.stores"):
        _make_late(entry.load())


def _make_late(store: Any) -> None:
    durable = store.insert_task

    async def insert(self: object, task: object) -> bool:
        async def later() -> None:
            await asyncio.sleep(LATE_SECONDS)
            await durable(self, task)

        _late.add(asyncio.ensure_future(later()))
        return True

    store.insert_task = insert


def _forgets_stops() -> None:
    """A stop is acknowledged, and nothing of it is written down."""

    async def stop(self: Any, function: Function, name: str, _actor: str, *, force: bool = False) -> Task:  # noqa: ARG001 - as the real one is called
        task: Task = await self._queue.find(function, name)
        return task

    Stops.stop = stop  # type: ignore[method-assign, assignment]  # that is the mistake


PLANTS: Mapping[str, tuple[str, Callable[[], None]]] = {
    "a submit is answered before it is durable": ("I1", _answers_early),
    "a stop is acknowledged and forgotten": ("I7", _forgets_stops),
}
"""Each mistake by what it is, with the invariant that it breaks."""


def plant(name: str) -> None:
    """Make a mistake."""
    PLANTS[name][1]()
