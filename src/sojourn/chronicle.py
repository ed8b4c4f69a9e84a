"""What happened to an instance: its events, bounded, also for a while after it is gone.

Only what changes its life is written down (made, initialized, frozen, thawed, hooks, destroyed), never an invocation:
those are events of tasks. It lives in memory; a restart of the server begins anew, as the instances do.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from typing import Generic, Protocol, TypeVar

import msgspec

FIRST_EVENTS_MAX = 8
LAST_EVENTS_MAX = 56
"""Of an instance that is frozen and thawed for days, the first and the last events are kept."""
DESTROYED_MAX = 512
"""Instances that are remembered after their end."""


class Event(msgspec.Struct, frozen=True):
    """Something that happened to an instance `at` (microseconds since 1970)."""

    at: int
    name: str
    detail: Mapping[str, object] = {}


class Events:
    """The events of one instance, oldest first; `dropped` of them, from the middle, are not kept."""

    __slots__ = ("_first", "_last", "dropped")

    def __init__(self) -> None:
        self._first: list[Event] = []
        self._last: deque[Event] = deque(maxlen=LAST_EVENTS_MAX)
        self.dropped = 0

    def add(self, event: Event) -> None:
        """Write one down."""
        if len(self._first) < FIRST_EVENTS_MAX:
            self._first.append(event)
            return
        self.dropped += len(self._last) == LAST_EVENTS_MAX
        self._last.append(event)

    def __iter__(self) -> Iterator[Event]:
        yield from self._first
        yield from self._last


class _Named(Protocol):
    id: str


T = TypeVar("T", bound=_Named)


class Remembered(Generic[T]):
    """The last things that are gone."""

    def __init__(self, limit: int = DESTROYED_MAX) -> None:
        self._limit = limit
        self._things: OrderedDict[str, T] = OrderedDict()

    def add(self, thing: T) -> None:
        """Remember it, and forget the oldest one when there are too many."""
        self._things[thing.id] = thing
        if len(self._things) > self._limit:
            self._things.popitem(last=False)

    def __iter__(self) -> Iterator[T]:
        return iter(self._things.values())

    def get(self, id_: str) -> T | None:
        """The thing of this id."""
        return self._things.get(id_)
