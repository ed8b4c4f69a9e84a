"""When a tree counts as stopped, with trees of the test's making; real ones are in `sandboxes/test_freeze`."""

from __future__ import annotations

import pytest

from sojourn.agent import tree
from sojourn.agent.standstill import Standstill

ROOT = 7


class Made:
    """A tree: the children of each process, and who runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.below: dict[int, list[int]] = {ROOT: []}
        self.running = {ROOT}
        monkeypatch.setattr(tree, "states", lambda pid: {b"R" if pid in self.running else b"T"})
        monkeypatch.setattr(tree, "children", lambda pid: list(self.below.get(pid, ())))
        monkeypatch.setattr(tree, "parent", lambda pid: next(one for one, its in self.below.items() if pid in its))
        monkeypatch.setattr(tree, "send", lambda pid, _: self.running.discard(pid))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    """One process that runs."""
    return Made(monkeypatch)


def walks(standstill: Standstill) -> int:
    """How many it takes, at most 50."""
    return next((number for number in range(1, 50) if standstill.step()), 50)


def test_one_process_stands_after_it_was_looked_at_again(made: Made) -> None:
    """A walk stops it, the next one sees it."""
    assert walks(Standstill(ROOT)) == 2
    assert made.running == set()


def test_a_family_stands_when_walk_after_walk_finds_the_same(made: Made) -> None:
    """Not at once: one of it may have been between two parents."""
    made.below |= {ROOT: [8], 8: [9]}
    made.running |= {8, 9}
    standstill = Standstill(ROOT)
    assert walks(standstill) > 5
    assert standstill.outrun is False


def test_one_that_is_another_at_every_walk_outruns_it(made: Made) -> None:
    """It leaves what it was behind; the tree never counts as stopped, and says why."""
    standstill = Standstill(ROOT)
    for number in range(8, 60):
        made.below[ROOT].append(number)
        assert standstill.step() is False
    assert standstill.outrun is True
    assert walks(standstill) < 20
