"""Statistics: what is counted and where, that a day costs no more than a minute, and what a start knows."""

from __future__ import annotations

import pytest

from sojourn import statistics as module
from sojourn.clock import MICROSECONDS_PER_SECOND, SystemClock
from sojourn.statistics import BOUNDS, WINDOWS, Statistics, percentiles
from sojourn.task import (
    Claimed,
    Failure,
    Faltered,
    GaveUp,
    Returned,
    Started,
    Status,
    Success,
    Task,
    advance,
    submit,
)

SECOND = MICROSECONDS_PER_SECOND
START = 1_800_000_000 * SECOND


class SetClock(SystemClock):
    """Stands still, but for what a test sets it forward."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> int:
        """Microseconds since 1970."""
        return self.at


class Story:
    """Tasks of functions whose steps are counted."""

    def __init__(self) -> None:
        self.clock = SetClock()
        self.kept = Statistics(self.clock)
        self._number = 0

    def submit(self, function_id: int = 1) -> Task:
        """A task is submitted now."""
        self._number += 1
        task = submit(Task(id=self._number, account_id="a", function_id=function_id, generation=1), self.clock.at)
        self.kept.moved(None, task)
        return task

    def step(self, task: Task, *facts: object) -> Task:
        """Facts happen to it in one commit, now."""
        after = task
        for fact in facts:
            after = advance(after, fact, self.clock.at)  # type: ignore[arg-type]  # any of them
        self.kept.moved(task, after)
        return after

    def life(self, function_id: int = 1, wait: float = 0, run: float = 0) -> None:
        """One that waits and runs for so many seconds, and succeeds."""
        task = self.submit(function_id)
        self.pass_(wait)
        task = self.step(task, Claimed(1), Started("i"))
        self.pass_(run)
        self.step(task, Returned(Success(result=b"")))

    def pass_(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.at += int(seconds * SECOND)


def test_waits_and_runs() -> None:
    """A task waits once, until its first start; each attempt that ends by itself is a run."""
    story = Story()
    task = story.submit()
    story.pass_(2)
    task = story.step(task, Claimed(1), Started("i"))
    story.pass_(1)
    failure = Failure(kind="k", type="t", message="m")
    task = story.step(task, Faltered(failure, story.clock.at))
    story.pass_(3)
    task = story.step(task, Started("i"))
    story.pass_(4)
    story.step(task, GaveUp(failure))
    found = story.kept.within(1, 60)
    assert (sum(found.waits), sum(found.runs)) == (1, 2)
    (wait,) = percentiles(found.waits.tolist(), (1.0,))
    low, high = percentiles(found.runs.tolist(), (0.5, 1.0))
    assert [None not in (wait, low, high), 2 <= (wait or 0) <= 3, 1 <= (low or 0) <= 1.5, 4 <= (high or 0) <= 6] == [
        True
    ] * 4


@pytest.mark.parametrize("name", WINDOWS)
def test_a_window_holds_its_own_time(name: str) -> None:
    """To within a bucket; what happened before is not in it."""
    story, seconds = Story(), WINDOWS[name]
    story.life()
    story.pass_(seconds / 2)
    story.life()
    assert story.kept.within(1, seconds).submitted == 2
    story.pass_(seconds * 0.9)
    story.life()
    assert story.kept.within(1, seconds).submitted == 2
    story.pass_(seconds * 3)
    assert story.kept.within(1, seconds).submitted == 0
    assert story.kept.within(2, seconds).submitted == 0


def test_steady_work_is_counted_once_in_every_window() -> None:
    """A life each 10 seconds for more than a day: the finer buckets are added to the coarser ones, none twice."""
    story = Story()
    for _ in range(9_000):
        story.life(run=0.01)
        story.pass_(9.99)
    for name, seconds in WINDOWS.items():
        found = story.kept.within(1, seconds)
        assert abs(found.submitted - seconds / 10) <= 181 * (name == "1d") + 1, name
        assert found.ended[Status.SUCCEEDED] == found.submitted == sum(found.runs) == sum(found.waits)


def test_the_past_of_few_functions_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that did something last."""
    monkeypatch.setattr(module, "FUNCTIONS_MAX", 2)
    story = Story()
    for function_id in (1, 2, 1, 3):
        story.submit(function_id)
    assert [story.kept.within(each, 60).submitted for each in (1, 2, 3)] == [2, 0, 1]


def test_percentiles() -> None:
    """Within their bucket; None for nothing."""
    counts = [0] * (len(BOUNDS) + 1)
    assert list(percentiles(counts, (0.5, 0.95))) == [None, None]
    counts[3], counts[10] = 90, 10
    middle, high = percentiles(counts, (0.5, 0.99))
    assert BOUNDS[2] < (middle or 0) < BOUNDS[3]
    assert BOUNDS[9] < (high or 0) < BOUNDS[10]
    counts[-1] = 1_000
    assert next(percentiles(counts, (0.99,))) or BOUNDS[-1] < 0
