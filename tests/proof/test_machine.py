"""Drawn histories and concurrent callers: silent about the product, and not about one with a fault in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from proof.machine import callers, part
from proof.machine.elsewhere import factories
from proof.machine.linear import Operation, order
from proof.result import Scale


def test_every_installed_store_is_driven() -> None:
    """Those of the entry points, and the plain one."""
    assert set(factories()) >= {"reference", "sqlite"}


@pytest.mark.parametrize("store", factories())
def test_a_store_shows_what_the_documentation_says(store: str, tmp_path: Path) -> None:
    """A few examples."""
    driven = part.drive(part.Order(store, "", 6, 30, 1, tmp_path))

    assert driven.difference == ""
    assert sum(driven.done.values()) > 60


@pytest.mark.parametrize("planted", ["a due time is not looked at", "losses are charged to retries", "no timeout"])
def test_a_planted_fault_shows(planted: str, tmp_path: Path) -> None:
    """As a difference, with the rules that lead to it."""
    driven = part.drive(part.Order("reference", planted, 40, 60, 1, tmp_path))

    assert "Difference: " in driven.difference
    assert "state.submit" in driven.difference or "state.burst" in driven.difference


def test_concurrent_clients_see_one_order(tmp_path: Path) -> None:
    """A few tasks of a real server."""
    result = callers.run(Scale(share=0.03, directory=tmp_path))

    assert result.ok, result.details
    assert result.line.startswith("linearizability: 5 histories of 4 clients, 60 operations, ")


ENDED = ("Enqueued", "Dequeued", "Running", "Succeeded")
STOPPED = ("Enqueued", "Stopping", "Stopped")


def test_overlapping_operations_may_take_effect_either_way() -> None:
    """A read beside a submit sees it or does not; a stop beside the end wins or does not."""
    submit, early = Operation("submit", 0, 5), Operation("get", 1, 2, "AsyncTaskNotFound")

    assert order(ENDED, [submit, early]) == [1, 0]
    assert order(ENDED, [submit, Operation("get", 1, 2, "", ENDED[:1])]) == [0, 1]
    assert order(ENDED, [submit, Operation("submit", 0, 5, "AsyncTaskAlreadyExists")]) == [0, 1]
    assert order(ENDED, [submit, Operation("stop", 6, 7, "AsyncTaskAlreadyCompleted")]) is not None
    assert order(STOPPED, [submit, Operation("stop", 6, 7), Operation("stop", 6, 7)]) is not None


@pytest.mark.parametrize(
    ("history", "operations"),
    [
        (ENDED, [Operation("submit", 0, 1), Operation("get", 2, 3, "AsyncTaskNotFound")]),
        (ENDED, [Operation("submit", 0, 1), Operation("submit", 2, 3)]),
        (ENDED, [Operation("submit", 0, 1), Operation("stop", 2, 3)]),
        (STOPPED, [Operation("submit", 0, 1), Operation("stop", 2, 3, "AsyncTaskAlreadyCompleted")]),
        (STOPPED, [Operation("submit", 0, 1), Operation("stop", 2, 3), Operation("get", 4, 5, "", STOPPED[:1])]),
        (
            ENDED,
            [Operation("submit", 0, 1), Operation("get", 2, 3, "", ENDED[:3]), Operation("get", 4, 5, "", ENDED[:2])],
        ),
    ],
    ids=["unseen", "twice", "stopped and ended", "stopped by nobody", "stop undone", "backwards"],
)
def test_answers_that_no_order_explains_are_found(history: tuple[str, ...], operations: list[Operation]) -> None:
    """Each of them is a race that was lost."""
    assert order(history, operations) is None
