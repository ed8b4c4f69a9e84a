"""Whether what concurrent callers were told of one task fits into one order (a search after Wing and Gong).

A task moves along its history, which is known afterwards: from a submit through events that nobody has to ask for to
its end. Each operation takes effect at one moment between its call and its answer. An order is looked for in which
every answer is right: a read shows the events so far, a submit makes the first, a stop makes Stopping.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .reference import OVER


class Operation(NamedTuple):
    """What one caller asked and was told: `kind` is submit, stop or get, `called` and `answered` are seconds.

    `told` is the code of the refusal, "" for none; `path` the statuses that a read showed.
    """

    kind: str
    called: float
    answered: float
    told: str = ""
    path: tuple[str, ...] = ()


def order(history: Sequence[str], operations: Sequence[Operation]) -> list[int] | None:
    """The places of the operations in an order that explains all their answers; None when there is none."""
    history, chosen = tuple(history), list[int]()
    tried: set[tuple[frozenset[int], int]] = set()

    def search(left: frozenset[int], at: int) -> bool:
        if not left:
            return True
        if (left, at) in tried:
            return False
        tried.add((left, at))
        first_answer = min(operations[place].answered for place in left)
        for place in sorted(left):
            if operations[place].called > first_answer:  # somebody was answered before this one was even asked
                continue
            for moment in range(at, len(history) + 1):
                after = _effect(history, moment, operations[place])
                if after is not None:
                    chosen.append(place)
                    if search(left - {place}, after):
                        return True
                    chosen.pop()
                if not _moves_by_itself(history, moment):
                    break
        return False

    return chosen if search(frozenset(range(len(operations))), 0) else None


def _moves_by_itself(history: Sequence[str], at: int) -> bool:
    """Whether the event after the first `at` comes without anybody's asking."""
    return 0 < at < len(history) and history[at] != "Stopping"


def _effect(history: Sequence[str], at: int, asked: Operation) -> int | None:
    """How many events there are after an operation that takes effect when there are `at`; None: its answer is wrong."""
    expected, after = "", at
    status = history[at - 1] if at else ""
    if asked.kind == "submit":
        expected, after = ("AsyncTaskAlreadyExists", at) if at else ("", 1)
    elif not at:
        expected = "AsyncTaskNotFound"
    elif asked.kind == "get":
        return at if asked.path == tuple(history[:at]) else None
    elif status in OVER:
        expected = "AsyncTaskAlreadyCompleted"
    elif status != "Stopping":
        after = at + 1
        if history[at:after] != ("Stopping",):
            return None
    return after if asked.told == expected else None
