"""Deliveries in the native API: what became of the record of a task, sending it again, and the secret that signs it."""

from __future__ import annotations

from sojourn.api import answer
from sojourn.api.answer import Answer
from sojourn.api.call import Call
from sojourn.api.operation import Handler
from sojourn.destination import Delivery
from sojourn.queue import wire_name
from sojourn.task import Task
from sojourn.times import rfc3339

from .named import task_of

ACCEPTED = 202


async def get_deliveries(call: Call) -> Answer:
    """The delivery of a task's record; none when it has no destination, or is not over."""
    task = await task_of(call)
    deliveries = await call.backend.deliveries.of([task])
    return answer.of_json({"deliveries": [delivery_object(task, each) for each in deliveries.values()]})


async def resend(call: Call) -> Answer:
    """Send the record of a task again, whatever became of it before; the answer says that this is durable."""
    task = await task_of(call)
    delivery = await call.backend.deliveries.resend(task, wire_name(task))
    return answer.of_json(delivery_object(task, delivery), ACCEPTED)


async def get_secret(call: Call) -> Answer:
    """The secret that signs the records of the caller's account."""
    return answer.of_json({"secret": await call.backend.catalog.webhook_secret(call.account_id)})


async def rotate_secret(call: Call) -> Answer:
    """Another secret from now on."""
    return answer.of_json({"secret": await call.backend.catalog.rotate_webhook_secret(call.account_id)})


def delivery_object(task: Task, delivery: Delivery) -> dict[str, object]:
    """A delivery as callers see it; a time that has not come is ""."""
    return {
        "taskId": wire_name(task),
        "destination": delivery.target,
        "status": delivery.status.value,
        "round": delivery.round,
        "attempts": delivery.attempts,
        "lastError": delivery.last_error,
        "createdTime": rfc3339(delivery.created_at),
        "nextAttemptTime": "" if delivery.over else rfc3339(delivery.due_at),
        "endTime": rfc3339(delivery.ended_at) if delivery.over else "",
    }


_TASK = "/v1/functions/{function}/tasks/{task}"
OPERATIONS: tuple[tuple[str, str, Handler], ...] = (
    ("GET", f"{_TASK}/deliveries", get_deliveries),
    ("POST", f"{_TASK}/deliveries:resend", resend),
    ("GET", "/v1/webhook-secret", get_secret),
    ("POST", "/v1/webhook-secret", rotate_secret),
)
