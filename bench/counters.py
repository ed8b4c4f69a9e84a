"""What a server counts of its own work (`GET /metrics`), before, during and after a load."""

from __future__ import annotations

import time
import urllib.error
import urllib.request

import msgspec

from .failure import NotMeasured
from .served import METRICS_TOKEN, Served

ANSWER_SECONDS_MAX = 30.0
DRAIN_SECONDS_MAX = 240.0
POLL_SECONDS = 0.01


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks that were accepted and that succeeded since the start, tasks that are open, and writes of the store."""

    submitted: int
    succeeded: int
    open: int
    writes: int


def read(served: Served) -> Counts:
    """What the server counts now."""
    request = urllib.request.Request(  # noqa: S310 - http, to our own server
        served.metrics_url, headers={"authorization": f"Bearer {METRICS_TOKEN}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS_MAX) as answer:  # noqa: S310 - as above
            return parse(answer.read().decode())
    except (urllib.error.URLError, TimeoutError) as error:
        raise NotMeasured(f"the server does not tell what it counts: {error}") from error


def parse(page: str) -> Counts:
    """The counts on a page of metrics."""
    submitted = succeeded = still_open = writes = 0.0
    for line in page.splitlines():
        name, _, value = line.rpartition(" ")
        if name.startswith("sojourn_tasks_submitted_total"):
            submitted += float(value)
        elif name.startswith("sojourn_task_transitions_total") and 'to="Succeeded"' in name:
            succeeded += float(value)
        elif name.startswith("sojourn_tasks{"):
            still_open += float(value)
        elif name == "sojourn_store_write_seconds_count":
            writes = float(value)
    return Counts(submitted=int(submitted), succeeded=int(succeeded), open=int(still_open), writes=int(writes))


def drained(served: Served, seconds_max: float = DRAIN_SECONDS_MAX, left: int = 0) -> Counts:
    """What is counted once no more than `left` tasks are open.

    Raises
    ------
    NotMeasured: some are still open after `seconds_max`.

    """
    deadline = time.monotonic() + seconds_max
    while (counts := read(served)).open > left:
        if time.monotonic() > deadline:
            raise NotMeasured(f"after {seconds_max:g} s {counts.open - left} tasks are still open")
        time.sleep(POLL_SECONDS)
    return counts
