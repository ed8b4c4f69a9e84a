"""More than the server can do, for a minute: three times its peak is offered to a server with a bounded queue.

wrk pauses before each request so long that all connections together offer three times the peak that the same server
has just shown. What matters: accepted tasks are acknowledged soon, the others get 429 and nothing else, no accepted
task is lost, and the server does not get slower.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from bench.group import Bench, Group, Round, Seen
from bench.served import ALONE, Served

from bench import counters, sojourns

TIMES = 3
MORE_CONNECTIONS = 4
SETTINGS = ALONE | {"SOJOURN_TASKS_OPEN_MAX": "10000"}
"""A queue that is full after a few seconds."""


@contextmanager
def overload(bench: Bench) -> Iterator[Round]:
    """One server, one round."""
    options = bench.options
    with Served(options.directory, options.sandbox, SETTINGS) as served:
        served.deploy("echo", reserved=options.instances)
        served.warm("echo", options.instances)
        yield lambda: _round(bench, served)


def _round(bench: Bench, served: Served) -> Seen:
    options, seen = bench.options, Seen()
    steady = sojourns.drive(served, options, options.load_seconds)
    with sojourns.submits(served, options.directory) as ammunition:
        peak = sojourns.measure(served, ammunition, msgspec.structs.replace(steady, counts=True)).per_second
        seen.add("overload.peak", peak)
        connections = options.connections * MORE_CONNECTIONS
        drive = msgspec.structs.replace(
            steady,
            connections=connections,
            seconds=options.overload_seconds,
            counts=True,
            delay_ms=max(round(1000 * connections / (TIMES * peak)), 1),
        )
        marks: list[counters.Counts] = []
        bench.say(f"{TIMES} times {peak:,.0f} tasks/s for {options.overload_seconds} s")
        ammunition.expect(TIMES * peak)
        answers = ammunition.fire(drive, before=lambda: marks.append(counters.drained(served)))
        then = counters.read(served)
    after = counters.drained(served)
    before = marks[-1]
    succeeded = after.succeeded - before.succeeded
    seen.add("overload.offered", answers.per_second / peak, f"of {TIMES} that were tried")
    seen.add("overload.throttled", 100 * answers.throttled / answers.answers)
    seen.add("overload.ack_p99", answers.accepted_p99_us_max / 1000, "a bound, see docs/benchmark.md")
    seen.add("overload.errors", answers.refused)
    seen.add("overload.lost", max(answers.accepted, after.submitted - before.submitted) - succeeded)
    seen.add("overload.of_peak", (then.succeeded - before.succeeded) / answers.seconds / peak)
    return seen


GROUP = Group("overload", overload, seconds_max=300, rounds_max=1)
