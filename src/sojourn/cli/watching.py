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
            steps = _stream(client, function, task_id)
            if function is not None and task_id is not None:
                steps = _of_one(client, function, task_id, steps)
            return _told(steps, task_id, common)
        except (NotFound, Refused) as error:
            if error.code != "PathNotSupported":
                raise
            raise CommandFailed("this server has no stream of events", "use a newer server", exits.OTHER) from None


def _told(steps: Iterator[Mapping[str, Any]], task_id: str | None, common: Common) -> int:
    """Print the steps, of one task until it is over; the exit code tells how it ended."""
    status = ""
    for step in steps:
        status = str(step.get("status", ""))
        if status or "event" in step:
            _print(step, common)
        if task_id is not None and status in _OVER:
            break
    return exits.OK if status == Status.SUCCEEDED.value else exits.TASK_FAILED


def _stream(client: Client, function: str | None, task_id: str | None) -> Iterator[dict[str, Any]]:
    """The stream; when the server ends it, the next one goes on where it was, or fails as any call may."""
    last_id = ""
    while True:
        for step in client.watch(function, task_id, last_event_id=last_id):
            last_id = str(step.get("id", last_id))
            yield step


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
