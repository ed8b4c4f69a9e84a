"""Why a task is not running: a pure answer from its row, its function, and the situation it is in.

Only what this server can really be in has a code. Several may hold at once, the ones that keep it longest first; none
holds for a task that runs or is over. Gathering the situation is left to `dispatcher`.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

import msgspec

from .function import Function
from .task import INITIALIZATION, Status, Task

MICROSECONDS_PER_MILLISECOND = 1_000
HOLDERS_MAX = 10
SOON = 60_000_000
"""A task that grows too old within that time is told so, in microseconds."""


class Code(Enum):
    """What keeps a task from running."""

    STOP_IN_PROGRESS = "StopInProgress"
    DRAINING = "Draining"
    FUNCTION_DELETED = "FunctionDeleted"
    FUNCTION_DISABLED = "FunctionDisabled"
    QUEUE_PAUSED = "QueuePaused"
    DELAYED = "Delayed"
    RETRY_BACKOFF = "RetryBackoff"
    INITIALIZER_FAILING = "InitializerFailing"
    FUNCTION_CONCURRENCY_LIMIT = "FunctionConcurrencyLimit"
    INSTANCE_STARTING = "InstanceStarting"
    NO_CAPACITY = "NoCapacity"
    WAITING_FOR_TURN = "WaitingForTurn"
    WILL_EXPIRE = "WillExpire"


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What a dispatcher knows about a task that waits.

    `now` is in microseconds. `working` says whether something is done with it, on an instance in the status `instance`
    ("" for none). `held` executions of its function are in hand, `holders` are the tasks among them, `others` those of
    the account's other functions. `position` is how many due tasks of the function go before it, None when it is not in
    line. `starting` instances of the function are being made; `room` says whether one is free or could be made, and
    `possible` whether one could ever be.
    """

    now: int
    working: bool = False
    instance: str = ""
    held: int = 0
    holders: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    position: int | None = None
    starting: int = 0
    room: bool = True
    possible: bool = True
    memory_mb: int = 0
    instances_max: int = 0
    draining: bool = False


class Blocked(msgspec.Struct, frozen=True, kw_only=True):
    """One thing in the way: in words, what it is about, its bound, who holds what is missing, and for how long yet."""

    code: Code
    message: str
    scope: str = ""
    limit: int | None = None
    holders: tuple[str, ...] = ()
    eta_ms: int | None = None


def explain(task: Task, function: Function, situation: Situation) -> list[Blocked]:
    """All that keeps `task` from running; nothing for one that runs or is over."""
    if task.over or task.status is Status.RUNNING:
        return []
    if task.status is Status.STOPPING:
        on = f"on an instance that is {situation.instance}" if situation.instance else "by this server"
        return [Blocked(code=Code.STOP_IN_PROGRESS, message=f"it was asked to stop, and what runs of it is ended {on}")]
    found = [*_of_function(function, situation), *_of_time(task, situation)]
    if all(each.code is Code.INITIALIZER_FAILING for each in found):
        found += _of_room(task, function, situation)
    return found + list(_of_age(task, situation, blocked=bool(found)))


def _of_function(function: Function, situation: Situation) -> Iterator[Blocked]:
    scope = f"function {function.name}"
    if situation.draining:
        yield Blocked(code=Code.DRAINING, message="the server is going down and starts nothing", scope="server")
    if function.deleted:
        yield Blocked(code=Code.FUNCTION_DELETED, message="its function is deleted", scope=scope)
    if function.disabled is not None:
        why = f": {function.disabled.reason}" if function.disabled.reason else ""
        yield Blocked(code=Code.FUNCTION_DISABLED, message=f"its function is switched off{why}", scope=scope)
    if function.paused_at:
        yield Blocked(code=Code.QUEUE_PAUSED, message="the queue of its function is paused", scope=scope)


def _of_time(task: Task, situation: Situation) -> Iterator[Blocked]:
    if task.due_at > situation.now:
        eta_ms = (task.due_at - situation.now) // MICROSECONDS_PER_MILLISECOND
        if task.status is Status.RETRYING:
            message = f"attempt {task.attempts} failed ({task.error}), and the next one is not due yet"
            yield Blocked(code=Code.RETRY_BACKOFF, message=message, eta_ms=eta_ms)
        else:
            yield Blocked(code=Code.DELAYED, message="it was submitted with a delay", eta_ms=eta_ms)
    if task.status is Status.RETRYING and f'"{INITIALIZATION}"' in task.events[-1].detail:
        yield Blocked(code=Code.INITIALIZER_FAILING, message="Initializer of its function failed in the last attempt")


def _of_room(task: Task, function: Function, situation: Situation) -> list[Blocked]:
    """What it waits for that others have."""
    scope, limit = f"function {function.name}", function.reserved_concurrency
    holders = situation.holders[:HOLDERS_MAX]
    if situation.working or task.status is Status.DEQUEUED:
        state = situation.instance or "about to be made"
        return [Blocked(code=Code.INSTANCE_STARTING, message=f"its instance is {state}", scope=scope)]
    if limit is not None and situation.held >= limit:
        message = f"{situation.held} executions of its function are running, as many as it may have"
        code = Code.FUNCTION_CONCURRENCY_LIMIT
        return [Blocked(code=code, message=message, scope=scope, limit=limit, holders=holders)]
    if not situation.possible:
        message = f"an instance needs {function.config.memory_size} MB, more than this server has"
        return [Blocked(code=Code.NO_CAPACITY, message=message, scope="server", limit=situation.memory_mb)]
    if situation.starting and not situation.room:
        message = f"{situation.starting} instances of its function are being made"
        return [Blocked(code=Code.INSTANCE_STARTING, message=message, scope=scope, holders=holders)]
    if not situation.room:
        holders = (situation.holders + situation.others)[:HOLDERS_MAX]
        bounds = f"{situation.memory_mb} MB and {situation.instances_max} instances"
        message = f"no instance is free, and another one does not fit into {bounds} now"
        limit = situation.instances_max
        return [Blocked(code=Code.NO_CAPACITY, message=message, scope="server", limit=limit, holders=holders)]
    ahead = situation.position
    message = "its turn has not come" if ahead is None else f"its turn has not come, {ahead} tasks go before"
    return [Blocked(code=Code.WAITING_FOR_TURN, message=message, scope=scope)]


def _of_age(task: Task, situation: Situation, *, blocked: bool) -> Iterator[Blocked]:
    if not task.expires_at:
        return
    left = task.expires_at - situation.now
    if task.due_at >= task.expires_at or (blocked and left <= SOON):
        eta_ms = max(left, 0) // MICROSECONDS_PER_MILLISECOND
        yield Blocked(code=Code.WILL_EXPIRE, message="it grows too old unless it starts before", eta_ms=eta_ms)
