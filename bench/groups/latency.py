"""One connection, one task at a time: what an acknowledgement and a whole sojourn take, beside the disk they wait for.

The end of a sojourn is looked for in the database, by a reader of its own: a write-ahead log shows a commit to others
once it is on disk and not before, and asking there costs the server nothing. What a client sees that asks the server
again and again is measured too; it holds the client's round trips and what the server spends on them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

import apsw
from bench.failure import NotMeasured
from bench.group import Bench, Group, Round, Seen
from bench.row import percentile
from bench.served import ALONE, Served
from bench.sojourns import PAYLOAD
from bench.wire import Line

from bench import wire, yardsticks
from sojourn import identity
from sojourn.history import CODES
from sojourn.stores.sqlite.connection import FILE_NAME

SYNCS = 3
"""Durable steps of a sojourn that follow each other: accepted, started, ended."""
WAIT_SECONDS_MAX = 30.0
POLLS_SIGNED_AHEAD = 16
INSTANCES = 2


@contextmanager
def latency(bench: Bench) -> Iterator[Round]:
    """One server for all rounds."""
    options = bench.options
    with Served(options.directory, options.sandbox, ALONE) as served:
        served.deploy("echo", reserved=INSTANCES)
        served.warm("echo", INSTANCES)
        reader = apsw.Connection(str(served.data_dir / FILE_NAME), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            yield lambda: _round(bench, served, reader)
        finally:
            reader.close()


def _round(bench: Bench, served: Served, reader: apsw.Connection) -> Seen:
    options, seen = bench.options, Seen()
    syncs = yardsticks.fdatasync_us(options.directory, options.disk_samples)
    acks, ends = _recorded(served, reader, options.single_tasks)
    syncs += yardsticks.fdatasync_us(options.directory, options.disk_samples)
    polled = _polled(served, options.single_tasks)
    sync = percentile(syncs, 50)
    seen.add("latency.sync", sync / 1000)
    seen.add("latency.sync_p99", percentile(syncs, 99) / 1000)
    seen.add("latency.ack", percentile(acks, 50) / 1000)
    seen.add("latency.ack_p99", percentile(acks, 99) / 1000)
    seen.add("latency.sojourn", percentile(ends, 50) / 1000)
    seen.add("latency.sojourn_p99", percentile(ends, 99) / 1000)
    seen.add("latency.seen", statistics.median(polled) / 1000)
    seen.add("latency.ack_of_sync", percentile(acks, 50) / sync)
    seen.add("latency.sojourn_of_sync", percentile(ends, 50) / (SYNCS * sync))
    return seen


def _recorded(served: Served, reader: apsw.Connection, count: int) -> tuple[list[int], list[int]]:
    """Microseconds from the submit to its 202, and to Succeeded in the database, task by task."""
    target, line = served.target(), Line(served.target())
    acks, ends = [], []
    for request in [wire.invocation(target, "echo", PAYLOAD) for _ in range(count)]:
        start = time.perf_counter_ns()
        answer = line.exchange(request)
        acks.append((time.perf_counter_ns() - start) // 1000)
        number = identity.number_of(answer.headers.get(b"x-fc-request-id", b"").decode())
        if answer.status != 202 or number is None:
            raise NotMeasured(f"a submit was answered {answer.status} {answer.body[:200]!r}")
        while _status(reader, number) != CODES["Succeeded"]:
            if time.perf_counter_ns() - start > WAIT_SECONDS_MAX * 1e9:
                raise NotMeasured(f"the task {number} does not succeed within {WAIT_SECONDS_MAX:g} s")
        ends.append((time.perf_counter_ns() - start) // 1000)
    line.close()
    return acks, ends


def _status(reader: apsw.Connection, number: int) -> object:
    return reader.execute("SELECT status FROM task WHERE id = ?", (number,)).get


def _polled(served: Served, count: int) -> list[int]:
    """Microseconds from the submit until a client that asks without a pause sees Succeeded, task by task."""
    target, line = served.target(), Line(served.target())
    found = []
    for _ in range(count):
        name = f"single-{time.monotonic_ns()}"
        submit = wire.invocation(target, "echo", PAYLOAD, task_id=name)
        ahead = [wire.task_lookup(target, "echo", name) for _ in range(POLLS_SIGNED_AHEAD)]
        start = time.perf_counter_ns()
        answer = line.exchange(submit)
        while b"Succeeded" not in answer.body:
            if time.perf_counter_ns() - start > WAIT_SECONDS_MAX * 1e9:
                raise NotMeasured(f"the task {name} does not end: {answer.body[:400]!r}")
            answer = line.exchange(ahead.pop() if ahead else wire.task_lookup(target, "echo", name))
        found.append((time.perf_counter_ns() - start) // 1000)
    line.close()
    return found


GROUP = Group("latency", latency, seconds_max=180)
