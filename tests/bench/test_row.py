"""How a figure is judged: by the median of its rounds, against bounds that are inclusive."""

from __future__ import annotations

import pytest
from bench.figures import BY_KEY, FIGURES, HIGH, LOW, Figure
from bench.group import Seen
from bench.registry import GROUPS
from bench.row import Row, Verdict, percentile, row, unknown

RATE = Figure("throughput.sojourns_of_nginx", "sojourns / nginx", "ratio", HIGH, 0.06, 0.10)
PAUSE = Figure("retention.pause", "pause", "ms", LOW, 30, 10)
SHOWN = Figure("throughput.nginx", "nginx", "requests/s", HIGH)


def judged(figure: Figure, *values: float) -> Row:
    """The row of a figure that had these values in its rounds."""
    return row(figure, [Seen(values={figure.key: value}) for value in values])


@pytest.mark.parametrize(
    ("figure", "value", "verdict"),
    [
        (RATE, 0.10, Verdict.AMBITIOUS),
        (RATE, 0.099, Verdict.KEPT),
        (RATE, 0.06, Verdict.KEPT),
        (RATE, 0.059, Verdict.MISSED),
        (PAUSE, 10, Verdict.AMBITIOUS),
        (PAUSE, 30, Verdict.KEPT),
        (PAUSE, 30.1, Verdict.MISSED),
        (SHOWN, 0, Verdict.SHOWN),
    ],
)
def test_a_figure_on_its_bound_keeps_it(figure: Figure, value: float, verdict: Verdict) -> None:
    """The bound itself is good, a little worse is not; without a target nothing is judged."""
    assert judged(figure, value).verdict == verdict


def test_one_disturbed_round_of_three_spoils_no_median() -> None:
    """Two good rounds of three are enough, two bad ones are too many."""
    assert judged(PAUSE, 9, 900, 9).verdict == Verdict.AMBITIOUS
    assert judged(PAUSE, 9, 900, 900).verdict == Verdict.MISSED


@pytest.mark.parametrize(
    ("rounds", "failure", "reason"),
    [
        ([], "", "its group said nothing"),
        ([Seen()], "", "its group said nothing"),
        ([Seen(values={RATE.key: 1.0}), Seen()], "", "its group said nothing"),
        ([Seen(missing={RATE.key: "not available: 404"})], "", "404"),
        ([Seen(values={RATE.key: 1.0})], "the disk is full", "the disk is full"),
    ],
)
def test_what_a_round_lacks_has_no_median(rounds: list[Seen], failure: str, reason: str) -> None:
    """A figure is measured in every round or not at all, and says why."""
    found = row(RATE, rounds, failure)

    assert reason in found.missing
    assert (found.runs, found.verdict) == ([], Verdict.NOT_MEASURED)


@pytest.mark.parametrize(
    ("figure", "before", "after", "told"),
    [
        (RATE, 0.10, 0.12, "+20% better"),
        (RATE, 0.10, 0.05, "-50% WORSE"),
        (PAUSE, 10, 20, "+100% WORSE"),
        (PAUSE, 10, 5, "-50% better"),
        (PAUSE, 10, 11, "+10%"),
    ],
)
def test_a_change_is_told_with_its_direction(figure: Figure, before: float, after: float, told: str) -> None:
    """What moves by itself is neither better nor worse."""
    assert judged(figure, after).changed(judged(figure, before)) == told


def test_nothing_is_compared_with_what_was_not_measured() -> None:
    """There is no change against nothing."""
    assert judged(RATE, 1).changed(row(RATE, [], "gone")) == ""
    assert row(RATE, [], "gone").changed(judged(RATE, 1)) == ""


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([], 50, 0), ([7], 99, 7), ([3, 1, 2], 50, 2), (range(1, 101), 99, 99), ([1, 2, 3, 4], 50, 2), ([1, 9], 100, 9)],
)
def test_percentiles_are_values_that_were_measured(values: list[float], percent: float, expected: float) -> None:
    """Nearest rank, no interpolation."""
    assert percentile(values, percent) == expected


def test_the_table_has_every_row_once_and_a_group_for_it() -> None:
    """Nothing is measured by nobody, and no group is without a row."""
    assert len(BY_KEY) == len(FIGURES)
    assert {figure.group for figure in FIGURES} == set(GROUPS)


def test_an_ambitious_bound_is_stricter_than_the_target() -> None:
    """Otherwise the two are mixed up."""
    for figure in FIGURES:
        if figure.target is not None and figure.ambitious is not None:
            assert (figure.ambitious > figure.target) == (figure.better == HIGH), figure.key


def test_a_key_that_the_table_does_not_know_is_found() -> None:
    """A misspelled key would be lost otherwise."""
    assert unknown(Seen(values={RATE.key: 1.0, "rate": 1.0}, missing={"gone": ""})) == {"rate", "gone"}
