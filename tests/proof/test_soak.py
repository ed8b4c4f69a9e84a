"""Soak: its judge tells growth from noise, on made-up samples; a look at a real process; seconds of a real run."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from proof.result import Scale
from proof.soak import part
from proof.soak.judge import HOUR_US, problems, slope
from proof.soak.samples import Sample, sample


def samples(hours: float, **per_hour: float) -> list[Sample]:
    """Two hundred samples of a server whose values grow so much an hour, with noise and a warm-up."""
    chance, found = random.Random(1), []
    for number in range(200):
        passed = hours * number / 200
        warm = min(number / 20, 1.0)
        rss = 60_000 + 20_000 * warm + per_hour.get("rss_kib", 0.0) * passed + chance.uniform(-300, 300)
        found.append(
            Sample(
                who="server",
                pid=1,
                at=int(passed * HOUR_US),
                rss_kib=int(rss),
                descriptors=50 + int(per_hour.get("descriptors", 0.0) * passed) + chance.randrange(3),
                threads=9 + int(per_hour.get("threads", 0.0) * passed),
                wal_bytes=int(4e6 + per_hour.get("wal_bytes", 0.0) * passed),
                cached_bytes=int(per_hour.get("cached_bytes", 0.0) * passed),
            )
        )
    return found


@pytest.mark.parametrize("hours", [0.2, 8.0])
def test_noise_and_a_warm_up_are_no_growth(hours: float) -> None:
    """In a short run as in a long one."""
    assert problems(samples(hours)) == []


@pytest.mark.parametrize(
    ("hours", "what", "per_hour"),
    [
        (8.0, "rss_kib", 2 * 1024),
        (0.2, "rss_kib", 400 * 1024),
        (8.0, "descriptors", 1),
        (0.2, "descriptors", 90),
        (8.0, "threads", 1),
        (8.0, "wal_bytes", 10e6),
        (8.0, "cached_bytes", 10e6),
    ],
)
def test_a_leak_is_told(hours: float, what: str, per_hour: float) -> None:
    """By its name; the shorter the run, the larger it has to be."""
    words = {
        "rss_kib": "RSS",
        "descriptors": "descriptors",
        "threads": "threads",
        "wal_bytes": "WAL",
        "cached_bytes": "the store keeps",
    }

    assert any(words[what] in text for text in problems(samples(hours, **{what: per_hour})))


def test_what_the_store_keeps_on_purpose_is_no_leak() -> None:
    """It is taken off the memory: as much growth without it is told."""
    grown = {"rss_kib": 4 * 1024.0}

    assert problems(samples(8.0, cached_bytes=4.0 * 1024 * 1024, **grown)) == []
    assert problems(samples(8.0, **grown)) != []


def test_too_few_samples_are_no_verdict() -> None:
    """Three looks tell nothing."""
    assert problems(samples(1.0)[:3]) == ["3 samples are too few to judge"]


def test_the_slope_is_robust() -> None:
    """A few wild samples do not turn it."""
    points = [(float(number), 2.0 * number) for number in range(50)]
    points[10], points[40] = (10.0, 1e6), (40.0, -1e6)

    assert slope(points) == pytest.approx(2.0)
    assert slope([(1.0, 1.0)]) == 0.0


def test_a_process_is_looked_at_from_outside(tmp_path: Path) -> None:
    """Its memory, descriptors and threads, and the files beside it; one that is gone gives nothing."""
    (tmp_path / "sojourn.db").write_bytes(b"x" * 100)
    (tmp_path / "sojourn.db-wal").write_bytes(b"x" * 10)
    found = sample("me", os.getpid(), tmp_path)

    assert found is not None
    assert found.rss_kib > 1_000
    assert found.threads >= 1
    assert found.descriptors >= 3
    assert (found.database_bytes, found.wal_bytes) == (100, 10)
    assert sample("nobody", 2**22 + 1) is None


@pytest.mark.slow
def test_a_short_real_run_is_looked_at_throughout(tmp_path: Path) -> None:
    """Seconds say nothing about growth; they say that the run works."""
    result = part.run(Scale(directory=tmp_path, minutes=0.06))

    assert result.line.startswith("soak: 0.06 min, ")
    assert "database" in result.line
    assert not any("starts" in text for text in result.details)
