"""The instance table: every cell, and what a life can come to."""

from __future__ import annotations

import pytest

from sojourn import instance, machine
from sojourn.errors import IllegalFact
from sojourn.instance import LIVE, TERMINAL, TRANSITIONS, Status

CELLS = {
    ("Creating", "Created"): "Initializing",
    ("Creating", "StopBegun"): "Stopping",
    ("Creating", "Died"): "Destroyed",
    ("Initializing", "Initialized"): "Idle",
    ("Initializing", "StopBegun"): "Stopping",
    ("Initializing", "Died"): "Destroyed",
    ("Idle", "Invoked"): "Invoking",
    ("Idle", "FreezeBegun"): "Freezing",
    ("Idle", "StopBegun"): "Stopping",
    ("Idle", "Died"): "Destroyed",
    ("Invoking", "Invoked"): "Invoking",
    ("Invoking", "Released"): "Idle",
    ("Invoking", "StopBegun"): "Stopping",
    ("Invoking", "Died"): "Destroyed",
    ("Freezing", "FrozenNow"): "Frozen",
    ("Freezing", "StopBegun"): "Stopping",
    ("Freezing", "Died"): "Destroyed",
    ("Frozen", "Thawed"): "Idle",
    ("Frozen", "StopBegun"): "Stopping",
    ("Frozen", "Died"): "Destroyed",
    ("Stopping", "Died"): "Destroyed",
}
"""Every cell of the table that leads somewhere; all others must raise."""

FACTS: dict[str, object] = {
    "Created": instance.Created(),
    "Initialized": instance.Initialized(),
    "Invoked": instance.Invoked(),
    "Released": instance.Released(),
    "FreezeBegun": instance.FreezeBegun(),
    "FrozenNow": instance.FrozenNow(),
    "Thawed": instance.Thawed(),
    "StopBegun": instance.StopBegun("idle"),
    "Died": instance.Died(),
}


@pytest.mark.parametrize("fact", FACTS)
@pytest.mark.parametrize("status", Status)
def test_every_cell_moves_as_the_table_says_or_raises(status: Status, fact: str) -> None:
    """No (status, fact) pair is undecided."""
    expected = CELLS.get((status.value, fact))
    if expected is None:
        with pytest.raises(IllegalFact, match=f"{status.value} on {fact}"):
            machine.step(TRANSITIONS, status, FACTS[fact])
    else:
        assert Status(expected) is machine.step(TRANSITIONS, status, FACTS[fact])


def test_the_facts_of_this_test_are_all_facts_there_are() -> None:
    """A new kind of fact cannot slip past the walk over all cells."""
    assert {kind.__name__ for _, kind in TRANSITIONS} == set(FACTS)


def test_every_status_is_reachable_from_creation() -> None:
    """No status is decoration."""
    assert set(Status) == {Status.CREATING} | machine.reachable(TRANSITIONS, Status.CREATING)


def test_destroyed_is_the_only_end() -> None:
    """An instance that is not destroyed can still be ended."""
    assert {Status.DESTROYED} == TERMINAL


@pytest.mark.parametrize("status", LIVE)
def test_a_live_instance_can_be_stopped_and_can_die(status: Status) -> None:
    """Whatever it does, it can be told to go, and it may go by itself."""
    assert Status.STOPPING is machine.step(TRANSITIONS, status, instance.StopBegun("stop"))
    assert Status.DESTROYED is machine.step(TRANSITIONS, status, instance.Died())


def test_what_is_stopping_never_serves_again() -> None:
    """Stopping leads to Destroyed and nowhere else."""
    assert {Status.DESTROYED} == machine.reachable(TRANSITIONS, Status.STOPPING)


def test_the_initializer_runs_before_every_first_handler() -> None:
    """There is no way from Creating to Invoking around Initializing."""
    without = {cell: after for cell, after in TRANSITIONS.items() if after is not Status.INITIALIZING}

    assert Status.INVOKING in machine.reachable(TRANSITIONS, Status.CREATING)
    assert Status.INVOKING not in machine.reachable(without, Status.CREATING)
