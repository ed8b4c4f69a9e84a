"""Coverage of the generator: what a number of runs came by, and what it came by too seldom.

A simulation that does not bring a fault about in a status proves nothing about it. So every row of both tables, every
step of a history, every kind of fault, and every pair of a fault and the status of a task that was open when it
happened has to be met; what was met least is told.
"""

from __future__ import annotations

from collections import Counter

from sojourn import instance, task
from sojourn.task import LEGAL_STEPS, TERMINAL, Status

from .style import KINDS

OPEN = tuple(status for status in Status if status not in TERMINAL)
UNREACHABLE = {("instance", "Creating", "StopBegun")}
"""The end of an instance that is being made waits until it is made (`ending`)."""

Key = tuple[str, ...]


def wanted() -> set[Key]:
    """Everything that has to be met."""
    keys: set[Key] = {("step", before.value if before else "", after.value) for before, after in LEGAL_STEPS}
    for before, fact in task.TRANSITIONS:
        keys.add(("task", before.value if before else "", fact.__name__))
    for status, fact in instance.TRANSITIONS:
        keys.add(("instance", status.value if status else "", fact.__name__))
    keys |= {("fault", name) for name in KINDS}
    keys |= {("pair", status.value, name) for status in OPEN for name in KINDS}
    return keys - UNREACHABLE


def least(counts: Counter[Key], shown: int = 12) -> list[str]:
    """What was met least, and how often."""
    ranked = sorted(wanted(), key=lambda key: (counts[key], key))
    return [f"{counts[key]:>7,} × {' · '.join(key)}" for key in ranked[:shown]]


def missing(counts: Counter[Key], times: int) -> list[Key]:
    """What was met less than `times`."""
    return sorted(key for key in wanted() if counts[key] < times)
