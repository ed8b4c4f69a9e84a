"""Times as callers read them."""

from __future__ import annotations

from datetime import UTC, datetime

from .clock import MICROSECONDS_PER_SECOND, milliseconds


def rfc3339(at: int) -> str:
    """`at`, microseconds since 1970, as text in UTC to the millisecond."""
    moment = datetime.fromtimestamp(at // MICROSECONDS_PER_SECOND, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds(at) % 1000:03d}Z"
