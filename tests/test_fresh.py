"""Fresh tasks: kept until they are read once, as they are, and only as many and as large as there is room for."""

from __future__ import annotations

import msgspec
import pytest

from sojourn import fresh
from sojourn.fresh import PAYLOAD_BYTES_MAX, Fresh
from sojourn.task import Task

TASK = Task(id=1, account_id="a", function_id=1, generation=1)


def test_a_task_is_taken_once() -> None:
    """Whoever comes second must read its row."""
    kept = Fresh()
    kept.keep(TASK)

    assert kept.take(1) is TASK
    assert kept.take(1) is None
    assert kept.take(2) is None


def test_large_ones_and_too_many_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded by both."""
    monkeypatch.setattr(fresh, "TASKS_MAX", 2)
    kept = Fresh()
    kept.keep(msgspec.structs.replace(TASK, payload=b"x" * (PAYLOAD_BYTES_MAX + 1)))
    for number in (2, 3, 4):
        kept.keep(msgspec.structs.replace(TASK, id=number, payload=b"x" * PAYLOAD_BYTES_MAX))

    assert [number for number in (1, 2, 3, 4) if kept.take(number) is not None] == [2, 3]
