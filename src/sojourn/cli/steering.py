"""`sojourn task rerun|explain|watch|expire|delete`: what is done to tasks, and why one waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from sojourn.client import NotFound, Refused, Status
from sojourn.client import steering as calls

from . import bulk, exits
from .display import Cell, moment, moment_of_text, plain, print_facts, print_one, status
from .failure import CommandFailed
from .options import COMMON, Common
from .payload import payload_of

_OVER = {Status.SUCCEEDED, Status.FAILED, Status.STOPPED, Status.EXPIRED, Status.INVALID}


def rerun(
    function: str | None = None,
    task_id: str | None = None,
    /,
    *,
    payload: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    new_task_id: str | None = None,
    delay: int | None = None,
    filter: str | None = None,  # noqa: A002 - it is the option's name
    how: bulk.How = bulk.HOW,
    common: Common = COMMON,
) -> int:
    """Run a task that is over again, as a new task; or all that --filter means.

    For example:

        sojourn task rerun hello first --payload @edited.json
        sojourn task rerun --filter 'function=hello status=Failed since=1h' --dry-run

    Parameters
    ----------
    function
        Its function.
    task_id
        The task.
    payload
        Another payload: text, @FILE, or - for standard input. [default: the same]
    new_task_id
        Your id for the new task. [default: the server chooses]
    delay
        Seconds to wait before it may start.
    filter
        Which tasks, as field=value words.

    """
    if filter is not None:
        if function is not None:
            raise CommandFailed("--filter stands for itself", "leave the function and the task id out")
        return bulk.carry_out("rerun", filter, how, common)
    name, task = both(function, task_id)
    edited = None if payload is None else payload_of(payload)
    with common.client() as client:
        made = client.rerun_task(name, task, payload=edited, new_task_id=new_task_id, delay_seconds=delay)
    print_one(common.output, made, lambda: print(made.task_id))
    return exits.OK


def expire(
    *,
    filter: bulk.Filter,  # noqa: A002 - it is the option's name
    how: bulk.How = bulk.HOW,
    common: Common = COMMON,
) -> int:
    """Let all tasks that --filter means count as too old, of those that wait.

    For example:

        sojourn task expire --filter 'function=hello status=Enqueued' --dry-run
    """
    return bulk.carry_out("expire", filter, how, common)


def delete(
    *,
    filter: bulk.Filter,  # noqa: A002 - it is the option's name
    how: bulk.How = bulk.HOW,
    common: Common = COMMON,
) -> int:
    """Forget all tasks that --filter means, of those that are over, with everything that is kept of them.

    For example:

        sojourn task delete --filter 'function=hello createdTo=2026-11-01T00:00:00Z' --dry-run
    """
    return bulk.carry_out("delete", filter, how, common)


def explain(function: str, task_id: str, /, *, common: Common = COMMON) -> None:
    """Say why a task does not run: what blocks it, who holds that, and how long it may take.

    For example:

        sojourn task explain hello first

    Parameters
    ----------
    function
        Its function.
    task_id
        The task.

    """
    with common.client() as client:
        found = client.ask(calls.document(calls.task_path(function, task_id, "explain")))
    if common.output != "table":
        print(msgspec.json.format(msgspec.json.encode(found), indent=2 if common.output == "json" else -1).decode())
        return
    print_facts([(name, _text(value)) for name, value in found.items() if name != "blockedBy"])
    for block in found.get("blockedBy", []):
        print()
        print_facts([(name, _text(value)) for name, value in block.items()])


def watch(function: str | None = None, task_id: str | None = None, /, *, common: Common = COMMON) -> int:
    """Print every step of a task as it becomes durable, until it is over; or of a function's tasks, or of all.

    For example:

        sojourn task watch hello first

    Parameters
    ----------
    function
        Only tasks of this function. [default: all of the account]
    task_id
        Only this task. [default: all of the function]

    """
    with common.client() as client:
        if function is not None and task_id is not None:  # what was there before anybody watched
            for event in client.get_task(function, task_id).events:
                _print_step(
                    {
                        "function": function,
                        "taskId": task_id,
                        "eventId": event.event_id,
                        "status": event.status.value,
                        "timestamp": event.timestamp,
                        "eventDetail": event.event_detail,
                    },
                    common,
                )
                if event.status in _OVER:
                    return exits.OK if event.status is Status.SUCCEEDED else exits.TASK_FAILED
        try:
            for step in client.watch(function, task_id):
                _print_step(step, common)
                if task_id is not None and Status(step.get("status", "Running")) in _OVER:
                    return exits.OK if step["status"] == Status.SUCCEEDED.value else exits.TASK_FAILED
        except (NotFound, Refused) as error:
            if error.code != "PathNotSupported":
                raise
            raise CommandFailed("this server has no stream of events", "use a newer server", exits.OTHER) from None
    return exits.OK


def both(function: str | None, task_id: str | None) -> tuple[str, str]:
    """A function and a task id, which must both be given where no filter is."""
    if function is None or task_id is None:
        raise CommandFailed("a task is missing", "name a function and a task id, or many tasks with --filter")
    return function, task_id


def _print_step(step: dict[str, Any], common: Common) -> None:
    if common.output != "table":
        print(msgspec.json.encode(step).decode(), flush=True)
        return
    at = step.get("timestamp", "")
    when = moment(at) if isinstance(at, int) else moment_of_text(str(at))
    cells: Sequence[Cell] = (
        when,
        str(step.get("function", "")),
        str(step.get("taskId", "")),
        status(str(step.get("status", step.get("event", "")))),
        str(step.get("eventDetail", "")),
    )
    print("  ".join(cell.plain if not isinstance(cell, str) else plain(cell) for cell in cells).rstrip(), flush=True)


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
