"""Chance: every draw of a run, made from its seed, and the tape of the faults that came of it.

A draw depends on the seed, the place that draws and how often that place drew before, and on nothing else. So a fault
can be taken out of a run (`muted`) and the others stay, as far as the run still comes by their places: that is what
lets a failure be shrunk. Nothing depends on the hash seed of the process.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")

_MASK = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15


class Chance:
    """The draws of one run.

    `rates` says how often each fault happens where it may; one that is not named never does. `on_fault(name)` is told
    of each. `active` False ends all faults. `boost()` multiplies the rates, for moments that are rare.
    """

    def __init__(self, seed: int, muted: Collection[str] = ()) -> None:
        self._seed = (seed * _STEP + 1) & _MASK
        self._muted = frozenset(muted)
        self._counts: dict[str, int] = {}
        self._keys: dict[str, int] = {}
        self.rates: Mapping[str, float] = {}
        self.tape: list[str] = []
        self.faults = 0
        self.active = True
        self.on_fault: Callable[[str], None] = lambda _: None
        self.boost: Callable[[], float] = lambda: 1.0

    def draw(self, place: str) -> float:
        """A number from [0, 1)."""
        count = self._counts.get(place, 0)
        self._counts[place] = count + 1
        key = self._keys.get(place)
        if key is None:
            key = self._keys[place] = zlib.crc32(place.encode()) * _STEP
        mixed = (self._seed ^ key) + count * _STEP & _MASK
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((mixed ^ (mixed >> 31)) >> 11) / (1 << 53)

    def between(self, place: str, low: float, high: float) -> float:
        """A number from [low, high)."""
        return low + (high - low) * self.draw(place)

    def spread(self, place: str, low: float, high: float) -> float:
        """A number from [low, high) whose order of magnitude is drawn."""
        return float(low * (high / low) ** self.draw(place))

    def whole(self, place: str, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self.draw(place) * (high - low + 1))

    def one_of(self, place: str, choices: Sequence[T]) -> T:
        """One of them."""
        return choices[int(self.draw(place) * len(choices))]

    def weighted(self, place: str, choices: Mapping[T, float]) -> T:
        """One of them, each as often as its weight says."""
        left = self.draw(place) * sum(choices.values())
        for choice, weight in choices.items():
            left -= weight
            if left < 0:
                return choice
        return choice

    def coin(self, place: str, share: float = 0.5) -> bool:
        """True for `share` of the draws."""
        return share > 0 and self.draw(place) < share

    def fault(self, name: str) -> bool:
        """Whether the fault `name` happens here and now."""
        rate = self.rates.get(name, 0.0)
        if not rate or not self.active:
            return False
        return self.draw(name) < rate * self.boost() and self.happens(name)

    def happens(self, name: str) -> bool:
        """Put a fault on the tape; False when it is muted."""
        if not self.active or not self.step(name):
            return False
        self.faults += 1
        self.on_fault(name)
        return True

    def step(self, name: str) -> bool:
        """Put something that a failure might do without on the tape; False when it is muted."""
        count = self._counts[f"tape {name}"] = self._counts.get(f"tape {name}", 0) + 1
        entry = f"{name}#{count}"
        if entry in self._muted:
            return False
        self.tape.append(entry)
        return True
