"""What the tasks of a function did lately, and which servers there are, in the native API."""

from __future__ import annotations

from sojourn import __version__, identity
from sojourn.api import answer
from sojourn.api.answer import Answer
from sojourn.api.call import Call
from sojourn.api.operation import Handler
from sojourn.clock import MICROSECONDS_PER_SECOND, milliseconds
from sojourn.errors import InvalidArgument
from sojourn.statistics import WINDOWS, Bucket, percentiles
from sojourn.task import TERMINAL, Status
from sojourn.times import rfc3339

from .named import function_of

DEFAULT = "5m"
SHARES = {"p50Ms": 0.5, "p95Ms": 0.95, "p99Ms": 0.99}


async def get(call: Call) -> Answer:
    """How many tasks of a function there are in each status, how fast they come and go, how long they wait and run."""
    backend, window = call.backend, call.query.get("window", DEFAULT)
    if window not in WINDOWS:
        raise InvalidArgument("window", window, f"must be one of {', '.join(WINDOWS)}")
    function = function_of(call)
    kept, now = backend.statistics, backend.clock.now()
    lasted = max((now - kept.since) / MICROSECONDS_PER_SECOND, 1.0)
    windows = {
        name: _window(kept.within(function.id, seconds), min(seconds, lasted)) for name, seconds in WINDOWS.items()
    }
    tasks = backend.queue.tally.of(function.id)
    lines = [line for line in backend.queue.lines() if backend.catalog.by_id(line.function_id).root == function.id]
    oldest = min((first for line in lines if (first := line.first(now)) is not None), default=None)
    return answer.of_json(
        {
            "function": function.name,
            "since": rfc3339(kept.since),
            "statuses": {status.value: count for status, count in tasks.items()},
            "queueDepth": sum(tasks[status] for status in (Status.ENQUEUED, Status.DEQUEUED, Status.RETRYING)),
            "oldestWaitMs": None if oldest is None else milliseconds(max(now - identity.made_at(oldest), 0)),
            "window": window,
            **windows[window],
            "windows": windows,
        }
    )


async def nodes(call: Call) -> Answer:
    """The servers that answer together: this one."""
    backend = call.backend
    return answer.of_json(
        {
            "nodes": [
                {
                    "node": backend.settings.node,
                    "version": __version__,
                    "incarnation": backend.queue.incarnation,
                    "startedTime": rfc3339(backend.statistics.since),
                    "ready": backend.ready(),
                    "memoryMb": backend.pool.capacity.memory_mb,
                    "instancesMax": backend.pool.capacity.instances_max,
                }
            ]
        }
    )


def _window(bucket: Bucket, seconds: float) -> dict[str, object]:
    ended = {status.value: bucket.ended[status] for status in Status if status in TERMINAL}
    return {
        "submitted": bucket.submitted,
        "ended": ended,
        "submittedPerSecond": bucket.submitted / seconds,
        "endedPerSecond": sum(ended.values()) / seconds,
        "wait": _spread(bucket.waits.tolist()),
        "run": _spread(bucket.runs.tolist()),
    }


def _spread(counts: list[int]) -> dict[str, object]:
    found = zip(SHARES, percentiles(counts, tuple(SHARES.values())), strict=True)
    return {"count": sum(counts), **{name: None if each is None else round(each * 1000, 3) for name, each in found}}


OPERATIONS: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/v1/functions/{function}/statistics", get),
    ("GET", "/v1/nodes", nodes),
)
