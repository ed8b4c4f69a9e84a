"""When a task is due again: after an error of the function, and after a loss of ours."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn.task import LOSSES_MAX, Backoff, Faltered, Status, judge
from task_samples import ERROR, LOSS, NOW, SECOND, task_in


def test_a_retry_is_due_after_the_backoff() -> None:
    """The due time is now plus the wait that belongs to the number of errors so far."""
    task = msgspec.structs.replace(task_in(Status.RUNNING), retries=2)
    fact = judge(task, ERROR, NOW, Backoff(base_seconds=1, cap_seconds=300, jitter=0.5), 1.0)

    assert Faltered(ERROR, NOW + 6 * SECOND) == fact


def test_the_first_loss_costs_no_wait() -> None:
    """What we lost is run again at once; a task that is lost over and over waits like one that fails."""
    waits = []
    for losses in range(LOSSES_MAX):
        task = msgspec.structs.replace(task_in(Status.RUNNING), losses=losses, retries=2)
        fact = judge(task, LOSS, NOW, Backoff(base_seconds=1, cap_seconds=300, jitter=0.5), 1.0)
        assert isinstance(fact, Faltered)
        waits.append((fact.due_at - NOW) / SECOND)

    assert waits == [0, 1.5, 3]


@given(st.integers(0, 5_000), st.floats(-1, 1), st.floats(0, 60), st.floats(0, 900), st.floats(0, 1))
@settings(deadline=None)
def test_backoff_stays_within_its_bounds(retry: int, spread: float, base: float, cap: float, jitter: float) -> None:
    """A wait is never negative, never above the cap and its jitter, and never below the doubled base and its jitter."""
    delay = Backoff(base_seconds=base, cap_seconds=cap, jitter=jitter).delay(retry, spread)
    nominal = min(base * 2.0 ** min(retry, 30), cap) * SECOND

    assert nominal * (1 - jitter) - 1 <= delay <= nominal * (1 + jitter) + 1
    assert delay >= 0


def test_the_default_backoff_doubles_up_to_its_cap() -> None:
    """1, 2, 4 … seconds, at most 300."""
    delays = [Backoff().delay(retry, 0.0) // SECOND for retry in range(12)]

    assert delays == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
