"""The part `instances`: the exhaustive walk of the instance table, with an observer that counts hooks and calls.

Every sequence of facts that the table allows is taken, with up to three invocations in flight, a process that may die
and be noticed at any moment, and orders to stop that come when they like. The observer knows what user code was made to
go through; it knows nothing of the table. Then the same without each guard.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import NamedTuple
from unittest import mock

from proof.result import Result, Scale

from sojourn import instance, machine
from sojourn.errors import IllegalFact
from sojourn.instance import (
    Created,
    Died,
    FreezeBegun,
    FrozenNow,
    Initialized,
    Invoked,
    Released,
    Status,
    StopBegun,
    Thawed,
)

IN_FLIGHT_MAX = 3
FACTS = (Created(), Initialized(), Invoked(), Released(), FreezeBegun(), FrozenNow(), Thawed(), StopBegun("x"), Died())
OUTSIDE = (Invoked, FreezeBegun, StopBegun)
"""Facts that somebody has to want; the others happen by themselves."""


class Observed(NamedTuple):
    """An instance, and what its user code has been through."""

    status: Status = Status.CREATING
    up: bool = False
    initialized: bool = False
    in_flight: int = 0
    pre_freezes: int = 0
    still: bool = False
    pre_stops: int = 0


Row = tuple[Status, type[object], Status]

GUARDS: Mapping[str, tuple[Row, ...]] = {
    "thaw before an invocation": ((Status.FROZEN, Invoked, Status.INVOKING),),
    "no invocation while it freezes": ((Status.FREEZING, Invoked, Status.INVOKING),),
    "no freeze in an invocation": ((Status.INVOKING, FreezeBegun, Status.FREEZING),),
    "initializer before a handler": ((Status.INITIALIZING, Invoked, Status.INVOKING),),
    "initializer once": ((Status.IDLE, Created, Status.INITIALIZING),),
    "PreStop once": ((Status.STOPPING, StopBegun, Status.STOPPING),),
    "no way back from a stop": ((Status.STOPPING, Released, Status.IDLE),),
    "no invocation of what stops": ((Status.STOPPING, Invoked, Status.INVOKING),),
    "no invocation of what is gone": ((Status.DESTROYED, Invoked, Status.INVOKING),),
    "no stop of what is gone": ((Status.DESTROYED, StopBegun, Status.STOPPING),),
    "PreFreeze once in a freeze": ((Status.FROZEN, FreezeBegun, Status.FREEZING),),
    "a process before its initializer": ((Status.CREATING, Initialized, Status.IDLE),),
}
"""Rows that the table must not have."""


def run(scale: Scale) -> Result:
    """Walk the table, then the table with each row that it must not have."""
    del scale  # it is small
    states, wrong, stuck = walk()
    missed = [name for name in GUARDS if not found_without(name)]
    return Result(
        line=(
            f"instances: {states:,} states, {wrong.total():,} violations, {len(stuck):,} stuck; "
            f"{len(GUARDS) - len(missed)}/{len(GUARDS)} missing guards found"
        ),
        ok=not (wrong or stuck or missed),
        details=(*wrong, *map(str, stuck), *(f"not found: {name}" for name in missed)),
    )


def found_without(name: str) -> bool:
    """Whether the walk finds that a guard is missing."""
    with table_with(*GUARDS[name]):
        _, wrong, stuck = walk()
    return bool(wrong or stuck)


@contextmanager
def table_with(*rows: Row) -> Iterator[None]:
    """The product's table with more rows in it."""
    more = {(before, fact): after for before, fact, after in rows}
    with mock.patch.object(instance, "TRANSITIONS", MappingProxyType({**instance.TRANSITIONS, **more})):
        yield


def walk() -> tuple[int, Counter[str], list[Observed]]:
    """How many states there are, what is wrong on the way, and those from which there is no way to the end."""
    first = Observed()
    seen, frontier, wrong = {first}, deque([first]), Counter[str]()
    by_itself: dict[Observed, list[Observed]] = {}
    while frontier:
        here = frontier.popleft()
        by_itself[here] = []
        for fact in FACTS:
            after = _after(here, fact)
            if after is None:
                continue
            wrong.update(_wrong(here, fact, after))
            if not isinstance(fact, OUTSIDE):
                by_itself[here].append(after)
            if after not in seen and after.pre_stops <= 2 and after.pre_freezes <= 2:
                seen.add(after)
                frontier.append(after)
    return len(seen), wrong, _stuck(by_itself)


def _after(here: Observed, fact: object) -> Observed | None:
    """What follows, when the table allows it and the world can bring it about."""
    if isinstance(fact, Released) and here.in_flight != 1:
        return here._replace(in_flight=here.in_flight - 1) if here.in_flight else None  # not the last one: no fact
    if isinstance(fact, Invoked) and here.in_flight == IN_FLIGHT_MAX:
        return None
    try:
        status = machine.step(instance.TRANSITIONS, here.status, fact)
    except IllegalFact:
        return None
    after = here._replace(status=status)
    if isinstance(fact, Died):
        return after._replace(up=False, in_flight=0, still=False)
    if status is Status.INITIALIZING:
        after = after._replace(up=True)
    if isinstance(fact, Initialized):
        after = after._replace(initialized=True)
    if isinstance(fact, Invoked | Released):
        after = after._replace(in_flight=here.in_flight + (1 if isinstance(fact, Invoked) else -1), pre_freezes=0)
    if status is Status.FREEZING:  # each entry into a passage runs its hook
        after = after._replace(pre_freezes=here.pre_freezes + 1)
    if isinstance(fact, FrozenNow | Thawed):
        after = after._replace(still=isinstance(fact, FrozenNow), pre_freezes=here.pre_freezes * (not here.still))
    if isinstance(fact, StopBegun):
        after = after._replace(pre_stops=here.pre_stops + here.initialized, still=False)
    return after


def _wrong(here: Observed, fact: object, after: Observed) -> Iterator[str]:
    """What user code must never be made to go through."""
    if here.status is Status.DESTROYED and after != here:
        yield f"{type(fact).__name__} of what is gone"
    if isinstance(fact, Invoked):
        if not here.up or not here.initialized:
            yield "a handler runs before its initializer"
        if here.still or here.status is Status.FREEZING:
            yield "a handler is called in what is frozen, or about to be"
        if here.pre_stops:
            yield "a handler is called after PreStop"
    if isinstance(fact, Initialized) and (here.initialized or not here.up):
        yield "the initializer runs twice, or nowhere"
    if isinstance(fact, FreezeBegun) and here.in_flight:
        yield "PreFreeze while a handler runs"
    if after.pre_freezes > 1:
        yield "PreFreeze twice in one freeze"
    if after.pre_stops > 1:
        yield "PreStop twice"
    if here.pre_stops and after.status not in (Status.STOPPING, Status.DESTROYED):
        yield "a way back from a stop"


def _stuck(by_itself: Mapping[Observed, list[Observed]]) -> list[Observed]:
    """Living states that an order to stop and what happens by itself do not bring to the end."""
    ends = {state for state in by_itself if state.status is Status.DESTROYED}
    while True:
        more = {state for state, after in by_itself.items() if state not in ends and not ends.isdisjoint(after)}
        if not more:
            return [state for state in by_itself if state not in ends]
        ends |= more
