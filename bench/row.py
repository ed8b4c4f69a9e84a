"""One line of the result: a figure, what the rounds saw of it, and how it stands to its bounds. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from enum import Enum

import msgspec

from .figures import BY_KEY, HIGH, Figure
from .group import Seen

NOISE = 0.15
"""A change against the baseline below this share says nothing: so much moves by itself."""


class Verdict(Enum):
    """How a figure stands."""

    AMBITIOUS = "ambitious"
    KEPT = "kept"
    MISSED = "MISSED"
    SHOWN = ""
    """It has no target."""
    NOT_MEASURED = "not measured"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of a run: the values of its rounds, or the reason why there are none."""

    key: str
    name: str
    unit: str
    better: str
    runs: list[float] = []
    target: float | None = None
    ambitious: float | None = None
    note: str = ""
    missing: str = ""

    @property
    def median(self) -> float:
        """The median over the rounds; only where it was measured."""
        return statistics.median(self.runs)

    @property
    def verdict(self) -> Verdict:
        """Judged by the median; bounds are inclusive. What has only an ambitious bound cannot miss."""
        if self.missing:
            return Verdict.NOT_MEASURED
        if self.ambitious is not None and self._within(self.ambitious):
            return Verdict.AMBITIOUS
        if self.target is None:
            return Verdict.SHOWN
        return Verdict.KEPT if self._within(self.target) else Verdict.MISSED

    def _within(self, bound: float) -> bool:
        return self.median >= bound if self.better == HIGH else self.median <= bound

    def changed(self, before: Row) -> str:
        """How it stands to `before`, the same row of another run; "" where nothing can be said."""
        if self.missing or before.missing or not before.median:
            return ""
        change = self.median / before.median - 1
        if abs(change) < NOISE:
            return f"{change:+.0%}"
        return f"{change:+.0%} {'better' if (change > 0) == (self.better == HIGH) else 'WORSE'}"


def row(figure: Figure, rounds: Sequence[Seen], failure: str = "") -> Row:
    """What `rounds` saw of `figure`. A value that any round lacks was not measured: there are no medians of some."""
    runs = [seen.values[figure.key] for seen in rounds if figure.key in seen.values]
    reasons = [seen.missing[figure.key] for seen in rounds if figure.key in seen.missing]
    notes = [seen.notes[figure.key] for seen in rounds if figure.key in seen.notes]
    missing = failure or (reasons[0] if reasons else "")
    if not missing and (not rounds or len(runs) < len(rounds)):
        missing = "its group said nothing about it"
    return Row(
        key=figure.key,
        name=figure.name,
        unit=figure.unit,
        better=figure.better,
        runs=[] if missing else runs,
        target=figure.target,
        ambitious=figure.ambitious,
        note=notes[-1] if notes else "",
        missing=missing,
    )


def unknown(seen: Seen) -> set[str]:
    """Keys that a group told and the table does not know."""
    return (seen.values.keys() | seen.missing.keys()) - BY_KEY.keys()


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of `values` that `percent` of them do not exceed (nearest rank); 0 for none."""
    if not values:
        return 0.0
    rank = -(-len(values) * percent // 100)
    return sorted(values)[max(int(rank) - 1, 0)]
