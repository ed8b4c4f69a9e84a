"""Turns: whose task is next, by weighted round robin between accounts, then between the functions of each.

Every account and every function has a *pass*, a number that grows with each start: by one for an account, by 1/weight
for a function. The smallest pass is next (stride scheduling, Waldspurger 1995). Who comes anew, or again, begins at the
pass of those who have been served last: absence earns nothing, and nobody waits behind a crowd. A round costs
O(log n) for each function it looks at and does not depend on how many tasks wait.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterable
from heapq import heappop, heappush


class _Turn:
    """A function's place."""

    __slots__ = ("account", "active", "at", "function_id", "stamp", "weight")

    def __init__(self, function_id: int, account: _Account) -> None:
        self.function_id, self.account = function_id, account
        self.at, self.weight = 0.0, 1
        self.active, self.stamp = False, 0


class _Account:
    """An account's place, and those of its functions."""

    __slots__ = ("active", "at", "heap", "listed", "reached")

    def __init__(self) -> None:
        self.at = self.reached = 0.0
        self.active = 0
        self.heap: list[tuple[float, int, _Turn]] = []
        self.listed = False


class Turns:
    """The functions that want a turn."""

    def __init__(self) -> None:
        self._turns: dict[int, _Turn] = {}
        self._accounts: dict[str, _Account] = {}
        self._heap: list[tuple[float, int, _Account]] = []
        self._reached = 0.0
        self._numbers = itertools.count()
        self._active = 0
        self._current: _Turn | None = None
        self._charged = False

    def __len__(self) -> int:
        return self._active

    def __contains__(self, function_id: int) -> bool:
        turn = self._turns.get(function_id)
        return turn is not None and turn.active

    def add(self, function_id: int, account_id: str, weight: int) -> None:
        """A function wants a turn, `weight` of them when others get one; saying so twice is fine."""
        turn = self._turns.get(function_id)
        if turn is None:
            account = self._accounts.get(account_id)
            if account is None:
                account = self._accounts[account_id] = _Account()
            turn = self._turns[function_id] = _Turn(function_id, account)
        turn.weight = weight
        if turn.active:
            return
        turn.active = True
        self._active += 1
        account = turn.account
        if not account.active:
            account.at = max(account.at, self._reached)
        account.active += 1
        turn.at = max(turn.at, account.reached)
        self._list(turn)

    def drop(self, function_id: int) -> None:
        """A function wants no turn for now."""
        turn = self._turns.get(function_id)
        if turn is not None and turn.active:
            turn.active = False
            turn.stamp = -1
            turn.account.active -= 1
            self._active -= 1

    def charge(self) -> None:
        """The function that `round` gave last has had its turn."""
        if self._current is not None:
            self._charged = True
            self._take_turn(self._current)

    def serve(self, function_id: int) -> None:
        """A function had a turn out of its order."""
        turn = self._turns[function_id]
        self._take_turn(turn)
        if turn.active:
            self._list(turn)

    def in_order(self, function_ids: Iterable[int]) -> list[int]:
        """Those of `function_ids` that want a turn, in the order of their turns."""
        turns = [self._turns[function_id] for function_id in function_ids if function_id in self]
        return [turn.function_id for turn in sorted(turns, key=lambda turn: (turn.account.at, turn.at))]

    def owed(self, function_id: int) -> float:
        """How many turns a function, or its account, is behind those that have been served."""
        turn = self._turns[function_id]
        account = turn.account
        return max(self._reached - account.at, (account.reached - turn.at) * turn.weight)

    def round(self) -> Generator[int, None, None]:
        """Functions in the order of their turns, each until it has had enough.

        The caller says for each what came of it before it asks for the next one: `charge` when it had its turn (it
        may get another one in this round), `drop` when it wants none; else it is not asked again in this round.
        """
        aside: list[_Turn] = []
        try:
            while (turn := self._next()) is not None:
                self._current, self._charged = turn, False
                yield turn.function_id
                if not turn.active:
                    continue
                if self._charged:
                    self._list(turn)
                else:
                    aside.append(turn)
        finally:
            self._current = None
            if turn is not None and turn.active and turn.stamp == -1:  # the round was cut short at this one
                aside.append(turn)
            for each in aside:
                if each.active:
                    self._list(each)

    def _take_turn(self, turn: _Turn) -> None:
        account = turn.account
        self._reached, account.reached = max(self._reached, account.at), max(account.reached, turn.at)
        account.at += 1.0
        turn.at += 1.0 / turn.weight

    def _next(self) -> _Turn | None:
        """Take the function whose turn it is out of the lists."""
        while self._heap:
            at, _, account = self._heap[0]
            if at != account.at:  # it has moved since
                heappop(self._heap)
                account.listed = False
                self._list_account(account)
                continue
            while account.heap:
                _, stamp, turn = heappop(account.heap)
                if turn.active and turn.stamp == stamp:
                    turn.stamp = -1
                    return turn
            heappop(self._heap)
            account.listed = False
        return None

    def _list(self, turn: _Turn) -> None:
        turn.stamp = next(self._numbers)
        heappush(turn.account.heap, (turn.at, turn.stamp, turn))
        self._list_account(turn.account)

    def _list_account(self, account: _Account) -> None:
        if not account.listed and account.heap:
            account.listed = True
            heappush(self._heap, (account.at, next(self._numbers), account))
