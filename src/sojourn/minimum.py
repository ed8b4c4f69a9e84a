"""The minimum: instances that a function always has (FC: provision and scaling configurations).

They are made ahead of demand, again when one dies or the function changes, and after a restart. They are subject to the
budget and take no room from others' minimum; others take theirs only when nothing else rests. One that cannot start is
tried again after a growing wait, never in a loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .fleet import Fleet, Instance
from .function import Function
from .instance import Status

RETRY_SECONDS, RETRY_SECONDS_MAX = 1.0, 60.0


class Minimum:
    """Which functions have a minimum, and what is missing of it.

    `begin(function)` begins an instance ahead of demand and says whether there was room.
    """

    def __init__(self, fleet: Fleet, begin: Callable[[Function], bool]) -> None:
        self._fleet, self._begin = fleet, begin
        self._wanted: dict[int, Function] = {}
        self._failures: dict[int, int] = {}
        self._errors: dict[int, str] = {}
        self._waiting: dict[int, asyncio.TimerHandle] = {}
        self._lacking: set[int] = set()
        self._closed = False

    def change(self, function: Function) -> None:
        """A function is as it is from now on."""
        self._forget(function.id)
        if target_of(function):
            self._wanted[function.id] = function
            self._fill(function.id)
        else:
            self._wanted.pop(function.id, None)

    def close(self) -> None:
        """Make no more."""
        self._closed = True
        for function_id in list(self._waiting):
            self._forget(function_id)

    def gone(self, function_id: int) -> None:
        """An instance of a function went."""
        if function_id in self._wanted:
            self._fill(function_id)

    def freed(self) -> None:
        """There may be room."""
        for function_id in list(self._lacking):
            self._fill(function_id)

    def failed(self, function_id: int, error: str) -> None:
        """An instance could not be made ready: the next one has to wait."""
        if function_id not in self._wanted or self._closed:
            return
        self._errors[function_id] = error
        failures = self._failures[function_id] = self._failures.get(function_id, 0) + 1
        if function_id not in self._waiting:
            seconds = min(RETRY_SECONDS * 2.0 ** (failures - 1), RETRY_SECONDS_MAX)
            loop = asyncio.get_running_loop()
            self._waiting[function_id] = loop.call_later(seconds, self._again, function_id)

    def succeeded(self, function_id: int) -> None:
        """An instance is ready."""
        if function_id in self._failures:
            self._forget(function_id)
            self._fill(function_id)

    def keeps(self, used: Instance, others_going: int = 0) -> bool:
        """Whether an instance is one of those its function always has."""
        function = self._wanted.get(used.function.id)
        if function is None or used.retired or not used.serves(function):
            return False
        return self._fleet.groups[used.function.id].staying - others_going <= target_of(function)

    def awake(self, used: Instance) -> bool:
        """Whether an instance is kept with its CPU (alwaysAllocateCPU)."""
        function = self._wanted.get(used.function.id)
        if function is None or function.provision is None or not function.provision.always_allocate_cpu:
            return False
        awake = [each for each in self._fleet.of(used.function.id) if each is not used and _awake(each)]
        return len(awake) < function.provision.target

    def error(self, function_id: int) -> str:
        """Why the last instance could not be made; "" when all is well."""
        if function_id in self._errors:
            return self._errors[function_id]
        return "no capacity is left for it" if function_id in self._lacking else ""

    def _fill(self, function_id: int) -> None:
        self._lacking.discard(function_id)
        function = self._wanted.get(function_id)
        if function is None or self._closed or function_id in self._waiting:
            return
        while True:
            group = self._fleet.groups.get(function_id)
            if (group.staying if group else 0) >= target_of(function):
                return
            if not self._begin(function):
                self._lacking.add(function_id)
                return

    def _again(self, function_id: int) -> None:
        del self._waiting[function_id]
        self._fill(function_id)

    def _forget(self, function_id: int) -> None:
        self._failures.pop(function_id, None)
        self._errors.pop(function_id, None)
        self._lacking.discard(function_id)
        if (timer := self._waiting.pop(function_id, None)) is not None:
            timer.cancel()


def _awake(each: Instance) -> bool:
    return each.gone is None and each.status not in (Status.FREEZING, Status.FROZEN)


def target_of(function: Function) -> int:
    """How many instances a function always has; never more than may run at a time."""
    if function.reserved_concurrency is None:
        return function.min_instances
    return min(function.min_instances, function.reserved_concurrency)
