"""What callers want of the tasks, and what the world does to them: submit, stop, grow old, lose their function.

A stop reads the row and writes on what it has read, as nodes do. Two callers submit the same name, and send it again
when they are not answered.
"""

from __future__ import annotations

from collections.abc import Iterator

from sojourn import task
from sojourn.task import Fact, Status, StopRequested

from . import states
from .protocol import ENDED_FACT, NOTHING, STOP, Protocol
from .rows import NO_ROW
from .states import Clients, Move, Shared, Stopper


class Callers:
    """The steps of everybody outside of `protocol`'s nodes."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol

    def stopper(self, stopper: Stopper, shared: Shared) -> Iterator[Move]:
        """Callers stop tasks, each once."""
        if stopper.task < 0:
            for number, row in enumerate(shared.rows):
                if row and self._protocol.bounds.stops & ~stopper.done & 1 << number:
                    yield Move(f"stop {number}", Stopper(stopper.done, number, row), shared, progress=False)
            return
        done, number, snap = stopper
        bit, status = 1 << number, self._protocol.rows.status[snap]
        if not self._protocol.current(shared, number, snap) and self._protocol.without != "guard of the stop":
            yield Move(f"stop reads {number} again", Stopper(done, number, shared.rows[number]), shared)
            return
        after, wrong = shared, NOTHING
        refused = self._protocol.rows.over[snap] and (status, StopRequested) not in task.TRANSITIONS
        if not refused and status is not Status.STOPPING:
            facts: tuple[Fact, ...] = (STOP, ENDED_FACT)
            if status is Status.RUNNING or self._protocol.without == "stop without a worker":
                facts = (STOP,)
            after, _, wrong = self._protocol.written(shared, number, snap, *facts)
        if not refused:
            after = after._replace(stopped=after.stopped | bit)
        yield Move(f"stop of {number} is answered", Stopper(done | bit), after, wrong=wrong)

    def clients(self, clients: Clients, shared: Shared) -> Iterator[Move]:
        """Two callers submit the same name."""
        for place, stage in enumerate(clients):
            for label, after_stage, after, progress, wrong in self._submit(stage, shared):
                moved = clients._replace(**{Clients._fields[place]: after_stage})
                both = moved == Clients(states.ACCEPTED, states.ACCEPTED)
                more = ("I9 two callers were told that they made the task",) if both else ()
                yield Move(f"caller {place} {label}", moved, after, progress=progress, wrong=wrong + more)

    def _submit(self, stage: int, shared: Shared) -> Iterator[tuple[str, int, Shared, bool, tuple[str, ...]]]:
        taken = shared.rows[0] != NO_ROW
        if stage in (states.NEW, states.NOT_TOLD):
            yield "submits", states.SENT, shared, True, ()
        elif stage == states.SENT and self._protocol.without == "dedupe in the transaction":
            yield "finds out", states.CONFLICT if taken else states.CHECKED, shared, True, ()
        elif stage == states.SENT and self._protocol.without == "ack after commit" and not taken:
            yield "is accepted before the commit", states.CHECKED, shared, True, ()
        elif stage in (states.SENT, states.CHECKED):
            if stage == states.SENT and taken:
                answer, after, wrong = states.CONFLICT, shared, NOTHING
            else:
                after, _, wrong = self._inserted(shared)
                answer = states.ACCEPTED
            yield "is answered", answer, after, True, wrong
            if worse := self._protocol.faulty(shared):
                happened = after._replace(faults=worse.faults)
                yield "is not answered", states.NOT_TOLD, happened, False, wrong
                if stage == states.CHECKED and self._protocol.without == "ack after commit":
                    yield "was accepted in vain", states.ACCEPTED, worse, False, ("I1 accepted, and not there",)
                yield "is not heard", states.NOT_TOLD, worse, False, ()

    def _inserted(self, shared: Shared) -> tuple[Shared, int, tuple[str, ...]]:
        row = self._protocol.rows.submitted(0)
        if shared.rows[0] != NO_ROW:
            return shared, row, ("I9 a second task of the same name",)
        return shared._replace(rows=(row, *shared.rows[1:])), row, tuple(self._protocol.rows.faults(NO_ROW, row))

    def world(self, shared: Shared) -> Iterator[Move]:
        """Tasks grow old, and the function is deleted."""
        for number, row in enumerate(shared.rows):
            if row and self._protocol.bounds.ages & ~shared.old & 1 << number:
                after = shared._replace(old=shared.old | 1 << number)
                yield Move(f"{number} grows too old", states.Idle(), after, progress=False)
        if self._protocol.bounds.deletes and not shared.deleted:
            yield Move("the function is deleted", states.Idle(), shared._replace(deleted=True), progress=False)
