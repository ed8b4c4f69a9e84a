"""How figures follow from what was measured, and when a floor counts as kept."""

from __future__ import annotations

import msgspec
import pytest
from bench.round import Bare, Idle, Loaded, Round, Single
from bench.rows import Row, percentile, rows

from bench import report

ROUND = Round(
    disk_us=[100, 200, 300],
    bare=[Bare(per_second=30_000, cpu_us_per_request=30), Bare(per_second=10_000, cpu_us_per_request=34)],
    isolation="level 2",
    ready_seconds=0.5,
    first_sandbox_us=150_000,
    sandbox_us=[160_000],
    instance_us=[15_000, 15_000, 90_000],
    warm_call_us=600,
    idle=Idle(cpu_percent=1.0, server_rss_mb=100.0, tree_pss_mb=120.0, processes=4),
    single=Single(accepted_us=[500], succeeded_us=[4600], recorded_us=[3000], polls=4),
    loaded=Loaded(
        tasks=4000,
        seconds=2.0,
        accepted_per_second=3000.0,
        accepted_us=[20_000],
        recorded_us=[900_000],
        cpu_us_per_task=400,
        server_cpu_us_per_task=300,
        server_rss_mb=70.0,
        tree_pss_mb=340.0,
    ),
)
"""Every floor is met exactly: 2,000/s of 20,000/s, 6 × 3 × 0.2 ms + 1 ms, 15 ms, 1 %, 100 MiB."""


def table(*rounds: Round) -> dict[str, Row]:
    """The rows of `rounds` by name."""
    return {row.name: row for row in rows(rounds)}


def verdicts(*rounds: Round) -> set[bool | None]:
    """What is said of the floors."""
    return {row.kept for row in table(*rounds).values()} - {None}


def test_a_figure_on_its_floor_keeps_it() -> None:
    """Bounds are inclusive, and the yardstick's half is the mean of before and after."""
    found = table(ROUND)

    assert found["full sojourns / bare responder"].median == 0.10
    assert found["one connection: submit → Succeeded p50"].at_most == pytest.approx(4.6)
    assert verdicts(ROUND) == {True}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("full sojourns / bare responder", {"loaded": msgspec.structs.replace(ROUND.loaded, seconds=2.01)}),
        ("one connection: submit → Succeeded p50", {"disk_us": [100, 199, 300]}),
        ("new instance, running sandbox p50", {"instance_us": [15_001]}),
        ("idle CPU, server and children", {"idle": msgspec.structs.replace(ROUND.idle, cpu_percent=1.1)}),
        ("idle RSS, server process", {"idle": msgspec.structs.replace(ROUND.idle, server_rss_mb=100.1)}),
    ],
)
def test_each_floor_is_missed_by_its_own_figure(name: str, change: dict[str, object]) -> None:
    """A little worse than the floor is missed, told in the table, and nothing else is blamed."""
    worse = table(msgspec.structs.replace(ROUND, **change))

    assert {row.name for row in worse.values() if row.kept is False} == {name}
    assert report.table(list(worse.values())).count("MISSED") == 1


def test_one_disturbed_round_of_three_spoils_no_median() -> None:
    """Floors are judged by the median over the rounds."""
    disturbed = msgspec.structs.replace(ROUND, instance_us=[900_000], disk_us=[9], bare=ROUND.bare[:1])

    assert verdicts(ROUND, disturbed, ROUND) == {True}
    assert False in verdicts(ROUND, disturbed, disturbed)


def test_a_row_that_was_not_measured_is_not_shown() -> None:
    """Where isolation allows one account only, nothing is said about further ones."""
    name = "new sandbox, first call of an account p50"

    assert name in table(ROUND)
    assert name not in table(msgspec.structs.replace(ROUND, sandbox_us=[]))


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([], 50, 0), ([7], 99, 7), ([3, 1, 2], 50, 2), (range(1, 101), 99, 99), ([1, 2, 3, 4], 50, 2), ([1, 9], 100, 9)],
)
def test_percentiles_are_values_that_were_measured(values: list[float], percent: float, expected: float) -> None:
    """Nearest rank, no interpolation."""
    assert percentile(values, percent) == expected
