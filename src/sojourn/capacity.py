"""Capacity: how much memory and how many instances there may be, and what is kept free for whom.

Three bounds hold at all times, also while instances start and stop: the sum of instance memory (where a template of a
function with `preload` or `snapshot` counts like an instance), the number of instances, and the starts of one function
at a time. Within them a part is kept back (`headroom`), so that whoever is busy cannot shut out who has nothing yet:

- a function that has instances may not take the last part of the budget, `headroom` of the memory and of the number;
- of that part one half may be taken by the first instance of a function of an account that has instances,
- and the other half only by the first instance of an account. With one account there is no such half.

A booking keeps what becomes free for one function, whose turn it is and which waits for more than is free now.
`pool` carries out what is decided here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from .fleet import Fleet, Instance
from .function import MEMORY_MB_BOUNDS, MEMORY_MB_DEFAULT, Function

STARTS_PER_FUNCTION_MAX = 4
"""Instances of one function that are made at the same time: more would only slow each other down."""


class Capacity:
    """The bounds of a fleet.

    Parameters
    ----------
    fleet: what there is.
    memory_mb, instances_max: the budget.
    headroom: the share of the budget that functions with instances leave alone, from 0 to 0.5. It is at least one
        default instance, unless that is more than a quarter of the budget.
    accounts: how many accounts there are.

    """

    def __init__(
        self, fleet: Fleet, *, memory_mb: int, instances_max: int, headroom: float, accounts: Callable[[], int]
    ) -> None:
        self._fleet, self._accounts = fleet, accounts
        self.memory_mb, self.instances_max = memory_mb, instances_max
        self._kept_mb = self._kept = 0
        if headroom > 0:
            self._kept_mb = int(max(memory_mb * headroom, min(MEMORY_MB_DEFAULT, memory_mb // 4)))
            self._kept = int(max(instances_max * headroom, min(1, instances_max // 4)))
        self._booked: Function | None = None

    @property
    def closed(self) -> bool:
        """Whether not even the smallest instance would fit of a function that has instances."""
        fleet, smallest_mb = self._fleet, MEMORY_MB_BOUNDS[0]
        return (
            len(fleet) + self._kept >= self.instances_max
            or fleet.memory_mb + self._kept_mb + smallest_mb > self.memory_mb
        )

    def closed_to(self, account_id: str) -> bool:
        """Whether not even the smallest instance would fit of a function that has none, in this account."""
        fleet, smallest_mb = self._fleet, MEMORY_MB_BOUNDS[0]
        kept_mb, kept = self._kept_of_newcomers(account_id)
        return len(fleet) + kept >= self.instances_max or fleet.memory_mb + kept_mb + smallest_mb > self.memory_mb

    def _kept_of_newcomers(self, account_id: str) -> tuple[int, int]:
        """The memory and the number that functions without instances leave to accounts without."""
        if account_id in self._fleet.accounts and self._accounts() > 1:
            return self._kept_mb // 2, self._kept // 2
        return 0, 0

    def possible(self, function: Function) -> bool:
        """Whether an instance of `function` could ever fit."""
        size_mb = function.config.memory_size
        return (2 * size_mb if function.config.templated else size_mb) <= self.memory_mb

    def book(self, function: Function | None) -> None:
        """Keep what becomes free for `function`; None lifts it."""
        self._booked = function

    def booked(self, function: Function) -> bool:
        """Whether what becomes free is kept for `function`."""
        return self._booked is not None and self._booked.id == function.id

    def starts_enough(self, function: Function) -> bool:
        """Whether as many instances of `function` are being made as may be."""
        group = self._fleet.groups.get(function.id)
        return group is not None and group.starting >= STARTS_PER_FUNCTION_MAX

    def fits(self, function: Function) -> bool:
        """Whether another instance of `function` may be begun now."""
        memory_mb, number = self._left(function)
        return self._fleet.needed_mb(function) <= memory_mb and number >= 1

    def victims(
        self,
        function: Function,
        spared: Callable[[Instance], bool],
        kept: Callable[[Instance, int], bool],
        *,
        kept_too: bool,
    ) -> list[Instance]:
        """Resting instances that must go for `function` to fit, the longest resting first.

        Nothing when it fits already with those that are going; and nothing when even all would not be enough, unless
        it is booked.

        Parameters
        ----------
        function: who wants to start.
        spared: which ones are left alone.
        kept: whether an instance is one of those its function always has, when so many others of it go.
        kept_too: whether such ones may go, after all others.

        """
        memory_mb, number = self._left(function)
        fleet = self._fleet
        missing = _Missing(fleet.needed_mb(function) - memory_mb - fleet.going_mb, 1 - number - fleet.going)
        if missing.nothing():
            return []
        chosen: list[Instance] = []
        last: list[Instance] = []
        of_function: Counter[int] = Counter()
        for each in self._fleet.resting.values():
            if missing.nothing():
                break
            if spared(each):
                continue
            if kept(each, of_function[each.function.id]):
                last.append(each)
                continue
            of_function[each.function.id] += 1
            chosen.append(each)
            missing.less(each)
        for each in last if kept_too else ():
            if missing.nothing():
                break
            chosen.append(each)
            missing.less(each)
        return chosen if missing.nothing() or self.booked(function) else []

    def _left(self, function: Function) -> tuple[int, int]:
        """The memory and the number that are left for `function`."""
        fleet = self._fleet
        memory_mb, number = self.memory_mb - fleet.memory_mb, self.instances_max - len(fleet)
        if function.id in fleet.groups:
            memory_mb, number = memory_mb - self._kept_mb, number - self._kept
        else:
            kept_mb, kept = self._kept_of_newcomers(function.account_id)
            memory_mb, number = memory_mb - kept_mb, number - kept
        booked = self._booked
        if booked is not None and booked.id != function.id and function.id in fleet.groups:
            memory_mb, number = memory_mb - booked.config.memory_size, number - 1
        return memory_mb, number


class _Missing:
    """What is not there yet."""

    __slots__ = ("memory_mb", "number")

    def __init__(self, memory_mb: int, number: int) -> None:
        self.memory_mb, self.number = memory_mb, number

    def nothing(self) -> bool:
        return self.memory_mb <= 0 and self.number <= 0

    def less(self, going: Instance) -> None:
        self.memory_mb -= going.memory_mb
        self.number -= 1
