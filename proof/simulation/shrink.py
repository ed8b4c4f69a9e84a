"""Shrinking: of all faults and acts of clients in a failing run, the few that it fails by (delta debugging).

Every run is made anew from the seed with the rest muted, so what remains is a run that fails, not an extract of one.
"""

from __future__ import annotations

from .seed import Report, run

RUNS_MAX = 150


def shrink(failed: Report, runs_max: int = RUNS_MAX) -> tuple[Report, list[str]]:
    """A failing run with as few faults and acts as `runs_max` tries find, and what was muted for it."""
    best, muted = failed, list[str]()
    kept = list(failed.tape)
    parts, runs = 2, 0
    while len(kept) > 1 and runs < runs_max:
        size = max(len(kept) // parts, 1)
        shorter = None
        for start in range(0, len(kept), size):
            if runs >= runs_max:
                break
            out = kept[start : start + size]
            runs += 1
            tried = run(failed.seed, [*muted, *out])
            if tried.violations and _rule(tried) == _rule(failed):
                best, muted = tried, [*muted, *out]
                shorter = [each for each in kept if each not in set(out) and each in set(tried.tape)]
                break
        if shorter is not None:
            kept, parts = shorter, max(parts - 1, 2)
        elif size == 1:
            break
        else:
            parts = min(parts * 2, len(kept))
    return best, muted


def _rule(report: Report) -> str:
    """Which rule is broken first."""
    return report.violations[0].partition(":")[0]
