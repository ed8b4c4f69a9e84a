"""Forgetting old tasks: how fast, and how long a submit waits for it at most.

A store is filled with tasks that ended minutes ago. First the server shows how many it can take a second, then it is
started with a retention of a second, so that all of them are to go, while one connection submits one task after
another; the longest time until a 202 is the longest pause of the writer, or a little more.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import apsw
import msgspec
from bench.failure import NotMeasured
from bench.group import Bench, Group, Round, Seen
from bench.load import Plan
from bench.served import ALONE, Served
from bench.sojourns import PAYLOAD
from bench.stock import FUNCTION, Stock
from bench.wire import Line

from bench import load, wire
from sojourn.config import Settings
from sojourn.stores.sqlite.connection import FILE_NAME

KEYS = ("retention.deletes_of_inserts", "retention.pause", "retention.deletes", "retention.inserts")
LOOK_SECONDS = 0.25
INSERTS_PER_CONNECTION = 150
Moment = tuple[float, float]
"""A time by the monotonic clock, and what was then."""
GONE_SHARE = 0.98
"""Enough of them are gone for a rate; what is left may wait for a last round of the collector."""


@contextmanager
def retention(bench: Bench) -> Iterator[Round]:
    """A fresh store for each round, because a round empties it."""
    yield lambda: _round(bench)


def setting() -> str:
    """The server's setting in seconds after which ended tasks go; "" when it has none."""
    names = [field.name for field in msgspec.structs.fields(Settings)]
    return next((name for name in names if name.startswith("retention") and name.endswith("seconds")), "")


def _round(bench: Bench) -> Seen:
    options, seen, name = bench.options, Seen(), setting()
    if not name:
        seen.miss("not available: the server has no setting for retention", *KEYS)
        return seen
    stock = bench.stocks.filled(options.expired_tasks)
    with Served(options.directory, options.sandbox, ALONE, stock.home) as served:
        inserts = _inserts(bench, served)
    with Served(options.directory, options.sandbox, ALONE | {f"SOJOURN_{name.upper()}": "1"}, stock.home) as served:
        looks, acks = _beside(bench, served, stock)
    begun, deletes = rate(looks, stock.size)
    before = max((ms for at, ms in acks if at < begun), default=0.0)
    pause_ms = max((ms for at, ms in acks if at >= begun), default=0.0)
    seen.add("retention.inserts", inserts)
    seen.add("retention.deletes", deletes)
    seen.add("retention.deletes_of_inserts", deletes / inserts)
    seen.add("retention.pause", pause_ms, f"the longest acknowledgement; before anything was deleted {before:.1f} ms")
    return seen


def _inserts(bench: Bench, served: Served) -> float:
    """Tasks that are accepted per second."""
    count = bench.options.connections * INSERTS_PER_CONNECTION
    plan = Plan(
        target=served.target(),
        function=FUNCTION,
        payload=PAYLOAD,
        requests=count,
        connections=bench.options.connections,
    )
    report = load.run(plan)
    if report.accepted != count:
        raise NotMeasured(f"not every submit was accepted: {report.statuses}")
    return report.accepted_per_second


def _beside(bench: Bench, served: Served, stock: Stock) -> tuple[list[Moment], list[Moment]]:
    """How many of its tasks there were when, and how many milliseconds acknowledgements took when."""
    reader = apsw.Connection(str(served.data_dir / FILE_NAME), flags=apsw.SQLITE_OPEN_READONLY)
    target, line = served.target(), Line(served.target())
    looks: list[Moment] = [(time.monotonic() - (time.time() - served.begun_at), stock.size)]
    acks: list[Moment] = []
    looked, deadline = 0.0, time.monotonic() + bench.options.retention_seconds
    try:
        while looks[-1][1] > stock.size * (1 - GONE_SHARE) and time.monotonic() < deadline:
            if time.monotonic() - looked > LOOK_SECONDS:
                looked = time.monotonic()
                looks.append((looked, _left(reader, stock)))
            begin = time.monotonic()
            answer = line.exchange(wire.invocation(target, FUNCTION, PAYLOAD))
            acks.append((begin, (time.monotonic() - begin) * 1000))
            if answer.status != 202:
                raise NotMeasured(f"a submit beside retention was answered {answer.status}")
    finally:
        line.close()
        reader.close()
    return looks, acks


def rate(looks: Sequence[Moment], size: int) -> tuple[float, float]:
    """When the last look was at which all `size` of them were there, and how many went per second since.

    Raises
    ------
    NotMeasured: none went.

    """
    begun = next((number for number, (_, left) in enumerate(looks) if left < size), 0)
    if not begun:
        raise NotMeasured("nothing was deleted in time")
    (first, before), (last, after) = looks[begun - 1], looks[-1]
    return first, (before - after) / (last - first)


def _left(reader: apsw.Connection, stock: Stock) -> int:
    first, last = stock.ids
    return int(reader.execute("SELECT count(*) FROM task WHERE id BETWEEN ? AND ?", (first, last)).get)


GROUP = Group("retention", retention, seconds_max=420)
