"""How many executions of a function are in hand, against its reserved concurrency.

Tasks and synchronous calls draw on the same number. A function whose reserved concurrency is 0 runs nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from .function import Function


class Concurrency:
    """Counts of executions in hand, by function; `on_give(function_id)` is called when one of it is over."""

    def __init__(self) -> None:
        self._held: dict[int, int] = {}
        self.on_give: Callable[[int], None] = lambda _: None

    @property
    def total(self) -> int:
        """Executions of all functions."""
        return sum(self._held.values())

    def allows(self, function: Function) -> bool:
        """Whether one more execution of `function` may begin."""
        limit = function.reserved_concurrency
        return limit is None or self._held.get(function.id, 0) < limit

    def held(self, function_id: int) -> int:
        """How many of a function are in hand."""
        return self._held.get(function_id, 0)

    def take(self, function_id: int) -> None:
        """Count one more."""
        self._held[function_id] = self._held.get(function_id, 0) + 1

    def give(self, function_id: int) -> None:
        """Count one less."""
        self._held[function_id] -= 1
        if not self._held[function_id]:
            del self._held[function_id]
        self.on_give(function_id)
