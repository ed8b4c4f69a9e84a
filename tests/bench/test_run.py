"""A run of groups: what fails in one is told in its own rows, and does not end the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bench.__main__ import INCOMPLETE, KEPT, MISSED, status
from bench.document import Document, document, load, write
from bench.failure import NotMeasured
from bench.figures import of_group
from bench.group import Bench, Group, Round, Seen
from bench.machine import machine
from bench.options import Options
from bench.report import table, verdict
from bench.row import Verdict
from bench.run import Part, run

KEYS = [figure.key for figure in of_group("payload")]


def group(measure: Callable[[], Seen], closed: list[str] | None = None, seconds_max: float = 30.0) -> Group:
    """A group of three rows that measures so."""

    @contextmanager
    def opened(_bench: Bench) -> Iterator[Round]:
        try:
            yield measure
        finally:
            if closed is not None:
                closed.append("closed")

    return Group("payload", opened, seconds_max=seconds_max)


def seen(value: float = 0.3) -> Seen:
    """A round that measured everything."""
    return Seen(values=dict.fromkeys(KEYS, value))


def ran(directory: Path, measure: Callable[[], Seen], seconds_max: float = 30.0) -> Part:
    """What comes of one group."""
    return run([group(measure, seconds_max=seconds_max)], Options(directory=directory), lambda _: None)[0]


def test_a_group_is_asked_once_for_each_round(tmp_path: Path) -> None:
    """Three rounds, three values, and their median."""
    values = iter([0.1, 0.9, 0.3])

    part = ran(tmp_path, lambda: seen(next(values)))

    assert [row.runs for row in part.rows] == [[0.1, 0.9, 0.3]] * len(KEYS)
    assert {row.median for row in part.rows} == {0.3}


@pytest.mark.parametrize("error", [NotMeasured("the disk is full"), OSError("the disk is full")])
def test_a_failure_costs_the_rows_of_its_group(tmp_path: Path, error: Exception) -> None:
    """There is no half of a group; what was opened is closed, and the next group runs."""

    def fail() -> Seen:
        raise error

    closed: list[str] = []
    failed, good = run([group(fail, closed), group(seen)], Options(directory=tmp_path), lambda _: None)

    assert all("the disk is full" in row.missing for row in failed.rows)
    assert closed == ["closed"]
    assert not any(row.missing for row in good.rows)


def test_a_group_that_hangs_is_given_up(tmp_path: Path) -> None:
    """It ends at its time, wherever it is, and says so."""

    def hang() -> Seen:
        time.sleep(60)
        return seen()

    part = ran(tmp_path, hang, seconds_max=0.05)

    assert all("longer than 0.05 s" in row.missing for row in part.rows)


def test_a_figure_without_a_row_is_a_mistake(tmp_path: Path) -> None:
    """It is told, and nothing of the group counts."""
    part = ran(tmp_path, lambda: Seen(values={**seen().values, "payload.typo": 1.0}))

    assert all("payload.typo" in row.missing for row in part.rows)


def result(directory: Path, measure: Callable[[], Seen], *, quick: bool = False) -> Document:
    """The document of a run of one group."""
    options = Options(directory=directory, quick=quick)
    return document(machine(directory), options, run([group(measure)], options, lambda _: None))


@pytest.mark.parametrize(
    ("found", "quick", "judge", "expected"),
    [
        (seen(0.4), False, True, KEPT),
        (seen(0.1), False, True, MISSED),
        (seen(0.1), False, False, KEPT),
        (seen(0.1), True, True, KEPT),
        (Seen(missing=dict.fromkeys(KEYS, "not available")), False, True, INCOMPLETE),
        (Seen(missing=dict.fromkeys(KEYS, "not available")), True, False, INCOMPLETE),
    ],
)
def test_the_exit_status_tells(tmp_path: Path, found: Seen, quick: bool, judge: bool, expected: int) -> None:  # noqa: FBT001 - a case's column
    """What was not measured weighs more than a missed target; a smoke run judges nothing."""
    assert status(result(tmp_path, lambda: found, quick=quick), judge=judge) == expected


def test_a_document_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    """A baseline is a document that was kept."""
    before = result(tmp_path, seen)
    write(before, tmp_path / "kept" / "one.json")

    assert load(tmp_path / "kept" / "one.json") == before
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["one.json"]


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]"])
def test_what_is_no_document_is_refused(tmp_path: Path, text: bytes) -> None:
    """The message names the file."""
    path = tmp_path / "broken.json"
    path.write_bytes(text)

    with pytest.raises(NotMeasured, match=r"broken\.json"):
        load(path)


def test_the_table_tells_everything(tmp_path: Path) -> None:
    """Names, medians, verdicts, changes against a baseline, and what could not be measured, with its reason."""
    before = result(tmp_path, lambda: seen(0.4))
    after = result(tmp_path, lambda: seen(0.2))
    gone = result(tmp_path, lambda: Seen(missing=dict.fromkeys(KEYS, "not available: 404")))

    shown = table(after, before)
    assert all(row.name in shown for row in after.rows)
    assert shown.count("-50% WORSE") == len(KEYS)
    assert len(after.having(Verdict.MISSED)) == 1
    assert "missed: 100 KB echo" in verdict(after)
    assert "not available: 404" in verdict(gone)
    assert "0 of 0 targets" in verdict(gone)
