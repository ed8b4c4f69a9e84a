"""Judging the judge: what an attempt came to by its row, against what it really did.

A success has to be the success of that attempt. What is charged to the user has to be the user's doing, and what is
called a loss a fault of ours (I8, I14). Where both happened at once, either is right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from sojourn.history import Event
from sojourn.task import INSTANCE_LOST, Status, Task

from .behaviour import USER_ERRORS

if TYPE_CHECKING:
    from .living import Execution
    from .observer import Observer

MOMENT = 1e-6
"""Seconds within which two things are at the same time."""


class Attempted:
    """What is known of one attempt of a task: since when its row was Running, and what ran.

    `asked_at` is when its claim was asked for. `charges` are the user's faults that it met with, `excuses` ours.
    """

    __slots__ = ("asked_at", "charges", "durable_at", "excuses", "execution", "initialized_at", "instance_id")

    def __init__(self, durable_at: float, asked_at: float, instance_id: str) -> None:
        self.durable_at, self.asked_at, self.instance_id = durable_at, asked_at, instance_id
        self.execution: Execution | None = None
        self.initialized_at: float | None = None
        self.charges: list[str] = []
        self.excuses: list[str] = []


def judge(observer: Observer, before: Task, row: Task, event: Event) -> None:
    """Compare the end of an attempt, as its row tells it, with what really happened."""
    known = observer.attempts.get((row.id, row.attempts))
    detail = msgspec.json.decode(event.detail or "{}", type=dict[str, Any])
    if before.status is Status.RETRYING or known is None or "message" in detail or "cause" in detail:
        return  # it ended without another start
    if event.status == Status.SUCCEEDED.value:
        _succeeded(observer, row, known)
        return
    name = f"{observer.name_of(row.id)}: attempt {row.attempts}"
    lost = detail.get("errorType") == INSTANCE_LOST
    budgets = (before.retries + (not lost), before.losses + lost)
    if event.status == Status.RETRYING.value and (row.retries, row.losses) != budgets:
        observer.blame("I8", f"{name}: {detail.get('errorType')} is charged to the wrong budget")
    if lost:
        if known.execution is not None and not known.excuses and not _excused(observer, known):
            observer.blame("I8", f"{name} is called lost, and nothing of ours failed")
        return
    ran = known.execution
    told = detail.get("errorType") == "SimulatedError" and event.status == Status.RETRYING.value
    if told and ran is not None and ran.behaviour.kind == "final":
        observer.blame("I8", f"{name} said that no other one is wanted")
    if not known.charges and known.instance_id not in observer.fallen:  # its process may have ended by itself any time
        _charged(observer, known, name, detail)


def _charged(observer: Observer, known: Attempted, name: str, detail: dict[str, Any]) -> None:
    """See that what is charged to the user was the user's doing."""
    ran = known.execution
    if ran is None:
        if known.initialized_at is None:
            observer.blame("I8", f"{name} is charged, and user code never ran: {detail}")
    elif ran.over and ran.behaviour.kind not in USER_ERRORS and not _timed_out(observer, known, ran):
        observer.blame("I8", f"{name} is charged, and it did {ran.behaviour.kind}: {detail}")


def _succeeded(observer: Observer, row: Task, known: Attempted) -> None:
    ran, name = known.execution, observer.name_of(row.id)
    if ran is None or ran.behaviour.kind in USER_ERRORS:
        observer.blame("I14", f"{name} Succeeded, and attempt {row.attempts} did not")
    elif row.result != ran.behaviour.result:
        observer.blame("I14", f"{name}: the result is not that of attempt {row.attempts}: {row.result!r}")


def _excused(observer: Observer, known: Attempted) -> bool:
    """Whether something of ours may have taken it: its sandbox, an order to stop, a neighbour in its instance."""
    one = observer.living.get(known.instance_id)
    if one is None or one.agent.dead or one.concurrency > 1:
        return True
    return one.stopping or (one.gone and one.id not in observer.fallen)


def _timed_out(observer: Observer, known: Attempted, ran: Execution) -> bool:
    """Whether its time may have been over: it is kept by the host, from before the call is on its way."""
    return observer.loop.time() - known.durable_at + MOMENT >= float(ran.instance.spec["context"]["timeout"])
