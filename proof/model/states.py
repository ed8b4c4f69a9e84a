"""The values a model state is made of: what all share, and what each actor holds for itself."""

from __future__ import annotations

from typing import NamedTuple


class Shared(NamedTuple):
    """What the store holds, and what is true of the world.

    `rows` are numbers of `Rows`. The others are sets of bits: `gone` the owners whose lease has lapsed, `old` the tasks
    past their age, `stopped` those whose stop was acknowledged. `faults` counts what went wrong so far.
    """

    rows: tuple[int, ...]
    gone: int = 0
    old: int = 0
    deleted: bool = False
    stopped: int = 0
    faults: int = 0


UP, PAUSED, DOWN = range(3)
"""A node works, stands still with all it holds in memory, or is dead."""

IDLE, READ, CLAIMED, RUNNING, PROVE = range(5)
ENDED = 5
"""Phases 5, 6, 7: the attempt came to `OUTCOMES[phase - ENDED]`, which is not durable yet."""
UNKNOWN = 8
"""From here on a write was sent and its commit is not known: `UNKNOWN + write`, see the next line."""
W_CLAIM, W_WARM, W_START, W_PROVE, W_ENDED = 0, 1, 2, 3, 4


class Node(NamedTuple):
    """A node: its life, whether its lease is held, how often it was started, and the task in its hand.

    `snap` is the row as the hand knows it. User code of the task runs while `phase` is RUNNING and the node is not
    DOWN.
    """

    life: int = UP
    held: bool = True
    start: int = 0
    phase: int = IDLE
    task: int = 0
    snap: int = 0

    @property
    def alive(self) -> int:
        """The tasks whose user code runs here, as bits."""
        return 1 << self.task if self.phase == RUNNING and self.life != DOWN else 0


class Reaper(NamedTuple):
    """What the reaper has read and not acted on yet; `task` -1 for nothing."""

    task: int = -1
    snap: int = 0


class Stopper(NamedTuple):
    """Callers that stop tasks: those who had their answer, and the one under way."""

    done: int = 0
    task: int = -1
    snap: int = 0


NEW, SENT, CHECKED, ACCEPTED, CONFLICT, NOT_TOLD = range(6)
"""Where a submit of the one name is; NOT_TOLD: its answer was lost, so it is sent again."""


class Clients(NamedTuple):
    """Two callers who submit the same name."""

    first: int = NEW
    second: int = NEW


class Idle(NamedTuple):
    """An actor that holds nothing: the world."""


Local = Node | Reaper | Stopper | Clients | Idle


class Move(NamedTuple):
    """A step of one actor: what it holds and what all share after it.

    `progress` is False for what the system does not do by itself: faults, and the wishes of callers. `wrong` says which
    invariants the step breaks.
    """

    label: str
    local: Local
    shared: Shared
    progress: bool = True
    wrong: tuple[str, ...] = ()
