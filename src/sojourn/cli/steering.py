"""`sojourn task rerun|edit|explain|expire|delete`: what is done to tasks, and why one waits."""

from __future__ import annotations

from typing import Annotated

import msgspec
from cyclopts import Parameter

from sojourn.client import steering as calls
from sojourn.tags import parse_tags

from . import bulk, exits
from .display import print_facts, print_one
from .failure import CommandFailed
from .options import COMMON, Common
from .payload import payload_of


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


def edit(function: str, task_id: str, /, *, tags: str, common: Common = COMMON) -> None:
    """Give a task that is not over other tags; nothing else of it can be changed.

    For example:

        sojourn task edit hello first --tags tenant=t1,kind=invoice

    Parameters
    ----------
    function
        Its function.
    task_id
        The task.
    tags
        key=value pairs with commas between them, in place of those it has; '' for none.

    """
    wanted = parse_tags("--tags", tags)
    with common.client() as client:
        task = client.tag_task(function, task_id, wanted)
    if common.output != "table":
        print(msgspec.json.format(msgspec.json.encode(task), indent=2 if common.output == "json" else -1).decode())
        return
    shown = ", ".join(f"{key}={value}" for key, value in task["tags"].items())
    print(f"Task {task_id} is tagged {shown}." if shown else f"Task {task_id} has no tags.")


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


def both(function: str | None, task_id: str | None) -> tuple[str, str]:
    """A function and a task id, which must both be given where no filter is."""
    if function is None or task_id is None:
        raise CommandFailed("a task is missing", "name a function and a task id, or many tasks with --filter")
    return function, task_id


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
