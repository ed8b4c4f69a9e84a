"""The invariants that are about what really ran: I6, I10 and I15, from the journal and from /proc."""

from __future__ import annotations

from itertools import pairwise

from sojourn import identity

from .evidence import Evidence, of
from .functions import DESIGNS
from .histories import SLACK_US, Found


def one_alive(evidence: Evidence) -> Found:
    """I6: no two attempts of a task overlap, and none says a word after the event that ended it."""
    for request, attempts in evidence.attempts.items():
        for earlier, later in pairwise(attempts):
            if earlier.last >= later.began:
                into = earlier.last - later.began
                yield f"attempt {earlier.number} ran {into} µs into attempt {later.number}", request
        moments = evidence.moments.get(request, ())
        ends = [after.at for before, after in pairwise(moments) if before.status == "Running"]
        for attempt in attempts:
            over = ends[attempt.number - 1] if attempt.number <= len(ends) else None
            stopped = any(moment.status == "Stopping" for moment in moments)  # then the handler may run until Stopped
            if over is not None and not stopped and attempt.last > over + SLACK_US:
                yield f"attempt {attempt.number} ran {attempt.last - over} µs after its end was durable", request


def within_limit(evidence: Evidence) -> Found:
    """I10: no more at a time than are allowed, by the journal and by the histories."""
    for design in DESIGNS.values():
        if design.reserved is None:
            continue
        ran, held = [], []
        for task in evidence.tasks:
            if evidence.function_of(task) == design.name:
                attempts = evidence.attempts.get(identity.request_id(task.id), ())
                ran += [(attempt.began, attempt.last) for attempt in attempts]
                held += [(a.at, b.at) for a, b in pairwise(of(evidence, task)) if a.status == "Running"]
        for what, spans in (("ran", ran), ("were held", held)):
            most = most_at_once(spans)
            if most > design.reserved:
                yield f"{most} of {design.name} {what} at a time, {design.reserved} may", ""


def most_at_once(spans: list[tuple[int, int]]) -> int:
    """How many of the spans (from, to) there are at a time; one that begins where another ends comes after it."""
    steps = sorted([(start, 1) for start, _ in spans] + [(end, -1) for _, end in spans])
    most = now = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most


def nothing_left(evidence: Evidence) -> Found:
    """I15: no process outlives its server by more than its grace, and at the end nothing at all is left."""
    for text in (*evidence.orphans, *evidence.leaks):
        yield text, ""
