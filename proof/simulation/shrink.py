"""Shrinking: of all faults and acts of clients in a failing run, the few that it fails by (delta debugging).

Every run is made anew from the seed with the rest muted, so what remains is a run that fails, not an extract of one.
"""

from __future__ import annotations

from .seed import Report, run

RUNS_MAX = 150


def shrink(failed: Report, runs_max: int = RUNS_MAX) -> tuple[Report, list[str]]:
    """A failing run with as few faults and acts as `runs_max` tries find, and what was muted for it."""
    best, muted = failed, list[str]()
    parts, runs = 2, 0
    while len(best.tape) > 1 and runs < runs_max:
        size = max(len(best.tape) // parts, 1)
        shorter = None
        for start in range(0, len(best.tape), size):
            out = [*muted, *best.tape[start : start + size]]
            runs += 1
            tried = run(failed.seed, out)
            # What is muted may make room for what would have come later, so the whole has to be shorter.
            if tried.violations and _rule(tried) == _rule(failed) and len(tried.tape) < len(best.tape):
                shorter = tried, out
                break
            if runs >= runs_max:
                break
        if shorter is not None:
            (best, muted), parts = shorter, max(parts - 1, 2)
        elif size == 1:
            break
        else:
            parts = min(parts * 2, len(best.tape))
    return best, muted


def _rule(report: Report) -> str:
    """Which rule is broken first."""
    return report.violations[0].partition(":")[0]
