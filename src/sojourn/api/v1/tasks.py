"""Tasks in the native API: finding them by a filter over all functions, and one with all that is known of it."""

from __future__ import annotations

import msgspec

from sojourn import filter as filters
from sojourn import identity
from sojourn.access import Scope
from sojourn.api import answer, paging
from sojourn.api.answer import Answer
from sojourn.api.call import Call
from sojourn.api.operation import Handler
from sojourn.api.v2023_03_30.wire import as_text
from sojourn.clock import milliseconds
from sojourn.errors import AccessDenied, InvalidArgument
from sojourn.history import Event
from sojourn.queue import wire_name
from sojourn.store import Search
from sojourn.task import Task
from sojourn.times import rfc3339

from .named import function_of, task_of

LIST = "found tasks"
OF_PAGE = ("limit", paging.FIELD, "order", "account")
ORDERS = {"newest": False, "oldest": True}


async def page(call: Call) -> Answer:
    """The tasks of all functions that a filter means; a page may be short, or empty, although there are more."""
    query, backend = call.query, call.backend
    order = query.get("order", "newest")
    if order not in ORDERS:
        raise InvalidArgument("order", order, f"must be one of {', '.join(ORDERS)}")
    account_id = account_of(call)
    wanted = filters.parse({name: value for name, value in query.items() if name not in OF_PAGE})
    functions = backend.catalog.every_function(account_id)
    if wanted.function:
        functions = [backend.catalog.remembered(account_id, wanted.function)]
    now = backend.clock.now()
    found = await backend.queue.search(
        Search(
            account_id=account_id,
            functions={each.id: each.name for each in functions if not each.root_id},
            wanted=wanted,
            now=now,
            ascending=ORDERS[order],
            after=paging.number_of(LIST, query),
            limit=paging.limit_of(query),
        )
    )
    names = {each.id: each.name for each in functions}
    return answer.of_json(
        {
            "tasks": [task_object(task, names[task.function_id], now) for task in found.tasks],
            "nextToken": "" if found.after is None else paging.token(LIST, str(found.after)),
            "scannedTo": None if found.after is None else rfc3339(identity.made_at(found.after)),
        }
    )


async def get(call: Call) -> Answer:
    """One task with its events, its payload and its result."""
    task = await task_of(call)
    shown = task_object(task, function_of(call).name, call.backend.clock.now())
    shown["events"] = [event_object(event) for event in task.events]
    return answer.of_json({**shown, **as_text("payload", task.payload), **as_text("result", task.result)})


async def events(call: Call) -> Answer:
    """What has happened to a task, oldest first."""
    task = await task_of(call)
    told = [event_object(event) for event in task.events]
    return answer.of_json({"taskId": wire_name(task), "status": task.status.value, "events": told})


def task_object(task: Task, function: str, now: int) -> dict[str, object]:
    """A task as callers see it; a time that has not come is null."""
    lasted = filters.duration_of(task, now)
    return {
        "account": task.account_id,
        "function": function,
        "qualifier": task.qualifier,
        "taskId": wire_name(task),
        "requestId": identity.request_id(task.id),
        "status": task.status.value,
        "createdTime": rfc3339(task.created_at),
        "dueTime": rfc3339(task.due_at) if task.due_at else None,
        "expirationTime": rfc3339(task.expires_at),
        "startedTime": rfc3339(task.started_at) if task.started_at else None,
        "endTime": rfc3339(task.ended_at) if task.ended_at else None,
        "waitMs": milliseconds(max((task.started_at or task.ended_at or now) - task.created_at, 0)),
        "durationMs": None if lasted is None else milliseconds(lasted),
        "attempts": task.attempts,
        "retries": task.retries,
        "retriesMax": task.retries_max,
        "losses": task.losses,
        "error": task.error,
        "instanceId": task.instance_id,
        "tags": dict(task.tags),
        "rerunOf": task.rerun_of,
    }


def event_object(event: Event) -> dict[str, object]:
    """An event as callers see it."""
    return {
        "eventId": event.number,
        "status": event.status,
        "timestamp": rfc3339(event.at),
        "eventDetail": msgspec.json.decode(event.detail) if event.detail else {},
    }


def account_of(call: Call) -> str:
    """Whose things are asked for: the caller's own, unless it operates the server and names another account."""
    wanted = call.query.get("account")
    if wanted is None or wanted == call.account_id:
        return call.account_id
    if not call.backend.catalog.account(call.account_id).owner or call.key.scope is not Scope.ADMIN:
        raise AccessDenied("only the account that operates this server, with the scope 'admin', sees other accounts")
    return call.backend.catalog.account(wanted).id


_TASK = "/v1/functions/{function}/tasks/{task}"
OPERATIONS: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/v1/tasks", page),
    ("GET", _TASK, get),
    ("GET", f"{_TASK}/events", events),
)
