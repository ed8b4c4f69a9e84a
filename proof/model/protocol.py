"""How nodes, reaper, callers and the world move tasks: the steps of the dispatcher's protocol, each atomic.

A node reads a row, claims it, starts it, runs it, settles it; every write is a compare-and-set on what it has read, so
that anybody may come in between. What is modelled is who writes when and on what knowledge; what a write does is the
product's (`Rows`), and so is which status may be claimed (`TRANSITIONS`). Time is the order of steps: a lease lapses
only after the node has fenced itself, by clocks that are outside of the model. A look at the clock, at the function or
at the limit is one step with the write it is for.

`Guards` names what can be left out, one at a time, to see the walk find it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sojourn import task
from sojourn.task import Aged, Claimed, Ended, Fact, Refused, Started, Status, StopRequested

from . import states
from .rows import LOST, NO_ROW, OUTCOMES, Rows
from .states import (
    CLAIMED,
    DOWN,
    ENDED,
    IDLE,
    PAUSED,
    PROVE,
    READ,
    RUNNING,
    UNKNOWN,
    UP,
    W_CLAIM,
    W_ENDED,
    W_PROVE,
    W_START,
    W_WARM,
    Clients,
    Move,
    Node,
    Reaper,
    Shared,
)

LIMIT = 1
LEASELESS = ("lease before reaping", "lease in the reaper's write")
STARTED, DELETED, AGED = Started("i"), Refused("FunctionDeleted", ""), Aged()
STOP, ENDED_FACT = StopRequested(), Ended()
NOTHING: tuple[str, ...] = ()
NOT_STARTED = Refused("FunctionNotStarted", "")


class Bounds(NamedTuple):
    """How much may happen: nodes, faults, retries of a task, and which wishes of callers there are.

    `submits`: two callers submit task 0, else it is there from the beginning. `stops` and `ages`: the tasks that may be
    stopped or grow too old, as bits. `deletes`: the function may be deleted.
    """

    nodes: int = 2
    faults_max: int = 0
    retries_max: int = 0
    submits: bool = False
    stops: int = 0b11
    ages: int = 0b11
    deletes: bool = True


class Protocol:
    """The steps of the protocol within `bounds`, without the guard that `without` names."""

    def __init__(self, bounds: Bounds, without: str = "") -> None:
        self.bounds, self.without = bounds, without
        self.rows = Rows(bounds.retries_max)
        self._claims: dict[int, Claimed] = {}

    def begin(self) -> tuple[Shared, Clients]:
        """Task 1 is Enqueued; task 0 is too, unless callers submit it."""
        if self.bounds.submits:
            return Shared((NO_ROW, self.rows.submitted(1))), Clients()
        rows = (self.rows.submitted(0), self.rows.submitted(1))
        return Shared(rows), Clients(states.ACCEPTED, states.CONFLICT)

    def owner(self, me: int, start: int) -> int:
        """The name in the lease of node `me` at its start number `start`."""
        return 1 + me + (0 if self.without == "incarnation in the lease" else self.bounds.nodes * start)

    # Writing ----------------------------------------------------------------------------------------------------------

    def current(self, shared: Shared, number: int, snap: int) -> bool:
        """Whether a compare-and-set against `snap` would hold."""
        return self.rows.epoch[shared.rows[number]] == self.rows.epoch[snap] or self.without == "epoch check"

    def written(self, shared: Shared, number: int, base: int, *facts: Fact) -> tuple[Shared, int, tuple[str, ...]]:
        """The store after `facts` on `base` replaced the row, the new row, and what is wrong with that.

        A fact that the table refuses writes nothing.
        """
        after = self.rows.step(base, *facts)
        if after is None:
            return shared, base, ()
        before = shared.rows[number]
        rows = tuple(after if place == number else row for place, row in enumerate(shared.rows))
        wrong = list(self.rows.faults(before, after))
        bit, status = 1 << number, self.rows.status[after]
        if shared.stopped & bit and status not in (Status.STOPPING, Status.STOPPED):
            wrong.append("I7 something followed an acknowledged stop")
        if self.rows.started(before, after):
            if shared.old & bit:
                wrong.append("I11 a start of a task that is too old")
            if shared.deleted:
                wrong.append("I12 a start with a deleted function")
        if sum(1 for row in rows if self.rows.owner[row]) > LIMIT:
            wrong.append("I10 more leases than the limit")
        return shared._replace(rows=rows), after, tuple(wrong)

    def faulty(self, shared: Shared) -> Shared | None:
        """The shared state with one more fault, None when there may be no more."""
        return shared._replace(faults=shared.faults + 1) if shared.faults < self.bounds.faults_max else None

    def claim(self, owner: int) -> Claimed:
        """The fact that `owner` takes a task."""
        return self._claims.setdefault(owner, Claimed(owner))

    # A node -----------------------------------------------------------------------------------------------------------

    def node(self, me: int, node: Node, shared: Shared) -> Iterator[Move]:
        """Everything that node `me` can do, or have done to it."""
        owner = self.owner(me, node.start)
        bit = 1 << owner
        if node.life == UP:
            yield from self._hand(owner, node, shared)
            if after := self.faulty(shared):
                yield Move(f"crash {me}", node._replace(life=DOWN, phase=IDLE, task=0, snap=0), after, progress=False)
                yield Move(f"pause {me}", node._replace(life=PAUSED), after, progress=False)
        elif node.life == PAUSED:
            running = node.phase == RUNNING
            if running:
                yield Move(f"fence {me}", node._replace(phase=ENDED + LOST), shared)
            if node.held and (not running or self.without == "self-fence"):
                yield Move(f"lapse {me}", node._replace(held=False), shared._replace(gone=shared.gone | bit))
            yield Move(f"resume {me}", node._replace(life=UP, held=True), shared._replace(gone=shared.gone & ~bit))
        else:
            if node.held:
                yield Move(f"lapse {me}", node._replace(held=False), shared._replace(gone=shared.gone | bit))
            start = node.start + 1
            gone = (shared.gone | bit) & ~(1 << self.owner(me, start))
            yield Move(f"restart {me}", Node(start=start), shared._replace(gone=gone))

    def _hand(self, owner: int, node: Node, shared: Shared) -> Iterator[Move]:
        """What a living node does with the task in its hand."""
        if node.phase == IDLE:
            for number, row in enumerate(shared.rows):
                if row and self._claimable(row, owner, shared) and self._room(number, shared, reading=True):
                    yield Move(f"read {number} by {owner}", node._replace(phase=READ, task=number, snap=row), shared)
        elif node.phase == READ:
            yield from self._claim(owner, node, shared)
        elif node.phase == CLAIMED:
            yield from self._start(owner, node, shared)
        elif node.phase == RUNNING:
            yield from self._run(owner, node, shared)
        elif node.phase == PROVE:
            yield from self._write(owner, node, shared, W_PROVE)
        elif node.phase < UNKNOWN:
            yield from self._settle(owner, node, shared)
        else:
            yield self._read_back(owner, node, shared)

    def _claimable(self, row: int, owner: int, shared: Shared) -> bool:
        held = self.rows.owner[row]
        free = not held or held == owner or shared.gone >> held & 1
        return bool(free) and (self.rows.status[row], Claimed) in task.TRANSITIONS

    def _room(self, number: int, shared: Shared, *, reading: bool) -> bool:
        """Whether the limit lets the task be claimed; asked in the claim itself, and not when the row is read."""
        if reading != (self.without == "limit in the transaction"):
            return True
        others = (row for place, row in enumerate(shared.rows) if place != number)
        return sum(1 for row in others if self.rows.owner[row]) < LIMIT

    def _refusal(self, number: int, shared: Shared) -> Fact | None:
        if shared.deleted and self.without != "look at the function":
            return DELETED
        if shared.old >> number & 1 and self.without != "look at the age":
            return AGED
        return None

    def _claim(self, owner: int, node: Node, shared: Shared) -> Iterator[Move]:
        number, idle = node.task, _emptied(node)
        refusal = self._refusal(number, shared)
        unguarded = self.without == "expiry sees a start" and refusal is AGED
        if not self.current(shared, number, node.snap) and not unguarded:
            yield Move(f"too late to claim {number}", idle, shared)
        elif refusal is not None:
            after, _, wrong = self.written(shared, number, node.snap, self.claim(owner), refusal)
            yield Move(f"refuse {number}", idle, after, wrong=wrong)
        elif not self._room(number, shared, reading=False):
            yield Move(f"no room for {number}", idle, shared)
        else:
            yield from self._write(owner, node, shared, W_CLAIM)
            yield from self._write(owner, node, shared, W_WARM)

    def _start(self, owner: int, node: Node, shared: Shared) -> Iterator[Move]:
        number, idle = node.task, _emptied(node)
        refusal = self._refusal(number, shared)
        if not self.current(shared, number, node.snap):
            yield Move(f"too late to start {number}", idle, shared)
            return
        if refusal is not None:
            after, _, wrong = self.written(shared, number, node.snap, refusal)
            yield Move(f"refuse {number}", idle, after, wrong=wrong)
            return
        yield from self._write(owner, node, shared, W_START)
        if self.without == "Running before user code":
            yield self._called(node, shared, node.snap)
        if worse := self.faulty(shared):
            after, _, wrong = self.written(worse, number, node.snap, NOT_STARTED)
            yield Move(f"no instance for {number}", idle, after, progress=False, wrong=wrong)

    def _run(self, owner: int, node: Node, shared: Shared) -> Iterator[Move]:
        for outcome in range(len(OUTCOMES)):
            after = self.faulty(shared) if outcome == LOST else shared
            if after is not None:
                label = f"attempt of {node.task} comes to {outcome}"
                yield Move(label, node._replace(phase=ENDED + outcome), after, progress=outcome != LOST)
        if shared.rows[node.task] != node.snap:
            yield Move(f"notice {node.task}", self._lost(owner, node, shared), shared)

    def _settle(self, owner: int, node: Node, shared: Shared) -> Iterator[Move]:
        number, outcome = node.task, node.phase - ENDED
        row = shared.rows[number]
        if self.current(shared, number, node.snap):
            yield from self._write(owner, node, shared, W_ENDED + outcome)
            return
        stopping, running = self.rows.status[row] is Status.STOPPING, self.rows.status[row] is Status.RUNNING
        late = (self.without == "stop wins over retry" and stopping) or (
            self.without == "result of its attempt" and running
        )
        if late:
            after, _, wrong = self.written(shared, number, row, self.rows.judged(row, outcome))
            if self.rows.at(row).attempts != self.rows.at(node.snap).attempts:
                wrong += ("I14 the outcome of another attempt",)
            yield Move(f"settle {number} all the same", _emptied(node), after, wrong=wrong)
            return
        yield Move(f"too late to settle {number}", self._lost(owner, node, shared), shared)

    def _lost(self, owner: int, node: Node, shared: Shared) -> Node:
        """The hand after somebody else moved its task: a stopped one of its own it brings to its end."""
        row = shared.rows[node.task]
        if self.rows.status[row] is Status.STOPPING and self.rows.owner[row] == owner:
            return node._replace(phase=PROVE, snap=row)
        return _emptied(node)

    # A node's writes, whose commit may stay unknown -------------------------------------------------------------------

    def _facts(self, owner: int, snap: int, write: int) -> tuple[Fact, ...]:
        if write in (W_CLAIM, W_WARM):
            return (self.claim(owner), STARTED) if write == W_WARM else (self.claim(owner),)
        if write >= W_ENDED:
            return (self.rows.judged(snap, write - W_ENDED),)
        return (STARTED,) if write == W_START else (ENDED_FACT,)

    def _write(self, owner: int, node: Node, shared: Shared, write: int) -> Iterator[Move]:
        """A compare-and-set, which takes effect; or one of which the node does not learn whether it did."""
        number = node.task
        if not self.current(shared, number, node.snap):
            yield Move(f"too late to write {number}", self._lost(owner, node, shared), shared)
            return
        facts = self._facts(owner, node.snap, write)
        after, row, wrong = self.written(shared, number, node.snap, *facts)
        yield self._done(node, after, row, write, wrong)
        if worse := self.faulty(shared):
            unknown = node._replace(phase=UNKNOWN + write)
            happened = self.written(worse, number, node.snap, *facts)[0]
            yield Move(f"write {number}, and do not learn it", unknown, happened, progress=False, wrong=wrong)
            yield Move(f"do not write {number}, and do not learn it", unknown, worse, progress=False)

    def _done(self, node: Node, shared: Shared, row: int, write: int, wrong: tuple[str, ...] = ()) -> Move:
        """The step by which a write is known to have happened."""
        if write == W_CLAIM:
            return Move(f"claim {node.task}", node._replace(phase=CLAIMED, snap=row), shared, wrong=wrong)
        if write in (W_WARM, W_START):
            called = self._called(node, shared, row)
            return called._replace(wrong=wrong + called.wrong)
        return Move(f"write the end of {node.task}", _emptied(node), shared, wrong=wrong)

    def _called(self, node: Node, shared: Shared, row: int) -> Move:
        """User code is called, which the row must know by now."""
        durable = shared.rows[node.task] == row and self.rows.status[row] is Status.RUNNING
        wrong = () if durable else ("I5 user code runs, and Running is not durable",)
        return Move(f"start {node.task}", node._replace(phase=RUNNING, snap=row), shared, wrong=wrong)

    def _read_back(self, owner: int, node: Node, shared: Shared) -> Move:
        """Find out what became of a write."""
        write, number = node.phase - UNKNOWN, node.task
        intended = self.rows.step(node.snap, *self._facts(owner, node.snap, write)) or node.snap
        if self.without == "reading back (success)" or shared.rows[number] == intended:
            return self._done(node, shared, intended, write)
        if self.without == "reading back (failure)":
            return Move(f"let go of {number}", _emptied(node), shared)
        if self.rows.epoch[shared.rows[number]] != self.rows.epoch[node.snap]:
            return Move(f"{number} went on without us", self._lost(owner, node, shared), shared)
        before = {W_CLAIM: READ, W_WARM: READ, W_START: CLAIMED, W_PROVE: PROVE}.get(write, ENDED + write - W_ENDED)
        return Move(f"{number} was not written", node._replace(phase=before), shared)

    # Everybody else ---------------------------------------------------------------------------------------------------

    def reaper(self, reaper: Reaper, shared: Shared) -> Iterator[Move]:
        """Somebody ends what nodes left behind; between what it reads and what it writes anything may happen."""
        if reaper.task < 0:
            for number, row in enumerate(shared.rows):
                lapsed = shared.gone >> self.rows.owner[row] & 1 or self.without == "lease before reaping"
                if lapsed and self.rows.status[row] in (Status.RUNNING, Status.STOPPING) and self.without != "reaper":
                    yield Move(f"reaper reads {number}", Reaper(number, row), shared)
            return
        number, snap = reaper
        lapsed = shared.gone >> self.rows.owner[snap] & 1 or self.without in LEASELESS
        if not (self.current(shared, number, snap) and lapsed) and self.without != "guard of the reaper":
            yield Move(f"too late to reap {number}", Reaper(), shared)
            return
        fact = ENDED_FACT if self.rows.status[snap] is Status.STOPPING else self.rows.judged(snap, LOST)
        after, _, wrong = self.written(shared, number, snap, fact)
        yield Move(f"reap {number}", Reaper(), after, wrong=wrong)

    def finished(self, shared: Shared, clients: Clients) -> bool:
        """Whether everything has come to its end."""
        answered = all(stage in (states.ACCEPTED, states.CONFLICT) for stage in clients)
        return answered and all(self.rows.over[row] for row in shared.rows)


def _emptied(node: Node) -> Node:
    return node._replace(phase=IDLE, task=0, snap=0)
