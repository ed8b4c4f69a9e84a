"""What groups compute of what they saw, without a server."""

from __future__ import annotations

import math

import pytest
from bench.failure import NotMeasured
from bench.groups.growth import beyond_logarithmic
from bench.groups.retention import rate, setting

from bench import counters

SIZES = (1_000, 100_000, 10_000_000)


@pytest.mark.parametrize(
    ("cost", "beyond"),
    [(lambda _: 200.0, 1.0), (lambda size: 50.0 * (1 + math.log10(size)), 1.0), (lambda size: size / 10, 5_000.0)],
    ids=["constant", "logarithmic", "linear"],
)
def test_only_what_grows_faster_than_the_logarithm_exceeds_it(cost: object, beyond: float) -> None:
    """A constant cost and one that follows a tree's depth are fine, one that scans is not."""
    assert callable(cost)

    assert beyond_logarithmic([(size, cost(size)) for size in SIZES]) == pytest.approx(beyond)


def test_counts_are_read_off_a_page_of_metrics() -> None:
    """Sums over labels; what is not asked for is passed over."""
    page = """# TYPE sojourn_tasks gauge
sojourn_tasks{status="Enqueued"} 2
sojourn_tasks{status="Running"} 1
sojourn_tasks_submitted_total 12
sojourn_task_transitions_total{from="Running",to="Succeeded"} 7
sojourn_task_transitions_total{from="Stopping",to="Stopped"} 3
sojourn_store_write_seconds_count 40
sojourn_store_write_seconds_bucket{le="+Inf"} 40
"""

    assert counters.parse(page) == counters.Counts(submitted=12, succeeded=7, open=3, writes=40)


def test_deletes_are_counted_from_the_last_whole_store() -> None:
    """The time before anything went is no part of the rate, and a store that keeps all has none."""
    assert rate([(0.0, 100), (10.0, 100), (11.0, 40), (12.0, 0)], 100) == (10.0, 50.0)
    assert rate([(0.0, 100), (2.0, 0)], 100) == (0.0, 50.0)
    with pytest.raises(NotMeasured, match="nothing was deleted"):
        rate([(0.0, 100), (9.0, 100)], 100)


def test_the_setting_of_retention_is_one_of_the_server() -> None:
    """None while there is none; then the one in seconds."""
    assert setting() == "" or setting().endswith("seconds")
