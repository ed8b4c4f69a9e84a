"""`sojourn task watch`: every step of tasks as it becomes durable.

The stream is begun before a task is looked at: what happens between the two comes twice, and is told once. The other
order would lose it, and with it perhaps the end that is waited for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from sojourn.client import Client, NotFound, Refused, Status
from sojourn.client import steering as calls
from sojourn.task import TERMINAL

from . import exits
from .display import moment_of_text, plain
from .failure import CommandFailed
from .options import COMMON, Common
from .taskview import words

_OVER = {status.value for status in TERMINAL}


def watch(function: str | None = None, task_id: str | None = None, /, *, common: Common = COMMON) -> int:
    """Print every step of a task as it becomes durable, until it is over; or of a function's tasks, or of all.

    For example:

        sojourn task watch hello first

    Parameters
    ----------
    function
        Only tasks of this function. [default: all of the account]
    task_id
        Only this task, from its first step on; exit with 1 when it does not succeed. [default: all of the function]

    """
    with common.client() as client:
        try:
            steps = client.watch(function, task_id)
            if function is not None and task_id is not None:
                steps = _of_one(client, function, task_id, steps)
            for step in steps:
                if "status" in step or "event" in step:
                    _print(step, common)
                if task_id is not None and step.get("status") in _OVER:
                    return exits.OK if step["status"] == Status.SUCCEEDED.value else exits.TASK_FAILED
        except (NotFound, Refused) as error:
            if error.code != "PathNotSupported":
                raise
            raise CommandFailed("this server has no stream of events", "use a newer server", exits.OTHER) from None
    return exits.OK


def _of_one(client: Client, function: str, task_id: str, stream: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each step of one task once, from its first on.

    What is no step begins the stream, or says that it has a gap; the task is looked at then.
    """
    told = 0
    for step in stream:
        steps = [step]
        if "status" not in step:
            found = client.ask(calls.document(calls.task_path(function, task_id, "events")))
            steps = [{"function": function, "taskId": task_id, **event} for event in found["events"]]
        for each in steps:
            if each["eventId"] > told:
                told = each["eventId"]
                yield each


def _print(step: Mapping[str, Any], common: Common) -> None:
    if common.output != "table":
        print(msgspec.json.encode(step).decode(), flush=True)
        return
    cells = (
        moment_of_text(str(step.get("timestamp", ""))),
        str(step.get("function", "")),
        str(step.get("taskId", "")),
        str(step.get("status", step.get("event"))),
        str(step.get("reason", "")) or words(step.get("eventDetail", {})),
    )
    print("  ".join(plain(cell) for cell in cells).rstrip(), flush=True)
