"""How a task looks in a terminal: a row in a list, or a page with its history."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sojourn.client import Delivery, Task, TaskEvent

from .display import Cell, moment, print_facts, print_table, status, zone

HEADS = ("TASK", "STATUS", "STARTED", "DURATION", "RETRIES", "ERROR")


DELIVERY_HEADS = ("DESTINATION", "STATUS", "ROUND", "ATTEMPTS", "NEXT", "ERROR")


def row(task: Task) -> Sequence[Cell]:
    """The cells under `HEADS`."""
    return (
        task.task_id,
        status(task.status.value),
        moment(task.started_time),
        duration(task),
        str(task.already_retried_times),
        task.task_error_message,
    )


def delivery_row(delivery: Delivery) -> Sequence[Cell]:
    """The cells under `DELIVERY_HEADS`."""
    return (
        delivery.destination,
        status(delivery.status),
        str(delivery.round),
        str(delivery.attempts),
        delivery.next_attempt_time,
        delivery.last_error,
    )


def print_task(task: Task) -> None:
    """All of a task, and its history with milliseconds."""
    print_facts(
        (
            ("Task", task.task_id),
            ("Function", task.function_name),
            ("Status", status(task.status.value)),
            ("Started", moment(task.started_time)),
            ("Ended", moment(task.end_time)),
            ("Duration", duration(task)),
            ("Retries", str(task.already_retried_times)),
            ("Instance", task.instance_id),
            ("Request", task.request_id),
            ("Error", task.task_error_message),
            ("Delivery", task.destination_status),
            ("Payload", task.task_payload),
            ("Result", task.return_payload),
        )
    )
    if task.events:
        print()
        began = task.events[0].timestamp
        print_table(
            ("#", f"TIME ({zone()})", "AFTER", "STATUS", "DETAIL"),
            [
                (
                    str(event.event_id),
                    moment(event.timestamp),
                    f"{event.timestamp - began} ms",
                    status(event.status.value),
                    detail(event),
                )
                for event in task.events
            ],
        )


def duration(task: Task) -> str:
    """How long the last attempt took, or has taken so far; "" while none has begun."""
    return f"{task.duration_ms} ms" if task.end_time or task.duration_ms else ""


def detail(event: TaskEvent) -> str:
    """An event's detail as `name=value` words; as it is when it is no JSON object."""
    try:
        pairs = event.detail
    except ValueError:
        return event.event_detail
    return words(pairs) or event.event_detail


def words(pairs: Mapping[str, object]) -> str:
    """A document as `name=value` words."""
    return " ".join(f"{name}={_value(value)}" for name, value in pairs.items())


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
