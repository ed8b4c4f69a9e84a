"""What a task's history must look like, whoever tells it: the store's rows or the wire's events."""

from __future__ import annotations

from collections.abc import Sequence

from sojourn.history import Event
from sojourn.task import LEGAL_STEPS, TERMINAL, Status


def faults(events: Sequence[Event], *, over: bool = True) -> list[str]:
    """Everything that is wrong with a history; `over` asks for one terminal event at the end."""
    if not events:
        return ["no events"]
    path = [Status(event.status) for event in events]
    steps = zip([None, *path], path, strict=False)
    found = [f"illegal step {before} to {after}" for before, after in steps if (before, after) not in LEGAL_STEPS]
    numbers = [event.number for event in events]
    if numbers != list(range(1, len(events) + 1)):
        found.append(f"numbers {numbers}")
    stamps = [event.at for event in events]
    if stamps != sorted(stamps):
        found.append(f"stamps step back: {stamps}")
    ends = [place for place, status in enumerate(path) if status in TERMINAL]
    if ends and (len(ends) > 1 or ends[0] != len(path) - 1):
        found.append(f"a terminal status is not the end: {path}")
    if over and not ends:
        found.append(f"never ended: {path[-1]}")
    return found
