"""The page of results says what the result says, and its plots are drawings that can be read."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from bench.document import BASELINE, Document, document, load
from bench.figures import FIGURES, Figure
from bench.group import Seen
from bench.machine import machine
from bench.options import Options
from bench.page import PAGE, plots, text, times_better, write
from bench.peers import comparison
from bench.row import Row, Verdict, row
from bench.run import Part

NAMESPACE = "{http://www.w3.org/2000/svg}"
POINTS = {f"growth.{kind}.cpu": [(1.0, 200.0), (10.0, 210.0), (1000.0, 300.0)] for kind in ("tasks", "functions")}


def measured(figure: Figure) -> Row:
    """A row that keeps its target exactly, or that could not be measured when it belongs to watching."""
    if figure.group == "watch":
        return row(figure, [], "not available: <404> | no")
    return row(figure, [Seen(values={figure.key: 1.0 if figure.target is None else figure.target})] * 3)


@pytest.fixture
def result(tmp_path: Path) -> Document:
    """A whole result, of which one group was not measured."""
    part = Part(name="all", rows=[measured(figure) for figure in FIGURES], points=POINTS, seconds=600)
    return document(machine(tmp_path), Options(directory=tmp_path), [part])


def test_the_page_tells_every_row(result: Document) -> None:
    """Targets, everything else, and what could not be measured with its reason; a bar in a cell does not end it."""
    page = text(result)

    assert all(f"| {figure.name} |" in page for figure in FIGURES)
    assert "not available: <404> \\| no" in page
    assert "10 minutes" in page
    assert f"data on {result.machine.disk}" in page


def test_the_plots_are_drawings_with_every_target(result: Document, tmp_path: Path) -> None:
    """Each is well-formed, has a title, follows the reader's colours, and shows what was judged."""
    drawn = plots(result)

    assert set(drawn) == {"targets.svg", "tasks.svg", "functions.svg"}
    for drawing in drawn.values():
        root = ET.fromstring(drawing)  # noqa: S314 - our own
        assert root.tag == f"{NAMESPACE}svg"
        assert root.find(f"{NAMESPACE}title") is not None
        assert "prefers-color-scheme: dark" in drawing
    labels = [element.text for element in ET.fromstring(drawn["targets.svg"]).iter(f"{NAMESPACE}text")]  # noqa: S314 - as above
    judged = result.having(Verdict.KEPT, Verdict.AMBITIOUS)
    assert judged
    assert {row.name for row in judged} <= set(labels)
    write(result, tmp_path / "performance.md")
    shown = (tmp_path / "performance.md").read_text()
    assert all(f"(performance/{path.name})" in shown for path in (tmp_path / "performance").iterdir())


def test_a_plot_that_is_not_shown_any_more_goes(result: Document, tmp_path: Path) -> None:
    """Pages do not leave the plots of earlier ones behind."""
    write(result, tmp_path / "performance.md")
    assert (tmp_path / "performance" / "tasks.svg").exists()

    write(None, tmp_path / "performance.md")
    assert [path.name for path in tmp_path.iterdir()] == ["performance.md"]
    assert "No whole run" in (tmp_path / "performance.md").read_text()


@pytest.mark.parametrize(
    ("better", "target", "value", "expected"),
    [("lower is better", 4, 2, 2), ("lower is better", 4, 8, 0.5), ("higher is better", 0.1, 0.2, 2)],
)
def test_longer_bars_are_better(better: str, target: float, value: float, expected: float) -> None:
    """Whichever way a figure counts."""
    found = row(Figure("payload.rate", "", "", better, target), [Seen(values={"payload.rate": value})])

    assert times_better(found, found.median) == pytest.approx(expected)


def test_a_bound_of_nothing_is_kept_by_nothing() -> None:
    """Of what must be 0 there is no ratio."""
    bound = Figure("overload.lost", "", "", "lower is better", 0)
    none, some = (row(bound, [Seen(values={"overload.lost": value})]) for value in (0.0, 1.0))

    assert (none.verdict, times_better(none, 0.0)) == (Verdict.KEPT, 1.0)
    assert some.verdict == Verdict.MISSED
    assert times_better(some, 1.0) < 1


def test_the_page_is_that_of_the_result_that_is_kept() -> None:
    """Nobody edits it by hand, and no result is kept without its page."""
    kept = load(BASELINE) if BASELINE.exists() else None

    assert PAGE.read_text(encoding="utf-8") == text(kept, comparison.kept())
    assert kept is None or not kept.quick
