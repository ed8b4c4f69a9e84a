"""A server that is started on a long queue: how long until the first of its tasks is claimed.

The time runs from the start of the process to the stamp of the first Dequeued or Running event among the oldest tasks.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import apsw
from bench.failure import NotMeasured
from bench.group import Bench, Group, Round, Seen
from bench.served import ALONE, Served

from sojourn.history import CODES, unpack_events
from sojourn.stores.sqlite.connection import FILE_NAME

SETTINGS = ALONE | {"SOJOURN_DRAIN_SECONDS": "0"}
WAIT_SECONDS_MAX = 120.0
POLL_SECONDS = 0.01
OLDEST = 20


@contextmanager
def restart(bench: Bench) -> Iterator[Round]:
    """One queue for all rounds: a round takes a few tasks off it."""
    home = bench.stocks.queued(bench.options.queued_tasks)
    yield lambda: _round(bench, home)


def _round(bench: Bench, home: Path) -> Seen:
    seen, path = Seen(), str(home / "data" / FILE_NAME)
    reader = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    try:
        waiting = f"SELECT id FROM task WHERE status = {CODES['Enqueued']} ORDER BY id LIMIT {OLDEST}"  # noqa: S608 - numbers
        ids = [row[0] for row in reader.execute(waiting)]
        if len(ids) < OLDEST:
            raise NotMeasured(f"only {len(ids)} tasks wait in the queue that was made")
        with Served(bench.options.directory, bench.options.sandbox, SETTINGS, home) as served:
            claimed_us = _first_claim(reader, ids)
            seen.add(
                "restart.first_claim", claimed_us / 1e6 - served.begun_at, f"{bench.options.queued_tasks:,} queued"
            )
            seen.add("restart.ready", served.ready_seconds)
    finally:
        reader.close()
    return seen


def _first_claim(reader: apsw.Connection, ids: list[int]) -> int:
    """When the first of these tasks was claimed, in microseconds since 1970."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    chosen = f"SELECT history FROM task WHERE id IN ({', '.join(map(str, ids))})"  # noqa: S608 - numbers
    while time.monotonic() < deadline:
        stamps = [
            event.at
            for (history,) in reader.execute(chosen).fetchall()
            for event in unpack_events(cast("bytes", history))
            if event.status in ("Dequeued", "Running")
        ]
        if stamps:
            return min(stamps)
        time.sleep(POLL_SECONDS)
    raise NotMeasured(f"none of the oldest tasks was claimed within {WAIT_SECONDS_MAX:g} s")


GROUP = Group("restart", restart, seconds_max=300)
