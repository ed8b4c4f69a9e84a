"""The invariants that are about getting on and staying within bounds: I16–I19, and how long a recovery takes."""

from __future__ import annotations

from collections.abc import Iterator

from sojourn import identity
from sojourn.task import Task

from .evidence import Evidence, Moment, of
from .histories import Found
from .records import Fault

RECOVERY_P99_SECONDS = 5.0
STOP_SECONDS = 2.0 + 0.3 + 5.0
"""PreStop's timeout, the grace, and what a loaded machine may add."""
RSS_KIB_MAX, DESCRIPTORS_MAX, THREADS_MAX = 512 * 1024, 1_000, 200
WAL_BYTES_MAX = 64 * 1024 * 1024
SERVER_FAULTS = ("kill-server", "restart", "pause-server", "rival", "full-disk")
SANDBOX_KILLS = ("kill-agent", "kill-outer", "kill-zygote")


def all_over(evidence: Evidence) -> Found:
    """I16: in the quiet after the last fault everything ended; the server never went by itself."""
    left = [task for task in evidence.tasks if not task.over]
    for task in left:
        path = [moment.status for moment in of(evidence, task)]
        yield f"not over in the end: {path}", identity.request_id(task.id)
    for fault in evidence.faults:
        if fault.kind == "rival-ran":
            yield "a second server ran on the data of a living one", ""
    for life in evidence.lives:
        spans = [(one.at, one.until) for one in evidence.faults if one.kind == "full-disk"]
        excused = any(start <= life.ended and life.began <= end for start, end in spans)
        if not life.ours and not excused:
            yield f"the server ended by itself with status {life.status}: {life.last_words}", ""
    for error in evidence.errors:
        yield error, ""


def recovers(evidence: Evidence) -> Found:
    """I17: after a kill, all that it hit goes on durably within the bound, in 99 of 100 cases."""
    p99 = percentile([seconds for _, seconds in recoveries(evidence)], 0.99)
    if p99 > RECOVERY_P99_SECONDS:
        worst = max(recoveries(evidence), key=lambda one: one[1])
        yield f"p99 {p99:.1f} s, over {RECOVERY_P99_SECONDS:g} s; the slowest {worst[1]:.1f} s after {worst[0]}", ""


def stops_end(evidence: Evidence) -> Found:
    """I18: from Stopping to Stopped it takes no longer than PreStop, grace, and the faults in between."""
    for task in evidence.tasks:
        moments = of(evidence, task)
        began = next((moment.at for moment in moments if moment.status == "Stopping"), None)
        if began is None or moments[-1].status != "Stopped":
            continue
        took = (moments[-1].at - began) / 1e6
        hits = [one for one in evidence.faults if one.at <= moments[-1].at and one.until >= began - 1_000_000]
        allowed = STOP_SECONDS + sum(RECOVERY_P99_SECONDS + (one.until - one.at) / 1e6 for one in hits)
        if took > allowed:
            yield f"took {took:.1f} s to stop, {allowed:.1f} s are allowed", identity.request_id(task.id)


def bounded(evidence: Evidence) -> Found:
    """I19: memory, descriptors, threads and the WAL stay under fixed limits; trouble is answered, never with 500."""
    for name, limit in (
        ("rss_kib", RSS_KIB_MAX),
        ("descriptors", DESCRIPTORS_MAX),
        ("threads", THREADS_MAX),
        ("wal_bytes", WAL_BYTES_MAX),
    ):
        most = max((getattr(sample, name) for sample in evidence.samples), default=0)
        if most > limit:
            yield f"{name} rose to {most:,}, {limit:,} is the limit", ""
    for call in evidence.calls:
        if call.code.startswith("500"):
            yield f"{call.verb} of {call.function} {call.task} was answered {call.code}", ""


def recoveries(evidence: Evidence) -> list[tuple[Fault, float]]:
    """For each kill that hit something the seconds until all that it hit had gone on durably.

    A further fault of the server before that begins the wait anew: two deaths in a row are two recoveries.
    """
    found = []
    for kill in evidence.kills():
        progress = _progress(evidence, kill)
        if progress is None:
            continue
        later = [
            one.until
            for one in evidence.faults
            if one is not kill and one.kind in SERVER_FAULTS and kill.at <= one.at < progress
        ]
        found.append((kill, max(progress - max([kill.at, *later]), 0) / 1e6))
    return found


def percentile(values: list[float], share: float) -> float:
    """The smallest value that so large a share does not pass; 0 for no values."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


def _progress(evidence: Evidence, kill: Fault) -> int | None:
    """When all that a kill hit had gone on; None when it hit nothing."""
    if kill.kind == "kill-server":
        first = min(
            (one.at for moments in evidence.moments.values() for one in moments[1:] if one.at > kill.until),
            default=None,
        )
        times = [first] if first is not None else []
        times += [at for task in evidence.tasks if (at := _next(of(evidence, task), kill, ("Running", "Stopping")))]
    else:
        times = [at for task in _hit(evidence, kill) if (at := _next(of(evidence, task), kill, ("Running",)))]
    return max(times, default=None)


def _hit(evidence: Evidence, kill: Fault) -> Iterator[Task]:
    """The tasks whose handler was busy in what was killed."""
    for request, attempts in evidence.attempts.items():
        for attempt in attempts:
            same = kill.kind in SANDBOX_KILLS or attempt.instance == kill.instance
            if same and attempt.began < kill.at and not (attempt.over and attempt.last < kill.at):
                moments = evidence.moments.get(request, ())
                starts = [moment.at for moment in moments if moment.status == "Running"]
                ended = starts[attempt.number] if attempt.number < len(starts) else evidence.ended
                if kill.at < ended and request in evidence.by_request:
                    yield evidence.by_request[request]


def _next(moments: list[Moment], kill: Fault, statuses: tuple[str, ...]) -> int | None:
    """When a task that stood in one of `statuses` at a kill went on."""
    before = [place for place, moment in enumerate(moments) if moment.at <= kill.at]
    if not before or moments[before[-1]].status not in statuses or before[-1] + 1 == len(moments):
        return None
    return moments[before[-1] + 1].at


def status_at(moments: list[Moment], at: int) -> str:
    """The status that a task had at a time, "" for none."""
    status = ""
    for moment in moments:
        if moment.at > at:
            break
        status = moment.status
    return status
