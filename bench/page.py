"""docs/performance.md and its plots, made of a result: `python -m bench.page [RESULT.json] [--peers PEERS.json]`.

The page says what was measured, where, and what could not be; how each figure is measured is told once, in
docs/benchmark.md. Without a result it says that there is none. Written anew as a whole each time: what is edited there
by hand is lost.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from . import document, svg
from .document import BASELINE, Document
from .failure import NotMeasured
from .figures import HIGH
from .load import ROOT
from .machine import told
from .peers import comparison, table
from .peers.comparison import Comparison
from .report import bound, number
from .row import Row, Verdict
from .svg import Bar

PAGE = ROOT / "docs" / "performance.md"
PLOTS = "performance"
"""The folder of the plots, beside the page."""
LOOKS = {Verdict.AMBITIOUS: "good", Verdict.KEPT: "fair", Verdict.MISSED: "bad"}
SIGNS = {Verdict.AMBITIOUS: "✔✔", Verdict.KEPT: "✔", Verdict.MISSED: "✘", Verdict.SHOWN: "", Verdict.NOT_MEASURED: "–"}
HEAD = """# Performance

Made by `make bench`, not by hand; how each figure is measured is told in [benchmark.md](benchmark.md).
"""
TIMES_MAX = 20.0
SHORT = 44


def write(result: Document | None, page: Path = PAGE, *, beside: Comparison | None = None) -> None:
    """Write the page and its plots, and remove plots that it no longer shows."""
    drawn = plots(result) if result is not None else {}
    folder = page.parent / PLOTS
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.svg"):
        if old.name not in drawn:
            old.unlink()
    for name, drawing in drawn.items():
        (folder / name).write_text(drawing, encoding="utf-8")
    if not any(folder.iterdir()):
        folder.rmdir()
    page.write_text(text(result, beside), encoding="utf-8")


def text(result: Document | None, beside: Comparison | None = None) -> str:
    """The page; `beside` is the comparison with other task queues."""
    parts = [HEAD]
    if result is None:
        parts += ["No whole run on a quiet machine has been kept yet.\n"]
    else:
        parts += [_about(result), _plots(result), _targets("Targets", result.rows)]
        parts += [_missing(result.rows), _others(result)]
    parts += _beside(beside)
    return "\n".join(part for part in parts if part)


def plots(result: Document) -> dict[str, str]:
    """The plots by file name."""
    found = {}
    judged = [row for row in result.rows if row.verdict in LOOKS and row.target is not None]
    if judged:
        title = "Times better than the target (dashed: the ambitious bound)"
        found["targets.svg"] = svg.bars(title, [_bar(row) for row in judged], TIMES_MAX)
    for kind, label, title in (
        ("tasks", "tasks that are stored", "Cost of a task by the size of the store"),
        ("functions", "functions there are", "Cost of a task by the number of functions"),
        ("accounts", "accounts there are", "Cost of a task by the number of accounts"),
    ):
        costs = result.points.get(f"growth.{kind}.cpu")
        if costs:
            first = costs[0][1] / (1 + math.log10(costs[0][0]))
            allowed = [(size, first * (1 + math.log10(size))) for size, _ in costs]
            lines = {"measured": costs, "if it grew logarithmically": allowed}
            found[f"{kind}.svg"] = svg.curves(title, label, "CPU µs per task, server and instances", lines)
    return found


def times_better(row: Row, value: float) -> float:
    """How many times better than its target `value` is; below 1 it is worse. A bound of 0 is kept or it is not."""
    target = row.target or 0.0
    better, worse = (value, target) if row.better == HIGH else (target, value)
    if not worse:
        return 1.0 if not better else TIMES_MAX
    return better / worse


def _bar(row: Row) -> Bar:
    name = row.name if len(row.name) <= SHORT * 1.4 else f"{row.name[: round(SHORT * 1.4)]}…"
    ambitious = None if row.ambitious is None else times_better(row, row.ambitious)
    unit = "" if row.unit == "ratio" else f" {row.unit}"
    shown = f"{number(row.median)}{unit} ({bound(row, row.target)})"
    return Bar(name, times_better(row, row.median), shown, ambitious, LOOKS[row.verdict])


def _about(result: Document) -> str:
    lines = [f"Sojourn {result.sojourn}, {result.at}, {result.seconds / 60:.0f} minutes:", ""]
    lines += [f"- {line}" for line in told(result.machine)]
    if result.quick:
        lines += ["", "**A smoke run: these figures mean nothing.**"]
    judged = result.having(*LOOKS)
    kept = len(judged) - len(result.having(Verdict.MISSED))
    lines += ["", f"{kept} of {len(judged)} targets are kept, {len(result.having(Verdict.AMBITIOUS))} ambitiously."]
    return "\n".join(lines) + "\n"


def _plots(result: Document) -> str:
    return "".join(f"![{name.removesuffix('.svg')}]({PLOTS}/{name})\n\n" for name in plots(result)).rstrip("\n") + "\n"


def _beside(result: Comparison | None) -> list[str]:
    if result is None:
        return []
    lines = [f"## Beside other task queues\n\nSojourn {result.sojourn}, {result.at}:", ""]
    lines += [f"- {line}" for line in told(result.machine)]
    if result.quick:
        lines += ["", "**A smoke run: these figures mean nothing.**"]
    return [
        "\n".join(lines) + "\n",
        _targets("Against the best of them", result.rows),
        _missing(result.rows),
        f"## What each of them did\n\n{table.of(result.peers)}\n",
    ]


def _targets(title: str, rows: Sequence[Row]) -> str:
    cells = [
        [
            row.name,
            f"{number(row.median)} {row.unit}",
            bound(row, row.target),
            bound(row, row.ambitious),
            SIGNS[row.verdict],
        ]
        for row in rows
        if not row.missing and (row.target is not None or row.ambitious is not None)
    ]
    return _table(title, ("figure", "median", "target", "ambitious", ""), cells)


def _missing(rows: Sequence[Row]) -> str:
    cells = [[row.name, row.missing.replace("\n", " ")] for row in rows if row.verdict is Verdict.NOT_MEASURED]
    return _table("Not measured", ("figure", "why"), cells)


def _others(result: Document) -> str:
    rows = [
        [row.name, number(row.median), row.unit, " · ".join(map(number, row.runs)), row.note]
        for row in result.having(Verdict.SHOWN, *LOOKS)
    ]
    return _table("All figures", ("figure", "median", "unit", "rounds", ""), rows)


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    lines = [f"## {title}", "", _cells(head), "|" + "---|" * len(head), *map(_cells, rows)]
    return "\n".join(lines) + "\n"


def _cells(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main() -> int:
    """Write the page; of the repository's baselines, unless other results are named."""
    parser = argparse.ArgumentParser(prog="python -m bench.page", description="Make docs/performance.md of results.")
    parser.add_argument("result", nargs="?", type=Path, help="what `python -m bench` has kept [bench/baseline.json]")
    parser.add_argument("--peers", type=Path, help="what `python -m bench.peers` has kept [bench/baseline-peers.json]")
    named = parser.parse_args()
    try:
        beside = comparison.load(named.peers) if named.peers else comparison.kept()
        own = document.load(named.result or BASELINE) if named.result or BASELINE.exists() else None
        write(own, beside=beside)
    except NotMeasured as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    print(f"{PAGE.relative_to(ROOT)} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
