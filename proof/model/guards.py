"""Every guard of the protocol that can be left out, and how the walk is to find that it is missing.

Some are a condition in `protocol`, named by its `without`; some are the absence of a row in the product's table, which
is put in for the length of a walk. Each is tried in the smallest bounds that show it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import NamedTuple
from unittest import mock

from sojourn import task
from sojourn.task import Aged, Claimed, Faltered, Status, StopRequested

from .protocol import Bounds, Protocol
from .walk import Found, Walk

FAULTY = Bounds(faults_max=1, stops=0b01, ages=0b01)
LEAN = Bounds(faults_max=1, stops=0, ages=0, deletes=False)
CALM = Bounds(stops=0b01, ages=0b01)
SUBMITS = Bounds(submits=True, faults_max=1, stops=0, ages=0, deletes=False)
PAIRED = Bounds(faults_max=2, stops=0, ages=0, deletes=False)
RETRIED = Bounds(faults_max=1, retries_max=1, stops=0b01, ages=0b01, deletes=False)

Row = tuple[Status, type[task.Fact], Status]


class Guard(NamedTuple):
    """A guard: the bounds in which its absence shows, the invariants that break (`stuck` for none), rows put in."""

    bounds: Bounds
    breaks: tuple[str, ...]
    rows: tuple[Row, ...] = ()


GUARDS: Mapping[str, Guard] = {
    # A write with an old token changes nothing; every one that may come late is such a write.
    "epoch check": Guard(FAULTY, ("I2", "I3", "I5")),
    "guard of the reaper": Guard(FAULTY, ("I2", "I3", "I5")),
    "guard of the stop": Guard(CALM, ("I2", "I3", "I5")),
    "expiry sees a start": Guard(CALM, ("I2", "I3", "I5")),
    # Nothing starts while something of the task may still run.
    "lease before reaping": Guard(FAULTY, ("I6",)),
    "lease in the reaper's write": Guard(PAIRED, ("I6",)),
    "self-fence": Guard(FAULTY, ("I6",)),
    "incarnation in the lease": Guard(LEAN, ("stuck",)),
    "Running before user code": Guard(CALM, ("I5",)),
    "result of its attempt": Guard(RETRIED, ("I14",)),
    # A stop wins, and needs nobody.
    "stop wins over retry": Guard(RETRIED, ("I7",), ((Status.STOPPING, Faltered, Status.RETRYING),)),
    "stop without a worker": Guard(CALM, ("stuck",)),
    "a stopping task is not claimed": Guard(FAULTY, ("I3", "I7"), ((Status.STOPPING, Claimed, Status.DEQUEUED),)),
    "a task that is over is not stopped": Guard(CALM, ("I2",), ((Status.SUCCEEDED, StopRequested, Status.STOPPING),)),
    "a failed task is not claimed": Guard(CALM, ("I2",), ((Status.FAILED, Claimed, Status.DEQUEUED),)),
    # Ages, functions, limits.
    "look at the age": Guard(CALM, ("I11",)),
    "expired means never started": Guard(RETRIED, ("I3", "I11"), ((Status.RETRYING, Aged, Status.EXPIRED),)),
    "an expired task is not started": Guard(CALM, ("I2",), ((Status.EXPIRED, Claimed, Status.DEQUEUED),)),
    "nothing runs unclaimed": Guard(CALM, ("I3",), ((Status.ENQUEUED, Claimed, Status.RUNNING),)),
    "look at the function": Guard(CALM, ("I12",)),
    "limit in the transaction": Guard(CALM, ("I10",)),
    # What callers are told.
    "dedupe in the transaction": Guard(SUBMITS, ("I9",)),
    "ack after commit": Guard(SUBMITS, ("I1", "I9")),
    "reading back (failure)": Guard(LEAN, ("stuck",)),
    "reading back (success)": Guard(FAULTY, ("I5",)),
    # Somebody looks after what was left behind.
    "reaper": Guard(LEAN, ("stuck",)),
}
"""By name."""


def walk_without(name: str) -> Found:
    """What the walk sees when a guard is left out; it ends at the first violation."""
    guard = GUARDS[name]
    with _rows(guard.rows):
        return Walk(Protocol(guard.bounds, name), find_one=True).run()


def finds(name: str, found: Found) -> bool:
    """Whether what was found is what the guard is for."""
    broken = {text.split(" ", 1)[0] for text in found.violations} or ({"stuck"} if found.stuck else set())
    return bool(broken & set(GUARDS[name].breaks))


@contextmanager
def _rows(rows: tuple[Row, ...]) -> Iterator[None]:
    """The product's table with more rows in it."""
    more = {(before, fact): after for before, fact, after in rows}
    with mock.patch.object(task, "TRANSITIONS", MappingProxyType({**task.TRANSITIONS, **more})):
        yield
