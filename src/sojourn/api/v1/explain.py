"""Why a task is not running, in the native API."""

from __future__ import annotations

from sojourn.api import answer
from sojourn.api.answer import Answer
from sojourn.api.call import Call
from sojourn.api.operation import Handler
from sojourn.explanation import Blocked
from sojourn.explanation import explain as explained
from sojourn.queue import wire_name
from sojourn.times import rfc3339

from .named import task_of


async def explain(call: Call) -> Answer:
    """What keeps a task from running, who holds what it waits for, and how long yet; nothing when it runs or is over.

    Holders are tasks of the caller's own account; those of others are not named.
    """
    backend, task = call.backend, await task_of(call)
    function = backend.catalog.by_id(task.runs)
    situation = backend.dispatcher.situation(task, function)
    blocked = explained(task, function, situation)
    waits_until = task.due_at if not task.over and task.due_at > situation.now else 0
    return answer.of_json(
        {
            "taskId": wire_name(task),
            "status": task.status.value,
            "since": rfc3339(task.events[-1].at),
            "blockedBy": [blocked_object(each) for each in blocked],
            "position": situation.position,
            "nextCheck": rfc3339(waits_until) if waits_until else None,
        }
    )


def blocked_object(blocked: Blocked) -> dict[str, object]:
    """One thing in the way as callers see it."""
    return {
        "code": blocked.code.value,
        "message": blocked.message,
        "scope": blocked.scope,
        "limit": blocked.limit,
        "holders": list(blocked.holders),
        "etaMs": blocked.eta_ms,
    }


OPERATIONS: tuple[tuple[str, str, Handler], ...] = (("GET", "/v1/functions/{function}/tasks/{task}/explain", explain),)
