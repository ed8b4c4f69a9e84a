"""The result as text on a terminal: one line for each row, the bounds, and what changed against the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .document import Document
from .figures import HIGH
from .row import Row, Verdict

TITLES = ("", "median", "unit", "rounds", "target", "ambitious", "", "baseline", "")


def table(result: Document, baseline: Document | None) -> str:
    """All rows, group by group."""
    return told(result.rows, {row.key: row for row in baseline.rows} if baseline else {})


def told(rows: Sequence[Row], before: Mapping[str, Row]) -> str:
    """Rows, a line for each; `before` are those of the baseline by key."""
    lines = [TITLES, *(_cells(row, before.get(row.key)) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(TITLES))]
    return "\n".join(_line(line, widths) for line in lines)


def verdict(result: Document) -> str:
    """The run in a sentence, and what it could not measure."""
    judged = result.having(Verdict.KEPT, Verdict.AMBITIOUS, Verdict.MISSED)
    kept = len(judged) - len(result.having(Verdict.MISSED))
    text = [f"{kept} of {len(judged)} targets are kept, {len(result.having(Verdict.AMBITIOUS))} of them ambitiously"]
    text += [f"missed: {row.name}: {number(row.median)} {row.unit}" for row in result.having(Verdict.MISSED)]
    reasons: dict[str, list[str]] = {}
    for row in result.having(Verdict.NOT_MEASURED):
        reasons.setdefault(row.missing, []).append(row.name)
    text += [f"not measured: {' · '.join(names)}: {reason}" for reason, names in reasons.items()]
    return "\n".join(text)


def number(value: float) -> str:
    """Three digits that count."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"


def bound(row: Row, value: float | None) -> str:
    """A bound with its direction; "" for none."""
    return "" if value is None else f"{'≥' if row.better == HIGH else '≤'} {value:g}"


def _cells(row: Row, before: Row | None) -> tuple[str, ...]:
    bounds = (bound(row, row.target), bound(row, row.ambitious))
    if row.missing:
        return (row.name, "–", row.unit, "", *bounds, row.verdict.value, "", row.missing.partition("\n")[0][:60])
    runs = " ".join(map(number, row.runs))
    changed = row.changed(before) if before is not None else ""
    return (row.name, number(row.median), row.unit, runs, *bounds, row.verdict.value, changed, row.note)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    name, median, *others = cells
    shown = [name.ljust(widths[0]), median.rjust(widths[1])]
    shown += [cell.ljust(width) for cell, width in zip(others, widths[2:], strict=True)]
    return "  ".join(shown).rstrip()
