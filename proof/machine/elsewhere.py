"""Stores whose calls take no virtual time: each is worked off on a thread and a loop of its own while the engine waits.

So a store with threads of its own (as every real one has) runs under a loop that jumps through time, and two runs take
the same steps. Which stores there are is read from the entry points; the plain one of the tests is another.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar, cast

from reference_data import Data
from reference_store import ReferenceStore
from sojourn.store import Store

T = TypeVar("T")

Reopen = Callable[[], Store]
"""Makes a store on the same data each time; the one before must be closed."""
LISTS = ("open_tasks", "open_deliveries")


def factories() -> dict[str, Callable[[Path], Reopen]]:
    """What makes a fresh database in an empty directory, by the store's name."""
    found: dict[str, Callable[[Path], Reopen]] = {"reference": _reference}
    for entry in entry_points(group="sojourn.stores"):
        found[entry.name] = _installed(entry.load())
    return found


def _installed(kind: Callable[[Path], Store]) -> Callable[[Path], Reopen]:
    return lambda directory: lambda: kind(directory)


def _reference(_: Path) -> Reopen:
    data = Data()
    return lambda: cast("Store", ReferenceStore(data))


class Place:
    """A thread with a loop, in which stores live."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for `work`, and let nothing else happen here meanwhile."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Elsewhere:
    """A `Store` that is worked off in a place."""

    def __init__(self, store: Store, place: Place) -> None:
        self._store, self._place = store, place

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._store, name)
        if name in LISTS:
            return lambda: self._listed(verb)

        async def call(*arguments: Any, **named: Any) -> Any:
            await asyncio.sleep(0)  # somebody else may be first
            answer = self._place.run(verb(*arguments, **named))
            await asyncio.sleep(0)  # and the answer may come late
            return answer

        return call

    async def _listed(self, verb: Callable[[], AsyncIterator[Any]]) -> AsyncIterator[Any]:
        async def whole() -> list[Any]:
            return [each async for each in verb()]

        for each in self._place.run(whole()):
            yield each
