"""The part `model`: the exhaustive walk of the task table with two and three nodes, and of it without each guard."""

from __future__ import annotations

from proof.result import Result, Scale

from . import guards
from .protocol import Bounds, Protocol
from .walk import Walk

SMALL = (Bounds(faults_max=1, stops=0b01, ages=0b01, deletes=False), Bounds(nodes=3, stops=0b01, ages=0b01))
LARGE = (
    Bounds(submits=True),
    Bounds(faults_max=1, stops=0b01, ages=0b01),
    Bounds(faults_max=1, submits=True, stops=0b01, ages=0b01, deletes=False),
    Bounds(faults_max=1, retries_max=1, stops=0b01, ages=0, deletes=False),
    Bounds(nodes=3, stops=0b11, ages=0b01),
    Bounds(nodes=3, faults_max=1, stops=0b01, ages=0, deletes=False),
)
"""What CI walks: together more than two million states. Each leaves out something, since all at once is for nights."""
HUGE = (*LARGE, Bounds(faults_max=1), Bounds(faults_max=2, stops=0b01, ages=0, deletes=False))
FULL_SHARE, NIGHT_SHARE = 1.0, 10.0
STATES_MIN = 1_000_000
"""Fewer in the whole of it, and the bounds have become too narrow to say much."""


def run(scale: Scale) -> Result:
    """Walk all bounds of the scale, then look for each guard that is left out."""
    chosen = HUGE if scale.share >= NIGHT_SHARE else LARGE if scale.share >= FULL_SHARE else SMALL
    states = stuck = violations = 0
    details = []
    for bounds in chosen:
        found = Walk(Protocol(bounds)).run()
        states += found.states
        stuck += found.stuck
        violations += found.violations.total()
        details += [f"{bounds}: {what}: {' · '.join(way)}" for what, way in found.traces.items()]
    missed = [name for name in guards.GUARDS if not guards.finds(name, guards.walk_without(name))]
    details += [f"the walk does not find that this guard is missing: {name}" for name in missed]
    few = scale.share >= FULL_SHARE and states < STATES_MIN
    details += [f"{states:,} states are fewer than {STATES_MIN:,}"] if few else []
    noticed = len(guards.GUARDS) - len(missed)
    return Result(
        line=(
            f"model: {states:,} states, {violations:,} violations, {stuck:,} stuck; "
            f"{noticed}/{len(guards.GUARDS)} missing guards found"
        ),
        ok=not (violations or stuck or missed or few),
        details=tuple(details),
    )
