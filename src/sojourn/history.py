"""A task's history as bytes: how events are packed into the row and read back.

One event is 9 bytes (a status code, microseconds since 1970), followed by its detail when it has one: the high bit of
the code says so, then a little-endian u32 length and JSON text. Packed into the task's row, a transition is one row
update instead of an update and an insert, which halves the cost of a task. The codes are stored for good: never
renumber them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

import msgspec

CODES: Mapping[str, int] = {
    "Enqueued": 0,
    "Dequeued": 1,
    "Running": 2,
    "Retrying": 3,
    "Stopping": 4,
    "Succeeded": 10,
    "Failed": 11,
    "Stopped": 12,
    "Expired": 13,
    "Invalid": 14,
}
NAMES: Mapping[int, str] = {code: name for name, code in CODES.items()}

_HEAD = struct.Struct("<BQ")
_LENGTH = struct.Struct("<I")
_HAS_DETAIL = 0x80
_encode = msgspec.json.Encoder().encode


class Event(msgspec.Struct, frozen=True):
    """One line of a history; `number` counts from 1 without gap, `at` is in microseconds, `detail` is JSON text."""

    number: int
    status: str
    at: int
    detail: str = ""


def append_event(history: bytes, status: str, at: int, detail: Mapping[str, object] | None = None) -> bytes:
    """`history` with one more event."""
    if not detail:
        return history + _HEAD.pack(CODES[status], at)
    text = _encode(detail)
    return history + _HEAD.pack(CODES[status] | _HAS_DETAIL, at) + _LENGTH.pack(len(text)) + text


def unpack_events(history: bytes) -> list[Event]:
    """The events of `history`, oldest first.

    Raises
    ------
    ValueError: the bytes are not a history.

    """
    events: list[Event] = []
    offset = 0
    while offset < len(history):
        offset, code, at, detail = _read(history, offset)
        if code not in NAMES:
            raise ValueError(f"no status has the code {code}")
        events.append(Event(len(events) + 1, NAMES[code], at, detail.decode()))
    return events


def last_stamp(history: bytes) -> int:
    """When the last event happened, 0 for an empty history; `ValueError` when the bytes are not a history."""
    offset, at, end = 0, 0, len(history)
    try:
        while offset < end:  # every transition asks, so that details are passed over and not read
            code, at = _HEAD.unpack_from(history, offset)
            offset += _HEAD.size
            if code & _HAS_DETAIL:
                offset += _LENGTH.size + _LENGTH.unpack_from(history, offset)[0]
    except struct.error as error:
        raise ValueError("the history ends in the middle of an event") from error
    if offset != end:
        raise ValueError("the history ends in the middle of a detail")
    return int(at)


def _read(history: bytes, offset: int) -> tuple[int, int, int, bytes]:
    """The event at `offset`: where the next one begins, its code, its time, its detail."""
    try:
        code, at = _HEAD.unpack_from(history, offset)
        offset += _HEAD.size
        if not code & _HAS_DETAIL:
            return offset, code, at, b""
        (length,) = _LENGTH.unpack_from(history, offset)
    except struct.error as error:
        raise ValueError("the history ends in the middle of an event") from error
    offset += _LENGTH.size
    detail = history[offset : offset + length]
    if len(detail) != length:
        raise ValueError("the history ends in the middle of a detail")
    return offset + length, code & ~_HAS_DETAIL, at, detail
