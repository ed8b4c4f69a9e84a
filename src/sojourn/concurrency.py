"""How many executions of a function are in hand, against its reserved concurrency.

Tasks and synchronous calls draw on the same number, and so do all versions of a function. One whose reserved
concurrency is 0, or that is disabled, runs nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from .function import Function


class Concurrency:
    """Counts of executions in hand, by function.

    `on_give(id)` is called when one is over, for the version that it was of and those that were refused meanwhile.
    """

    def __init__(self) -> None:
        self._held: dict[int, int] = {}
        self._refused: dict[int, set[int]] = {}
        self.on_give: Callable[[int], None] = lambda _: None

    @property
    def total(self) -> int:
        """Executions of all functions."""
        return sum(self._held.values())

    def allows(self, function: Function) -> bool:
        """Whether one more execution of `function` may begin."""
        if function.disabled is not None:
            return False
        limit = function.reserved_concurrency
        if limit is None or self._held.get(function.root, 0) < limit:
            return True
        self._refused.setdefault(function.root, set()).add(function.id)
        return False

    def held(self, function: Function) -> int:
        """How many of a function are in hand."""
        return self._held.get(function.root, 0)

    def take(self, function: Function) -> None:
        """Count one more."""
        self._held[function.root] = self._held.get(function.root, 0) + 1

    def give(self, function: Function) -> None:
        """Count one less."""
        root = function.root
        self._held[root] -= 1
        if not self._held[root]:
            del self._held[root]
        self.on_give(function.id)
        for each in self._refused.pop(root, ()):
            if each != function.id:
                self.on_give(each)
