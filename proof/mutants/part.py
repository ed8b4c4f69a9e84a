"""The part `mutants`: the product with one guard less, again and again, and the simulation that has to notice.

Each mutant is run on the seeds of the simulation, from the first one on, until a seed fails. One that survives its
budget is a hole in the generator or in the observer, and makes the part fail.
"""

from __future__ import annotations

import multiprocessing
import re
from typing import NamedTuple

from proof.result import Result, Scale
from proof.simulation.seed import run as run_seed

from . import durable, instances, lives
from .mutant import MUTANTS, applied

SEEDS_MAX = 400
"""Seeds for one mutant, of the two thousand that CI runs."""
PROCESSES = 2
MODULES = (durable, lives, instances)


BROKEN = re.compile(r"\b(TypeError|AttributeError|NameError|ImportError|UnboundLocalError)\b")
"""How a mutant ends that does not fit the product any more: its own code fails, and no guard is missed."""


class Killed(NamedTuple):
    """What became of a mutant: after how many seeds which rule was broken; no seeds: it survived."""

    name: str
    seeds: int
    why: str


def kill(name: str, seeds_max: int = SEEDS_MAX, first: int = 1) -> Killed:
    """Run a mutant until it is noticed."""
    with applied(name):
        for count in range(1, seeds_max + 1):
            report = run_seed(first + count - 1)
            if report.violations:
                return Killed(name, count, report.violations[0])
    return Killed(name, 0, "")


def _kill(order: tuple[str, int, int]) -> Killed:
    return kill(*order)


def run(scale: Scale) -> Result:
    """Kill all mutants; a small scale tries some."""
    names = list(MUTANTS)
    if scale.share < 1.0:
        names = names[:: max(round(len(names) * 0.002 / scale.share * 10), 1)]
    orders = [(name, SEEDS_MAX, (scale.seed - 1) * 1_000_000 + 1) for name in names]
    if scale.share < 1.0:
        found = list(map(_kill, orders))
    else:
        with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
            found = list(pool.imap_unordered(_kill, orders, chunksize=1))
    broken = [f"{each.name} does not fit the product any more: {each.why}" for each in found if BROKEN.search(each.why)]
    survived = sorted(each.name for each in found if not each.seeds)
    slowest = max(found, key=lambda each: each.seeds)
    return Result(
        line=(
            f"mutants: {len(found) - len(survived) - len(broken)}/{len(found)}; "
            f"the last to be noticed after {slowest.seeds} seeds: {slowest.name}"
        ),
        ok=not survived and not broken,
        details=(*broken, *(f"survived {SEEDS_MAX} seeds: {name}" for name in survived)),
    )
