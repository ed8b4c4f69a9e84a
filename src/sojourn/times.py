"""Times as callers read them."""

from __future__ import annotations

from datetime import UTC, datetime

from .clock import MICROSECONDS_PER_MILLISECOND, MICROSECONDS_PER_SECOND, milliseconds

MILLISECONDS_MAX = 253_402_300_799_999
"""The end of the year 9999."""


def rfc3339(at: int) -> str:
    """`at`, microseconds since 1970, as text in UTC to the millisecond."""
    moment = datetime.fromtimestamp(at // MICROSECONDS_PER_SECOND, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds(at) % 1000:03d}Z"


def microseconds_of(text: str) -> int | None:
    """The moment that `text` names, RFC 3339 or milliseconds since 1970; None when it is neither."""
    if text.isascii() and text.isdigit() and len(text) <= len(str(MILLISECONDS_MAX)):
        number = int(text)
        return number * MICROSECONDS_PER_MILLISECOND if number <= MILLISECONDS_MAX else None
    try:
        found = datetime.fromisoformat(text)
        stamp = found.timestamp()
    except (ValueError, OverflowError):
        return None
    if found.tzinfo is None or not 0 <= stamp <= MILLISECONDS_MAX / 1000:
        return None
    return round(stamp * MICROSECONDS_PER_SECOND)
