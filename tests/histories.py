"""What a task's history must look like, whoever tells it: the store's rows or the wire's events."""

from __future__ import annotations

from collections.abc import Sequence

from sojourn import audit
from sojourn.history import Event


def faults(events: Sequence[Event], *, over: bool = True) -> list[str]:
    """Everything that is wrong with a history; `over` asks for one terminal event at the end."""
    return audit.of_events(events, over=over)
