"""Why a task does not run: each code for the situation that it is about, and none for a task that runs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sojourn.explanation import HOLDERS_MAX, SOON, Code, Situation, explain
from sojourn.function import Disabled, Function
from sojourn.history import append_event
from sojourn.task import Status, Task
from world import new_function

NOW = 1_800_000_000_000_000
SECOND = 1_000_000


def task(status: Status = Status.ENQUEUED, **fields: Any) -> Task:
    """A task in that status."""
    history = append_event(b"", status.value, NOW, fields.pop("detail", {}))
    return Task(id=1, account_id="a", function_id=1, generation=1, status=status, history=history, **fields)


def function(**fields: Any) -> Function:
    """A function."""
    return msgspec.structs.replace(new_function("f"), **fields)


FULL: dict[str, Any] = {"room": False, "memory_mb": 1024, "instances_max": 2}
HOUR = NOW + 3600 * SECOND
CASES: dict[str, tuple[Task, Function, dict[str, Any], list[str]]] = {
    "runs": (task(Status.RUNNING), function(), {}, []),
    "over": (task(Status.FAILED), function(paused_at=1), {}, []),
    "stopping": (task(Status.STOPPING), function(paused_at=1), {"instance": "Stopping"}, ["StopInProgress"]),
    "draining": (task(), function(), {"draining": True}, ["Draining"]),
    "deleted": (task(), function(deleted=True), {}, ["FunctionDeleted"]),
    "disabled": (task(), function(disabled=Disabled(reason="r", at=1)), {}, ["FunctionDisabled"]),
    "paused": (task(), function(paused_at=1), {}, ["QueuePaused"]),
    "delayed": (task(due_at=NOW + 5 * SECOND), function(), {}, ["Delayed"]),
    "paused and delayed": (task(due_at=HOUR), function(paused_at=1), {}, ["QueuePaused", "Delayed"]),
    "backoff": (task(Status.RETRYING, due_at=NOW + SECOND, attempts=1), function(), {}, ["RetryBackoff"]),
    "initializer": (
        task(Status.RETRYING, due_at=NOW + SECOND, detail={"errorType": "InitializationError"}),
        function(),
        {},
        ["RetryBackoff", "InitializerFailing"],
    ),
    "initializer, due": (
        task(Status.RETRYING, detail={"Error": "InitializationError"}),
        function(),
        FULL,
        ["InitializerFailing", "NoCapacity"],
    ),
    "limit": (task(), function(reserved_concurrency=2), {"held": 2}, ["FunctionConcurrencyLimit"]),
    "limit of nothing": (task(), function(reserved_concurrency=0), {}, ["FunctionConcurrencyLimit"]),
    "below the limit": (task(), function(reserved_concurrency=2), {"held": 1}, ["WaitingForTurn"]),
    "starting": (task(Status.DEQUEUED), function(), {"working": True, "instance": "Creating"}, ["InstanceStarting"]),
    "started for others": (task(), function(), {"starting": 4, **FULL}, ["InstanceStarting"]),
    "full": (task(), function(), FULL, ["NoCapacity"]),
    "never": (task(), function(), {"possible": False, **FULL}, ["NoCapacity"]),
    "in line": (task(), function(), {"position": 3}, ["WaitingForTurn"]),
    "expires before it is due": (task(due_at=HOUR, expires_at=HOUR), function(), {}, ["Delayed", "WillExpire"]),
    "expires soon": (task(expires_at=NOW + SOON), function(paused_at=1), {}, ["QueuePaused", "WillExpire"]),
    "expires later": (task(expires_at=NOW + SOON + 1), function(paused_at=1), {}, ["QueuePaused"]),
}


@pytest.mark.parametrize("name", CASES)
def test_each_situation_has_its_codes(name: str) -> None:
    """In the order in which they keep it."""
    row, owner, facts, expected = CASES[name]
    found = explain(row, owner, Situation(now=NOW, **facts))
    assert [each.code.value for each in found] == expected
    assert all(each.message for each in found)


def test_every_code_is_shown() -> None:
    """Somewhere in the table."""
    assert {code for *_, codes in CASES.values() for code in codes} == {code.value for code in Code}


def test_how_long_yet() -> None:
    """Where a time is known; milliseconds."""
    later = task(due_at=NOW + 5 * SECOND, expires_at=NOW + 2 * SECOND)
    delayed, expires = explain(later, function(), Situation(now=NOW))
    assert (delayed.eta_ms, expires.eta_ms) == (5000, 2000)
    (limit,) = explain(task(), function(reserved_concurrency=0), Situation(now=NOW))
    assert limit.eta_ms is None


def test_who_holds_what_is_missing() -> None:
    """Tasks of the function at its own limit; all of the account when the server is full; a bounded number."""
    holders, others = ("t1", "t2"), tuple(f"o{number}" for number in range(HOLDERS_MAX))
    facts: dict[str, Any] = {"holders": holders, "others": others}
    (limit,) = explain(task(), function(reserved_concurrency=2), Situation(now=NOW, held=2, **facts))
    assert (limit.limit, limit.holders, limit.scope) == (2, holders, "function f")
    (full,) = explain(task(), function(), Situation(now=NOW, **FULL, **facts))
    assert (full.holders[:3], len(full.holders), full.scope) == (("t1", "t2", "o0"), HOLDERS_MAX, "server")
