"""A task: its statuses, the facts that move it, and the one table of moves.

Rules of this file
- It is pure: no clock, no random numbers, no I/O. Time and jitter come in as arguments.
- `TRANSITIONS` is the whole state machine (the article's Figure 1). A pair that is not in it raises `IllegalFact` and
  changes nothing.
- `judge` turns what an attempt came to (an outcome, a value) into the fact to record; `advance` answers with the next
  task. Neither makes anything durable: `queue` does, by compare-and-set on `epoch`.
- Terminal statuses never change. Expired and Invalid mean *never started*: a task that has run and then grows too old,
  or loses its function, ends Failed.

Theory of operation
    A task is a row. Facts happen to it. Each fact yields the next row, one `epoch` later, with an event appended to its
    history. Two actors who saw the same row and both act on it race for that epoch, and the first to be durable wins;
    the loser's write matches no row. What must happen next, and when, is written in the row (`due_at`), so a restart
    needs nothing but the rows. The only row of the table without an event of its own is a claim of a Retrying task: who
    holds it changes, its status does not.

Times are microseconds since 1970; `0` means *not yet*.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any

import msgspec

from . import machine
from .errors import IllegalFact
from .history import Event, append_event, last_stamp, unpack_events


class Status(Enum):
    """Where a task is in its sojourn; spelled as on the wire of every API generation."""

    ENQUEUED = "Enqueued"
    """Durable, waiting; nothing of it has been looked at yet."""
    DEQUEUED = "Dequeued"
    """A dispatcher holds it and checks whether it can be triggered."""
    RUNNING = "Running"
    """User code was, or is about to be, called."""
    RETRYING = "Retrying"
    """An attempt failed and another one is due."""
    STOPPING = "Stopping"
    """A stop was asked for; nothing new starts, what runs is being ended."""
    SUCCEEDED = "Succeeded"
    """The last attempt returned."""
    FAILED = "Failed"
    """The last allowed attempt failed."""
    STOPPED = "Stopped"
    """A stop is complete and proved."""
    EXPIRED = "Expired"
    """It grew too old before it was ever triggered."""
    INVALID = "Invalid"
    """It could never be triggered: its function is gone, or no instance can be made."""

    __hash__ = object.__hash__  # members are single; Enum's own hash is computed in Python at every look into a table


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt failed.

    `kind` is the wire's class (`UnhandledInvocationError`, `HandledInvocationError`), `type` the precise cause
    (`FunctionTimeoutError`, `FunctionOOMError`, `ValueError`, `InstanceLost` …), `document` the JSON error body the
    caller gets. `lost` is True when the attempt was lost through our own fault, which is charged to the
    infrastructure budget. `retryable` False and `retry_after_seconds` are the function's own word about another
    attempt. `evidence` holds exit status, signal, peak memory and the like.
    """

    kind: str
    type: str
    message: str
    document: bytes = b""
    lost: bool = False
    retryable: bool = True
    retry_after_seconds: float | None = None
    evidence: Mapping[str, object] = {}


class Success(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt returned `result`."""

    result: bytes
    evidence: Mapping[str, object] = {}


Outcome = Success | Failure


class Submitted(msgspec.Struct, frozen=True):
    """The caller's message is accepted."""


class Claimed(msgspec.Struct, frozen=True):
    """A dispatcher of incarnation `owner` took the task off the queue; `cause` says why when it was not simply due."""

    owner: int
    cause: str = ""


class Aged(msgspec.Struct, frozen=True):
    """The message is older than the function's maximum event age, or `actor` said that it counts as too old."""

    actor: str = ""


class Refused(msgspec.Struct, frozen=True):
    """The task cannot be triggered: `cause` is a code (`FunctionDeleted`, `FunctionNotStarted` …)."""

    cause: str
    message: str


class Started(msgspec.Struct, frozen=True):
    """User code is about to be called on `instance_id`."""

    instance_id: str


class Returned(msgspec.Struct, frozen=True):
    """The attempt succeeded."""

    outcome: Success


class Faltered(msgspec.Struct, frozen=True):
    """The attempt failed and another one is due at `due_at`."""

    outcome: Failure
    due_at: int


class GaveUp(msgspec.Struct, frozen=True):
    """The attempt failed and no other one is allowed."""

    outcome: Failure


class StopRequested(msgspec.Struct, frozen=True):
    """Someone asked for the task to be stopped; `actor` says who, `force` that no time is to be given to it."""

    actor: str = ""
    force: bool = False


class Ended(msgspec.Struct, frozen=True):
    """Nothing of the stopped task runs any more, as `evidence` shows."""

    evidence: Mapping[str, object] = {}


Fact = Submitted | Claimed | Aged | Refused | Started | Returned | Faltered | GaveUp | StopRequested | Ended

TRANSITIONS: machine.Table[Status] = MappingProxyType(
    {
        (None, Submitted): Status.ENQUEUED,
        (Status.ENQUEUED, Claimed): Status.DEQUEUED,
        (Status.ENQUEUED, StopRequested): Status.STOPPING,
        (Status.DEQUEUED, Claimed): Status.DEQUEUED,  # taken over from a dispatcher that died; its event says LeaseLost
        (Status.DEQUEUED, Aged): Status.EXPIRED,
        (Status.DEQUEUED, Refused): Status.INVALID,
        (Status.DEQUEUED, Started): Status.RUNNING,
        (Status.DEQUEUED, StopRequested): Status.STOPPING,
        (Status.RUNNING, Returned): Status.SUCCEEDED,
        (Status.RUNNING, Faltered): Status.RETRYING,
        (Status.RUNNING, GaveUp): Status.FAILED,
        (Status.RUNNING, StopRequested): Status.STOPPING,
        (Status.RETRYING, Claimed): Status.RETRYING,  # silent: no event, see the theory above
        (Status.RETRYING, Started): Status.RUNNING,
        (Status.RETRYING, Aged): Status.FAILED,
        (Status.RETRYING, Refused): Status.FAILED,
        (Status.RETRYING, StopRequested): Status.STOPPING,
        (Status.STOPPING, Ended): Status.STOPPED,
    }
)

TERMINAL = machine.terminal(TRANSITIONS, Status)

LEGAL_STEPS = machine.edges(TRANSITIONS) - {(Status.RETRYING, Status.RETRYING)}
"""The (from, to) pairs that may stand next to each other in a history."""

LEASE_LOST = "LeaseLost"
MESSAGE_TOO_OLD = "EventAgeExceeded"
EXPIRED_BY_CALLER = "ExpiredByCaller"
INSTANCE_LOST = "InstanceLost"
UNHANDLED = "UnhandledInvocationError"
HANDLED = "HandledInvocationError"

INITIALIZATION = "InitializationError"

RETRY_AFTER_SECONDS_MAX = 86_400.0
"""The longest wait that a function may ask for."""
LOSSES_MAX = 3
"""Attempts that may be lost through our own fault before a task is given up (decision: three separate budgets)."""


class Backoff(msgspec.Struct, frozen=True):
    """The wait before attempt n+1: `base_seconds` × 2ⁿ, at most `cap_seconds`, spread by ± `jitter`."""

    base_seconds: float = 1.0
    cap_seconds: float = 300.0
    jitter: float = 0.2

    def delay(self, retry: int, spread: float) -> int:
        """Microseconds to wait before retry number `retry` (from 0); `spread` is a random number in [-1, 1]."""
        seconds = min(self.base_seconds * 2.0 ** min(retry, 30), self.cap_seconds)
        return int(seconds * (1.0 + self.jitter * spread) * 1_000_000)


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One task as its row holds it.

    `id` is time-ordered and unique on all nodes; `name` is the task id the caller chose, None when it chose none.
    `function_id` and `generation` name the function as it was at submit: a function deleted and created again under the
    same name is another generation, and never runs the old one's tasks. `qualifier` is what the caller asked for,
    `snapshot_id` the published version that it meant at that moment, 0 for LATEST. `attempts` counts starts of user
    code, `retries` those of them that answered a function error, `losses` those lost through our own fault. `owner` is
    the incarnation of the server that holds the task, 0 when nobody does. `error` is the wire's error class of the last
    attempt when it failed, `result` its answer or its error document; both are empty while an attempt runs. `tags` are
    the caller's own words, `rerun_of` the id, as callers see it, of the task of this function that it repeats.
    """

    id: int
    account_id: str
    function_id: int
    generation: int
    name: str | None = None
    qualifier: str = "LATEST"
    status: Status = Status.ENQUEUED
    epoch: int = 0
    attempts: int = 0
    retries: int = 0
    losses: int = 0
    retries_max: int = 3
    due_at: int = 0
    expires_at: int = 0
    created_at: int = 0
    started_at: int = 0
    ended_at: int = 0
    owner: int = 0
    instance_id: str = ""
    error: str = ""
    history: bytes = b""
    payload: bytes = b""
    result: bytes = b""
    snapshot_id: int = 0
    tags: Mapping[str, str] = {}
    rerun_of: str = ""

    @property
    def runs(self) -> int:
        """The id of the function value that runs it: a version's, or the function's own."""
        return self.snapshot_id or self.function_id

    @property
    def over(self) -> bool:
        """Whether the status is terminal."""
        return self.status in TERMINAL

    @property
    def events(self) -> list[Event]:
        """The history, oldest first."""
        return unpack_events(self.history)


def submit(task: Task, now: int, delay: int = 0) -> Task:
    """The first row of `task`: Enqueued at `now`, due `delay` microseconds later."""
    status = machine.step(TRANSITIONS, None, Submitted())
    detail: dict[str, object] = {"delaySeconds": delay / 1_000_000} if delay else {}
    return msgspec.structs.replace(
        task,
        status=status,
        epoch=1,
        created_at=now,
        due_at=now + delay,
        history=append_event(b"", status.value, now, detail),
    )


def moved_at(task: Task) -> int:
    """When the last event of its history happened.

    For most rows a column says so, and the history, which is walked from its beginning, need not be read.
    """
    known = task.ended_at
    if task.status is Status.ENQUEUED:
        known = task.created_at
    elif task.status is Status.RUNNING and task.attempts == 1:
        known = task.started_at
    return known or last_stamp(task.history)


def judge(task: Task, outcome: Outcome, now: int, backoff: Backoff, spread: float) -> Fact:
    """The fact that an attempt's `outcome` amounts to, given what is left of the task's budgets.

    Parameters
    ----------
    task: the running task.
    outcome: what its attempt came to.
    now: microseconds.
    backoff: how long to wait before a retry.
    spread: a random number in [-1, 1] for the jitter.

    """
    if isinstance(outcome, Success):
        return Returned(outcome)
    used, allowed = (task.losses, LOSSES_MAX) if outcome.lost else (task.retries, task.retries_max)
    if used >= allowed or not outcome.retryable:
        return GaveUp(outcome)
    if outcome.retry_after_seconds is not None:
        seconds = min(max(outcome.retry_after_seconds, 0.0), RETRY_AFTER_SECONDS_MAX)
        return Faltered(outcome, now + int(seconds * 1_000_000))
    if outcome.lost:  # nothing speaks against the function yet; one that takes its surroundings down has to wait too
        return Faltered(outcome, now + (backoff.delay(used - 1, spread) if used else 0))
    return Faltered(outcome, now + backoff.delay(used, spread))


def advance(task: Task, fact: Fact, now: int) -> Task:
    """The task after `fact` at `now`, one epoch later, its event appended.

    Raises
    ------
    IllegalFact: the table has no such row; `task` is as it was.

    """
    status = machine.step(TRANSITIONS, task.status, fact)
    stamp = max(now, moved_at(task))
    changes, detail = _consequences(task, fact, stamp)
    changes["status"], changes["epoch"] = status, task.epoch + 1
    if status in TERMINAL:
        changes["ended_at"] = stamp
    if not (status is Status.RETRYING and task.status is Status.RETRYING):
        changes["history"] = append_event(task.history, status.value, stamp, detail)
    return msgspec.structs.replace(task, **changes)


def _consequences(task: Task, fact: Fact, stamp: int) -> tuple[dict[str, Any], Mapping[str, object]]:
    """What `fact` does to the columns, and the detail of its event."""
    changes: dict[str, Any] = {}
    detail: Mapping[str, object] = {}
    match fact:
        case Claimed():
            cause = fact.cause or (LEASE_LOST if task.status is Status.DEQUEUED else "")
            changes, detail = {"owner": fact.owner, "due_at": 0}, {"cause": cause} if cause else {}
        case Started():
            # What the attempt before came to stays in its event; the row is about this one from now on.
            changes = {"attempts": task.attempts + 1, "instance_id": fact.instance_id, "error": "", "result": b""}
            changes["started_at"] = task.started_at or stamp
            detail = {"attempt": task.attempts + 1, "instanceId": fact.instance_id}
        case Returned():
            changes = {"owner": 0, "result": fact.outcome.result, "error": ""}
            detail = fact.outcome.evidence
        case Faltered() | GaveUp():
            changes, detail = _failed(task, fact)
        case Aged():
            changes = {"owner": 0, "due_at": 0}
            aged = {"cause": EXPIRED_BY_CALLER, "actor": fact.actor} if fact.actor else {"cause": MESSAGE_TOO_OLD}
            detail = aged | ({"Error": task.error} if task.error else {})
        case Refused():
            changes = {"owner": 0, "due_at": 0, "error": fact.cause}
            detail = {"Error": fact.cause, "message": fact.message}
        case StopRequested():
            changes = {"due_at": 0}
            detail = ({"actor": fact.actor} if fact.actor else {}) | ({"force": True} if fact.force else {})
        case Ended():
            changes, detail = {"owner": 0}, fact.evidence
        case Submitted():  # it makes the first row, see `submit`
            raise IllegalFact(task.status.value, fact)
    return changes, detail


def _failed(task: Task, fact: Faltered | GaveUp) -> tuple[dict[str, Any], Mapping[str, object]]:
    """Charge a failed attempt to the right budget and keep its error."""
    failure = fact.outcome
    again = isinstance(fact, Faltered)
    changes: dict[str, Any] = {
        "owner": 0,
        "error": failure.kind,
        "result": failure.document,
        "due_at": fact.due_at if isinstance(fact, Faltered) else 0,
    }
    if again:
        charged = "losses" if failure.lost else "retries"
        changes[charged] = getattr(task, charged) + 1
    detail: dict[str, object] = {"Error": failure.kind, "errorType": failure.type, "errorMessage": failure.message}
    if not failure.retryable:
        detail["retryable"] = False
    if isinstance(fact, Faltered):
        detail["retryAt"] = fact.due_at // 1_000
        if failure.retry_after_seconds is not None:
            detail["retryAfterSeconds"] = failure.retry_after_seconds
    return changes, detail | dict(failure.evidence)
