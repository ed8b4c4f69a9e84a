"""Server-sent events: the text of a stream as what it tells, one object for each event.

Comments (heartbeats) are left out, and so is what is no JSON object. The id of an event is in its field `id`, the name
of one that is not a plain message (`reset`) in `event`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec


class Events:
    """Takes pieces of text, gives the events that they complete."""

    def __init__(self) -> None:
        self._rest = ""
        self._lines: list[str] = []

    def feed(self, text: str) -> Iterator[dict[str, Any]]:
        """What `text` completes."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            stripped = line.removesuffix("\r")
            if stripped:
                self._lines.append(stripped)
                continue
            event = _event(self._lines)
            self._lines = []
            if event is not None:
                yield event


def _event(lines: list[str]) -> dict[str, Any] | None:
    data: list[str] = []
    named: dict[str, Any] = {}
    for line in lines:
        field, _, value = line.partition(":")
        if field == "data":
            data.append(value.removeprefix(" "))
        elif field in {"id", "event"}:
            named[field] = value.removeprefix(" ")
    try:
        found = msgspec.json.decode("\n".join(data)) if data else {}
    except msgspec.DecodeError:
        return None
    return {**found, **named} if isinstance(found, dict) and (found or named) else None


def told(texts: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The events of a stream."""
    events = Events()
    for text in texts:
        yield from events.feed(text)


async def told_async(texts: AsyncIterator[str]) -> AsyncIterator[dict[str, Any]]:
    """The same, as they come to the asynchronous client."""
    events = Events()
    async for text in texts:
        for event in events.feed(text):
            yield event
