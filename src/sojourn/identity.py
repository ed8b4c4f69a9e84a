"""How things are numbered and named: task ids, request ids, instance ids.

A task's number is time-ordered: milliseconds since 2026-01-01, a node number, a counter. So a page of tasks is a range,
a day is a range, and inserts stay at the right edge of the index. A request id is derived from such a number and can
be turned back into it: a task whose caller chose no id is found by its request id without any index. Pure: time
comes in as an argument.
"""

from __future__ import annotations

import re
from functools import lru_cache

EPOCH_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z in milliseconds since 1970."""
NODE_BITS, SEQUENCE_BITS = 10, 12
_SHIFT = NODE_BITS + SEQUENCE_BITS
_MASK_64 = (1 << 64) - 1
_REQUEST_ID = re.compile(r"1-([0-9a-f]{8})-([0-9a-f]{8})-([0-9a-f]{12})")


class Numbers:
    """Makes numbers for one node, each greater than the one before, also when the clock steps back."""

    def __init__(self, node: int = 0, last: int = 0) -> None:
        self._node = node << SEQUENCE_BITS
        self._last = last

    def next(self, now: int) -> int:
        """A new number at `now` (microseconds since 1970)."""
        number = (max(now // 1_000 - EPOCH_MS, 0) << _SHIFT) | self._node
        if number <= self._last:
            number = self._last + 1
            if (number ^ self._last) >> SEQUENCE_BITS:  # the counter ran over: borrow from the next millisecond
                number = (((self._last >> _SHIFT) + 1) << _SHIFT) | self._node
        self._last = number
        return number


def made_at(number: int) -> int:
    """About when a number was made, microseconds since 1970."""
    return ((number >> _SHIFT) + EPOCH_MS) * 1_000


def number_at(at: int) -> int:
    """The lowest number that can have been made at that time, microseconds since 1970."""
    return min(max(at // 1_000 - EPOCH_MS, 0) << _SHIFT, _MASK_64 >> 1)


@lru_cache(maxsize=4096)
def request_id(number: int) -> str:
    """The request id of `number`, in the form of Function Compute's own (`1-…-…-…`)."""
    return f"1-{number >> 32:08x}-{number & 0xFFFFFFFF:08x}-{_mixed(number) & 0xFFFFFFFFFFFF:012x}"


def number_of(text: str) -> int | None:
    """The number a request id was made from, None when it is not one of ours."""
    match = _REQUEST_ID.fullmatch(text)
    if match is None:
        return None
    number = int(match[1] + match[2], 16)
    return number if request_id(number) == text else None


def fraction(number: int) -> float:
    """A number in [0, 1) that looks like chance and is always the same for `number`."""
    return _mixed(number) / (_MASK_64 + 1)


def _mixed(number: int) -> int:
    """A fixed scramble of 64 bits, so that a mistyped id is not somebody else's task (splitmix64's finalizer)."""
    mixed = (number + 0x9E3779B97F4A7C15) & _MASK_64
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK_64
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK_64
    return mixed ^ (mixed >> 31)
