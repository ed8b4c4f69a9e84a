"""What a group of measurements is: it opens what it needs, then is asked for round after round, and says what it saw.

`groups/` holds the choices. A group measures and never judges: what a figure is called and what it must be stands in
`figures`. What cannot be measured is told with its reason, figure by figure (`Seen.miss`) or for the whole group
(`NotMeasured`); nothing is guessed and nothing is left out in silence.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

import msgspec

from .options import Options
from .stock import Stocks

Say = Callable[[str], None]


class Seen(msgspec.Struct):
    """What one round saw: values by the keys of `figures`, notes to them, and why others have no value.

    `reason` of a figure that the server does not offer yet says so; `points` are curves, by name: x and y.
    """

    values: dict[str, float] = {}
    notes: dict[str, str] = {}
    missing: dict[str, str] = {}
    points: dict[str, list[tuple[float, float]]] = {}

    def add(self, key: str, value: float, note: str = "") -> None:
        """A figure was measured."""
        self.values[key] = value
        if note:
            self.notes[key] = note

    def miss(self, reason: str, *keys: str) -> None:
        """Figures could not be measured."""
        self.missing |= dict.fromkeys(keys, reason)


class Bench(NamedTuple):
    """What a group is given: how much to measure, filled stores, and whom to tell what comes next."""

    options: Options
    stocks: Stocks
    say: Say


Round = Callable[[], Seen]


class Group(NamedTuple):
    """One group: its name on the command line, how it is opened, and what it may take.

    `rounds_max` bounds the rounds of what takes long or is measured over many samples at once. `seconds_max` is when
    the group is given up.
    """

    name: str
    open: Callable[[Bench], AbstractContextManager[Round]]
    seconds_max: float
    rounds_max: int | None = None
