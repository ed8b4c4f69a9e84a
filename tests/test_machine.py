"""How a table is walked, questioned and drawn, on a table small enough to check by eye."""

from __future__ import annotations

from enum import Enum

import pytest

from sojourn import machine
from sojourn.errors import IllegalFact


class Lamp(Enum):
    """A lamp's life."""

    OFF = "Off"
    ON = "On"
    BROKEN = "Broken"


class Bought:
    """It is there."""


class Pressed:
    """Its switch was pressed."""


class Flickered:
    """It went off by itself."""


class Dropped:
    """It fell."""


TABLE: machine.Table[Lamp] = {
    (None, Bought): Lamp.OFF,
    (Lamp.OFF, Pressed): Lamp.ON,
    (Lamp.ON, Pressed): Lamp.OFF,
    (Lamp.ON, Flickered): Lamp.OFF,
    (Lamp.ON, Dropped): Lamp.BROKEN,
}


def test_a_step_follows_the_table() -> None:
    """A fact that has a row leads to the row's status."""
    assert Lamp.OFF is machine.step(TABLE, None, Bought())
    assert Lamp.ON is machine.step(TABLE, Lamp.OFF, Pressed())


@pytest.mark.parametrize(("status", "fact"), [(Lamp.BROKEN, Pressed()), (Lamp.OFF, Dropped()), (None, Pressed())])
def test_a_step_that_the_table_lacks_is_illegal(status: Lamp | None, fact: object) -> None:
    """Nothing is allowed until a row allows it; the error tells status and fact."""
    with pytest.raises(IllegalFact) as caught:
        machine.step(TABLE, status, fact)

    assert (status and status.value, fact) == (caught.value.status_was, caught.value.fact)
    assert f"no transition from {status and status.value} on {type(fact).__name__}" == str(caught.value)


def test_edges_are_the_pairs_of_the_table() -> None:
    """Two facts between the same statuses are one edge."""
    expected = {(None, Lamp.OFF), (Lamp.OFF, Lamp.ON), (Lamp.ON, Lamp.OFF), (Lamp.ON, Lamp.BROKEN)}

    assert expected == machine.edges(TABLE)


def test_terminal_is_what_nothing_follows() -> None:
    """Only the broken lamp stays as it is."""
    assert {Lamp.BROKEN} == machine.terminal(TABLE, Lamp)


def test_reachable_follows_the_arrows_only_forwards() -> None:
    """A loop does not trap the search, and nothing leads out of a terminal status."""
    assert set(Lamp) == machine.reachable(TABLE, None)
    assert set(Lamp) == machine.reachable(TABLE, Lamp.ON)
    assert set() == machine.reachable(TABLE, Lamp.BROKEN)


def test_the_diagram_has_one_arrow_per_edge_with_its_facts() -> None:
    """The drawing shows the start, every edge once, and the ends."""
    expected = """\
stateDiagram-v2
    [*] --> Off: Bought
    Off --> On: Pressed
    On --> Off: Pressed / Flickered
    On --> Broken: Dropped
    Broken --> [*]
"""

    assert expected == machine.mermaid(TABLE, Lamp)
