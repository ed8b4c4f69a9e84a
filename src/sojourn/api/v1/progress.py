"""Progress in the native API: what a task says of itself, from inside its sandbox or from wherever its work is done."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from sojourn.api import answer
from sojourn.api.answer import Answer
from sojourn.api.call import Call
from sojourn.api.operation import Handler, Limit
from sojourn.progress import Progress, parse
from sojourn.queue import wire_name
from sojourn.refusals import TaskNotRunning
from sojourn.task import Status, Task
from sojourn.times import rfc3339

from .named import task_of
from .steering import larger

ACCEPTED = 202


async def get(call: Call) -> Answer:
    """What a task has reported of how far it is, and its checkpoint."""
    task = await task_of(call)
    found = (await call.backend.reports.of([task.id])).get(task.id)
    return answer.of_json(progress_object(task, found))


async def report(call: Call) -> Answer:
    """Say how far a running task is; what is left out stays as it was. It is durable within a quarter of a second."""
    given = parse({name: value for name, value in call.json().items() if value is not None})
    task = await task_of(call)
    if task.status is not Status.RUNNING:
        raise TaskNotRunning(wire_name(task), task.status.value)
    progress = await call.backend.reports.report(task, given)
    return answer.of_json(progress_object(task, progress), ACCEPTED)


def progress_object(task: Task, progress: Progress | None) -> dict[str, object]:
    """Progress as callers see it; of a task that never reported nothing is known."""
    known = progress or Progress(task_id=task.id, attempt=0)
    return {
        "taskId": wire_name(task),
        "attempt": known.attempt,
        "percent": known.percent,
        "message": known.message,
        "reportedTime": rfc3339(known.at) if known.at else None,
        "checkpoint": base64.b64encode(known.checkpoint).decode(),
        "checkpointEncoding": "base64",
    }


_PROGRESS = "/v1/functions/{function}/tasks/{task}/progress"
OPERATIONS: tuple[tuple[str, str, Handler], ...] = (
    ("GET", _PROGRESS, get),
    ("POST", _PROGRESS, report),
)
LIMITS: Mapping[Handler, Limit] = {report: larger}
