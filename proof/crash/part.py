"""The part `crash-points`: a real server dies at every named point on every store, and the next one makes it good.

Several lanes run at a time, each on data of its own. A point that is never visited makes the part fail, as does
anything that was acknowledged and is lost, anything illegal, and any process that is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from proof.result import Result, Scale

from sojourn.sandboxes.bubblewrap import BubblewrapDriver

from . import machine
from .cases import CONFINED, CONTAINERS, FRESH, GROUPS, NAMES, STARTS, TASKS, Case
from .stores import installed, points_of

TRIPS_AT_A_TIME = 3
"""A start waits for the disk and for processes, so that two processors have work for three."""
LANE_CASES = 25


class Trip(NamedTuple):
    """Cases that share a data directory; `images` is whether functions are images in them."""

    store: str
    sandbox: str
    cases: Sequence[Case]
    images: bool = False


def trips(store: str, share: float = 1.0) -> list[Trip]:
    """What is run on a store; with less than all, an even choice of it."""
    whole = share >= 1.0
    mine = set(points_of(store))
    busy = [case for case in (*STARTS, *TASKS, *NAMES) if case.point in mine]
    fresh = [case for case in FRESH if case.point in mine]
    if not whole:
        step = max(round(0.2 / share), 1)
        busy, fresh = busy[::step], fresh[::step]
    made = [Trip(store, "process", lane) for lane in _lanes(busy)]
    if whole and asyncio.run(BubblewrapDriver().probe()).works:
        made.append(Trip(store, "bubblewrap", CONFINED if machine.unmet("groups.") else (*CONFINED, *GROUPS)))
    if whole and not machine.unmet("container."):
        made.append(Trip(store, "process", CONTAINERS, images=True))
    return [*made, Trip(store, "process", fresh)]


def _lanes(cases: Sequence[Case]) -> list[Sequence[Case]]:
    count = max(round(len(cases) / LANE_CASES), 1)
    return [cases[number::count] for number in range(count)]


def travel(trip: Trip, directory: Path, **more: Any) -> tuple[list[Case], list[str]]:
    """Run a trip; returns the cases that were visited, and what is wrong. `more` is for `Lane`."""
    from .lane import Lane  # noqa: PLC0415 - it stands on the test kit, which is on the path by now

    with machine.image() if trip.images else contextlib.nullcontext("") as image:
        lane = Lane(trip.store, directory, sandbox=trip.sandbox, image=image, **more)
        lane.run(trip.cases)
    return lane.visited, [f"{text} ({trip.store}, {trip.sandbox})" for text in lane.wrong]


def run(scale: Scale) -> Result:
    """Visit the points on every store."""
    stores = installed()
    plan = [trip for store in stores for trip in trips(store, scale.share)]
    numbers = itertools.count()
    with ThreadPoolExecutor(TRIPS_AT_A_TIME) as pool:
        done = list(pool.map(lambda trip: travel(trip, scale.directory / f"{next(numbers)}"), plan))
    wrong = [text for _, found in done for text in found]
    exits = sum(len(visited) for visited, _ in done)
    points = {(trip.store, case.point) for trip, (visited, _) in zip(plan, done, strict=True) for case in visited}
    wanted = {(store, point) for store in stores for point in points_of(store) if not machine.unmet(point)}
    if scale.share < 1.0:
        wanted &= {(trip.store, case.point) for trip in plan for case in trip.cases}
    wrong += [f"unvisited: {point} on {store}" for store, point in sorted(wanted - points)]
    counts = {kind: sum(text.startswith(kind) for text in wrong) for kind in ("lost", "illegal", "orphan")}
    confined = sum(len(visited) for trip, (visited, _) in zip(plan, done, strict=True) if trip.sandbox != "process")
    line = (
        f"crash points: {len(points)}/{len(wanted)} × {len(stores)} store{'s' if len(stores) > 1 else ''}, "
        f"{exits} exits, {counts['lost']} lost, {counts['illegal']} illegal, {counts['orphan']} orphans; "
        f"{confined or 'none'} of them at level 2"
        + "".join(f"; not here: {prefix}* ({why})" for prefix, why in machine.all_unmet().items())
    )
    return Result(line=line, ok=not wrong, details=tuple(wrong))
