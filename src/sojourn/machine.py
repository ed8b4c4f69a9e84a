"""How a transition table is walked.

A table maps (status, kind of fact) to the status that follows. A pair that is not in it is illegal: nothing is allowed
until a row allows it. `task` and `instance` write their tables as one literal each; the walk, the questions asked about
a table, and the diagram drawn from it are here, so that the docs and the tests cannot drift from the code.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import TypeVar

from .errors import IllegalFact

S = TypeVar("S", bound=Enum)

Table = Mapping[tuple[S | None, type[object]], S]


def step(table: Table[S], status: S | None, fact: object) -> S:
    """The status after `fact`, or `IllegalFact` when the table has no such row."""
    after = table.get((status, type(fact)))
    if after is None:
        raise IllegalFact(status and status.value, fact)
    return after


def edges(table: Table[S]) -> set[tuple[S | None, S]]:
    """All (from, to) pairs; `None` is the moment before the first status."""
    return {(before, after) for (before, _), after in table.items()}


def terminal(table: Table[S], statuses: Iterable[S]) -> frozenset[S]:
    """The statuses without a row of their own: nothing follows them."""
    begins = {before for before, _ in table}
    return frozenset(status for status in statuses if status not in begins)


def reachable(table: Table[S], start: S | None) -> set[S]:
    """Every status that some sequence of facts leads to from `start`."""
    found: set[S] = set()
    frontier: deque[S | None] = deque([start])
    while frontier:
        here = frontier.popleft()
        for before, after in edges(table):
            if before is here and after not in found:
                found.add(after)
                frontier.append(after)
    return found


def mermaid(table: Table[S], statuses: Iterable[S]) -> str:
    """The table as a Mermaid state diagram, one arrow per (from, to) with its facts."""
    labels: dict[tuple[str, str], list[str]] = {}
    for (before, fact), after in table.items():
        pair = (before.value if before else "[*]", after.value)
        labels.setdefault(pair, []).append(fact.__name__)
    lines = ["stateDiagram-v2"]
    lines += [f"    {before} --> {after}: {' / '.join(facts)}" for (before, after), facts in labels.items()]
    lines += [f"    {status.value} --> [*]" for status in statuses if status in terminal(table, statuses)]
    return "\n".join(lines) + "\n"
