"""The exhaustive walks: silent about the product's tables, and not about tables and protocols with a guard less."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from proof.model import guards, instances, part
from proof.model.protocol import Bounds, Protocol
from proof.model.walk import Walk
from proof.result import Scale

from sojourn.task import LEGAL_STEPS


@pytest.mark.parametrize("bounds", part.SMALL, ids=lambda bounds: f"{bounds.nodes} nodes")
def test_the_product_has_no_wrong_and_no_stuck_state(bounds: Bounds) -> None:
    """Two nodes with a fault, three without: every state is looked at."""
    found = Walk(Protocol(bounds)).run()

    assert (found.violations, found.stuck, found.traces) == ({}, 0, {})
    assert found.states > 10_000


@pytest.mark.parametrize("name", guards.GUARDS)
def test_a_missing_guard_is_found(name: str) -> None:
    """Each guard that is left out breaks what it is there for, and the shortest way to it is told."""
    found = guards.walk_without(name)

    assert guards.finds(name, found), found
    assert all(found.traces.values())


def test_the_walk_takes_every_row_of_the_table() -> None:
    """No row of the product's table is outside of what the model brings about."""
    protocol = Protocol(Bounds(faults_max=1, stops=0b01, ages=0b01))
    Walk(protocol).run()
    taken = set()
    for row in protocol.rows.tasks[1:]:
        assert row is not None
        path = [None, *(event.status for event in row.events)]
        taken |= set(itertools.pairwise(path))

    wanted = {(before and before.value, after.value) for before, after in LEGAL_STEPS}
    assert taken == wanted


@pytest.mark.parametrize("name", instances.GUARDS)
def test_a_row_that_instances_must_not_have_is_found(name: str) -> None:
    """The observer notices what the row would let user code go through."""
    assert instances.found_without(name)


def test_the_instance_table_is_sound(tmp_path: Path) -> None:
    """As it stands, nothing is wrong with it."""
    result = instances.run(Scale(directory=tmp_path))

    assert result.ok, result.details
    assert "0 violations, 0 stuck" in result.line
