"""The gate: who may start next. Tasks and synchronous calls pass it alike.

It asks those whose turn it is, in order, whether they can begin; `turns` knows the order, `pool` whether there is an
instance. Whoever is first and is refused for want of capacity is the head. When the head has waited for
`PATIENCE_SECONDS`, what becomes free is kept for it: so a function with large instances is not overtaken for ever by
small ones, and a warm instance goes to the function whose turn it is although its own has more to do. Before that, it
does not, because a new instance costs more than a short wait.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from enum import Enum

from .clock import Clock
from .function import Function
from .pool import Pool
from .turns import Turns

PATIENCE_SECONDS = 0.05
OWED_MAX = 16.0
"""Turns after which one that is behind is patient no more."""


class Begun(Enum):
    """What came of a turn."""

    STARTED = "started"
    NOTHING = "nothing is due"
    LIMITED = "the function's own limit is reached"
    STARTING = "enough of its instances are being made"
    FULL = "there is no capacity"


class Gate:
    """Turns, and what is kept for the head.

    `function_of` gives the function of an id as it stands now.
    """

    def __init__(self, pool: Pool, clock: Clock, function_of: Callable[[int], Function]) -> None:
        self._pool, self._clock, self._function_of = pool, clock, function_of
        self._turns = Turns()
        self._newcomers: dict[str, set[int]] = {}
        self._head: int | None = None
        self._head_since = 0.0
        pool.on_last_gone = self._lost_its_last
        pool.wanted = self._turns.__contains__
        pool.pressed = lambda: self._head is not None

    @property
    def open(self) -> bool:
        """Whether nobody waits here."""
        return not self._turns

    def want(self, function_id: int) -> None:
        """Something of this function could start."""
        function = self._function_of(function_id)
        config = function.async_config
        self._turns.add(function_id, function.account_id, config.queue_weight if config is not None else 1)
        if function_id not in self._pool.fleet.groups:
            self._newcomers.setdefault(function.account_id, set()).add(function_id)

    def _lost_its_last(self, function_id: int) -> None:
        if function_id in self._turns:
            self.want(function_id)

    def round(self, begin: Callable[[int], Begun]) -> None:
        """Give turns until nobody can use one; `begin` lets a function take one."""
        capacity = self._pool.capacity
        capacity.book(None)
        waited = self._head is not None and not self._patience_seconds()
        head: int | None = None
        with contextlib.closing(self._turns.round()) as turning:
            for function_id in turning:
                if head is None and (
                    (waited and function_id == self._head) or self._turns.owed(function_id) >= OWED_MAX
                ):
                    capacity.book(self._function_of(function_id))
                begun = begin(function_id)
                if begun is Begun.FULL:
                    head = function_id if head is None else head
                    if self._pool.busy and capacity.closed:  # nothing is left, but for newcomers
                        break
                elif begun is Begun.STARTED:
                    self._turns.charge()
                elif begun is not Begun.STARTING:
                    self._turns.drop(function_id)
        self._let_newcomers(begin)
        if head != self._head:
            capacity.book(None)
            self._head, self._head_since = head, self._clock.monotonic()

    def _let_newcomers(self, begin: Callable[[int], Begun]) -> None:
        """Ask those who have no instance and whom the round has not reached: a part of the room is kept for them."""
        pool = self._pool
        for account_id, waiting in list(self._newcomers.items()):
            if pool.busy and pool.capacity.closed_to(account_id):
                continue
            for function_id in self._turns.in_order(waiting):
                if function_id not in pool.fleet.groups and begin(function_id) is Begun.STARTED:
                    self._turns.serve(function_id)
            left = {each for each in waiting if each in self._turns and each not in pool.fleet.groups}
            if left:
                self._newcomers[account_id] = left
            else:
                del self._newcomers[account_id]

    def rest_seconds(self) -> float | None:
        """After which time a round is due although nothing happens; None for never."""
        return None if self._head is None else self._patience_seconds() or None

    def _patience_seconds(self) -> float:
        return max(self._head_since + PATIENCE_SECONDS - self._clock.monotonic(), 0.0)
