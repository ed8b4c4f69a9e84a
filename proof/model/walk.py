"""The exhaustive walk: every state that the protocol's steps lead to, each once, breadth first.

A state is one integer with a field per actor, each field the number of a value (`states`), the shared one on top. What
an actor can do depends on its own field and the shared one, so its steps are made once per such pair and kept as
numbers to be added to a state; that is what makes a million states a matter of seconds. The graph of what the system
does by itself is kept, and a state from which no path of it leads to the end is stuck.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from .callers import Callers
from .protocol import Protocol
from .states import Idle, Local, Move, Node, Reaper, Shared, Stopper

BITS = 14
"""Of each actor's field."""
MASK = (1 << BITS) - 1
SHOWN_MAX = 3
OVERLAP = "I6 user code of one task runs on two nodes"


class Found(NamedTuple):
    """What a walk saw: counts, and for each kind of violation the shortest way to it."""

    states: int
    edges: int
    violations: Counter[str]
    stuck: int
    traces: dict[str, list[str]]


class _Numbers:
    """Values of one field as small numbers."""

    def __init__(self, bits: int) -> None:
        self.values: list[Local | Shared] = []
        self._numbers: dict[Local | Shared, int] = {}
        self._bits = bits

    def of(self, value: Local | Shared) -> int:
        """The number of a value."""
        number = self._numbers.get(value)
        if number is None:
            number = self._numbers[value] = len(self.values)
            if number >> self._bits:
                raise OverflowError(f"more than {1 << self._bits} values of {type(value).__name__}")
            self.values.append(value)
        return number


Step = tuple[int, bool, int, str, tuple[str, ...]]
"""What is added to the state, whether it is progress, the tasks whose user code it starts, its name, what is wrong."""


class _Actor:
    """One field of the state and what its owner can do."""

    def __init__(self, shift: int, moves: Callable[[Local, Shared], Iterator[Move]], first: Local) -> None:
        self.shift, self.moves = shift, moves
        self.numbers = _Numbers(BITS)
        self.steps: dict[int, list[Step]] = {}
        self.first = self.numbers.of(first)


class Walk:
    """A walk of `protocol`; `find_one` ends it at the first violation."""

    def __init__(self, protocol: Protocol, *, find_one: bool = False) -> None:
        self._protocol, self._find_one = protocol, find_one
        self._shared = _Numbers(40)
        shared, clients = protocol.begin()
        callers = Callers(protocol)
        nodes = [partial(_node_moves, protocol, me) for me in range(protocol.bounds.nodes)]
        others: list[tuple[Callable[..., Iterator[Move]], Local]] = [
            (protocol.reaper, Reaper()),
            (callers.stopper, Stopper()),
            (callers.clients, clients),
            (lambda _, shared: callers.world(shared), Idle()),
        ]
        begins = [(moves, Node()) for moves in nodes] + others
        self._actors = [_Actor(BITS * place, moves, first) for place, (moves, first) in enumerate(begins)]
        self._nodes, self._clients = self._actors[: protocol.bounds.nodes], self._actors[-2]
        self._top = BITS * len(self._actors)
        first = sum(actor.first << actor.shift for actor in self._actors)
        self._states = [first + (self._shared.of(shared) << self._top)]
        self._parents = array("I", [0])
        self._labels = [""]
        self._followers, self._offsets = array("I"), array("I")
        self.violations: Counter[str] = Counter()
        self.traces: dict[str, list[str]] = {}

    def run(self) -> Found:
        """Walk to the end."""
        edges = self._explore()
        stuck = 0 if self._find_one and self.violations else self._stuck()
        return Found(len(self._states), edges, self.violations, stuck, self.traces)

    def _explore(self) -> int:
        states, parents, labels = self._states, self._parents, self._labels
        followers, offsets = self._followers, self._offsets
        top, edges = self._top, 0
        fields = [(actor.shift, actor.steps, actor) for actor in self._actors]
        seen = {states[0]: 0}
        for position, state in enumerate(states):  # which grows meanwhile
            shared = state >> top
            offsets.append(len(followers))
            for shift, known, actor in fields:
                local = (state >> shift) & MASK
                key = (shared << BITS) | local
                steps = known.get(key)
                if steps is None:
                    steps = known[key] = self._steps(actor, local, shared)
                edges += len(steps)
                for step in steps:
                    added, progress, starts, label, wrong = step
                    after = state + added
                    place = seen.get(after)
                    if place is None:
                        place = seen[after] = len(states)
                        states.append(after)
                        parents.append(position)
                        labels.append(label)
                    if progress:
                        followers.append(place)
                    if wrong or starts:
                        self._judge(position, state, actor, step)
            if self._find_one and self.violations:
                break
        offsets.append(len(followers))
        return edges

    def _steps(self, actor: _Actor, local: int, shared: int) -> list[Step]:
        """The steps of an actor, made for the first time."""
        held, here = actor.numbers.values[local], self._shared.values[shared]
        found: list[Step] = []
        for move in actor.moves(held, here):  # type: ignore[arg-type]  # each field holds values of its own kind
            added = (actor.numbers.of(move.local) - local) << actor.shift
            added += (self._shared.of(move.shared) - shared) << self._top
            starts = _alive(move.local) & ~_alive(held)
            found.append((added, move.progress, starts, move.label, move.wrong))
        return found

    def _judge(self, position: int, state: int, actor: _Actor, step: Step) -> None:
        """Count what is wrong with a step."""
        _, _, starts, label, wrong = step
        for other in self._nodes:
            if starts and other is not actor:
                held = other.numbers.values[(state >> other.shift) & MASK]
                if _alive(held) & starts:
                    wrong += (OVERLAP,)
        for text in wrong:
            self.violations[text] += 1
            if text not in self.traces:
                self.traces[text] = [*self._way(position), label]

    def _way(self, position: int) -> list[str]:
        """The steps from the beginning to a state."""
        way = []
        while position:
            way.append(self._labels[position])
            position = self._parents[position]
        return way[::-1]

    def _stuck(self) -> int:
        """States from which the system by itself cannot come to the end: all passes until nothing changes."""
        states, followers, offsets = self._states, self._followers, self._offsets
        ends = bytearray(map(self._finished, states))
        left = [place for place in reversed(range(len(states))) if not ends[place]]
        while True:
            still = []
            for place in left:
                for follower in followers[offsets[place] : offsets[place + 1]]:
                    if ends[follower]:
                        ends[place] = 1
                        break
                else:
                    still.append(place)
            if len(still) == len(left):
                break
            left = still
        if left:
            self.traces["stuck"] = self._way(left[-1])
        return len(left)

    def _finished(self, state: int) -> bool:
        clients = self._clients.numbers.values[(state >> self._clients.shift) & MASK]
        return self._protocol.finished(self._shared.values[state >> self._top], clients)  # type: ignore[arg-type]  # as above


def _alive(value: Local | Shared) -> int:
    return value.alive if isinstance(value, Node) else 0


def _node_moves(protocol: Protocol, me: int, local: Local, shared: Shared) -> Iterator[Move]:
    return protocol.node(me, local, shared)  # type: ignore[arg-type]  # the field of a node holds nodes
