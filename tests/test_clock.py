"""Clocks: the machine's, and the one that runs faster for tests."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from sojourn.clock import FasterClock, SystemClock, real_seconds, real_timeout_seconds, unscaled


@dataclass
class Hands:
    """A clock that is set by hand."""

    wall: int = 1_800_000_000_000_000
    seconds: float = 100.0

    def now(self) -> int:
        """The wall clock."""
        return self.wall

    def monotonic(self) -> float:
        """The seconds."""
        return self.seconds


def test_the_faster_clock_begins_now_and_then_hurries() -> None:
    """A second is a minute, and a step of the wall clock changes nothing."""
    real = Hands()
    clock = FasterClock(60, real)
    assert clock.now() == real.wall
    real.seconds += 2
    real.wall -= 10_000_000

    assert clock.now() == 1_800_000_000_000_000 + 120 * 1_000_000
    assert clock.monotonic() == real.seconds


def test_waits_are_shorter_by_its_scale() -> None:
    """Only on the faster clock."""
    clock = FasterClock(60, Hands())

    assert real_seconds(clock, 30) == 0.5
    assert real_seconds(Hands(), 30) == 30


@pytest.mark.parametrize(("timeout", "real"), [(600, 10), (60, 1), (3, 1), (1, 1), (0.5, 0.5)])
def test_timeouts_of_user_code_leave_it_a_second(timeout: float, real: float) -> None:
    """Code does not run faster, so a short timeout must not become shorter than it can be kept."""
    assert real_timeout_seconds(FasterClock(60, Hands()), timeout) == real
    assert real_timeout_seconds(Hands(), timeout) == timeout


def test_the_outside_goes_by_the_real_clock() -> None:
    """Dates of signatures are checked against it."""
    real, system = Hands(), SystemClock()

    assert unscaled(FasterClock(60, real)) is real
    assert unscaled(system) is system
