"""Schedules."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sojourn import cron
from sojourn.errors import InvalidArgument

SECOND = 1_000_000


def at(text: str) -> int:
    """Microseconds of an ISO time in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


def firings(expression: str, start: str, count: int = 3) -> list[str]:
    """The next firings after `start`, in UTC."""
    schedule, now, found = cron.parse(expression), at(start), []
    for _ in range(count):
        now = schedule.after(now)
        if not now:
            break
        found.append(datetime.fromtimestamp(now // SECOND, UTC).strftime("%Y-%m-%d %H:%M:%S"))
    return found


@pytest.mark.parametrize(
    ("expression", "start", "expected"),
    [
        ("0 0 4 * * *", "2026-11-24T03:00:00", ["2026-11-24 04:00:00", "2026-11-25 04:00:00"]),
        ("*/20 * * * * *", "2026-11-24T03:00:01", ["2026-11-24 03:00:20", "2026-11-24 03:00:40"]),
        ("30 4 * * *", "2026-11-24T04:30:00", ["2026-11-25 04:30:00", "2026-11-26 04:30:00"]),
        ("0 0 0 1 JAN * 2028", "2026-11-24T00:00:00", ["2028-01-01 00:00:00"]),
        ("0 0 12 ? * MON-FRI", "2026-11-27T12:00:00", ["2026-11-30 12:00:00", "2026-12-01 12:00:00"]),
        ("0 0 0 13 * FRI", "2026-11-01T00:00:00", ["2026-11-06 00:00:00", "2026-11-13 00:00:00"]),
        ("0 0 0 29 2 *", "2026-11-24T00:00:00", ["2028-02-29 00:00:00", "2032-02-29 00:00:00"]),
        ("0 0 0 * * 7", "2026-11-24T00:00:00", ["2026-11-29 00:00:00", "2026-12-06 00:00:00"]),
        ("0 0 0 31 2 *", "2026-11-24T00:00:00", []),
        ("CRON_TZ=Asia/Shanghai 0 0 4 * * *", "2026-11-24T00:00:00", ["2026-11-24 20:00:00", "2026-11-25 20:00:00"]),
        # Clocks in Berlin skip 02:30 on 2027-03-28, and show it twice on 2026-10-25.
        ("CRON_TZ=Europe/Berlin 0 30 2 * * *", "2027-03-27T12:00:00", ["2027-03-28 01:30:00", "2027-03-29 00:30:00"]),
        ("CRON_TZ=Europe/Berlin 0 30 2 * * *", "2026-10-24T12:00:00", ["2026-10-25 00:30:00", "2026-10-26 01:30:00"]),
        ("@every 1h30m", "2026-11-24T00:00:00", ["2026-11-24 01:30:00", "2026-11-24 03:00:00"]),
        ("@every 10s", "2026-11-24T00:00:05", ["2026-11-24 00:00:10", "2026-11-24 00:00:20"]),
    ],
)
def test_firings(expression: str, start: str, expected: list[str]) -> None:
    """Fields, names, steps, years, zones and what clocks do twice a year."""
    assert firings(expression, start, max(len(expected), 1)) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * *",
        "60 * * * * *",
        "* * 24 * * *",
        "* * * 0 * *",
        "* * * * 13 *",
        "* * * * * 8",
        "*/0 * * * * *",
        "5-1 * * * * *",
        "1,,2 * * * * *",
        "@every",
        "@every 0s",
        "@every 5",
        "@daily",
        "CRON_TZ=Mars/Base 0 0 0 * * *",
        "CRON_TZ=../etc/passwd 0 0 0 * * *",
        "* " * 200,
    ],
)
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    """The message names the field."""
    with pytest.raises(InvalidArgument, match="cronExpression"):
        cron.parse(expression)
