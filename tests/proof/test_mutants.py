"""Mutants: each is noticed by the simulation, here those that few seeds are enough for."""

from __future__ import annotations

from pathlib import Path

import pytest
from proof.mutants import part
from proof.mutants.mutant import MUTANTS, applied, swap
from proof.mutants.part import kill
from proof.result import Scale
from proof.simulation.seed import run

from sojourn import executor, task

SOON = (
    "no epoch check in apply",
    "a submission is acknowledged before its commit",
    "dedupe outside the transaction",
    "Running after the call",
    "outbox outside the transaction",
    "freeze without thaw",
    "PreStop twice",
    "Initializer twice",
    "a stop proves nothing",
    "losses are charged to retries",
    "memory is counted late",
)


@pytest.mark.parametrize("name", SOON)
def test_a_mutant_is_noticed(name: str) -> None:
    """Within a few seeds."""
    killed = kill(name, seeds_max=6)

    assert killed.seeds, name


def test_there_are_as_many_as_promised() -> None:
    """At least 40; and the ones that are tried here are among them."""
    assert len(MUTANTS) >= 40
    assert set(SOON) <= set(MUTANTS)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_leaves_nothing_behind(name: str) -> None:
    """It applies to the product as it is, and afterwards the product is as it was."""
    before = task.advance, task.TRANSITIONS, task.LOSSES_MAX
    with applied(name):
        pass

    assert (task.advance, task.TRANSITIONS, task.LOSSES_MAX) == before


def test_a_guard_that_moved_makes_its_mutant_fail() -> None:
    """A patch of something that is not there is no mutant."""
    with pytest.raises(AttributeError), swap(task, "no_such_guard", None):
        pass


def test_a_mutant_whose_own_code_fails_is_no_kill(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A product that was changed under it would make it look noticed."""
    for name in list(MUTANTS):
        monkeypatch.delitem(MUTANTS, name)
    monkeypatch.setitem(MUTANTS, "stale", lambda: [swap(executor, "judge", lambda: None)])
    result = part.run(Scale(share=0.01, directory=tmp_path))

    assert result.line.startswith("mutants: 0/1; ")
    assert not result.ok
    assert "stale does not fit the product any more" in result.details[0]


def test_without_a_mutant_the_seeds_hold() -> None:
    """What kills mutants is silent about the product."""
    assert [run(seed).violations for seed in range(1, 4)] == [[], [], []]
