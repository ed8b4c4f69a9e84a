"""Functions and tasks as the fake server shows them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

BEGAN_MS = 1_795_000_000_123
OVER = ("Succeeded", "Failed", "Stopped", "Expired", "Invalid")


def function_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """A function as the server shows it."""
    own = {name: value for name, value in body.items() if name != "code"}
    return {
        "functionArn": f"acs:fc:local:owner:functions/{body['functionName']}",
        "memorySize": 512,
        "timeout": 3,
        "codeSize": 1234,
        "codeChecksum": "42",
        "createdTime": "2026-11-24T01:50:00Z",
        "lastModifiedTime": "2026-11-24T01:50:00Z",
        "state": "Active",
        "somethingNew": {"from": "a later version"},
    } | own


def task_of(
    function: str, task_id: str, ahead: list[str], before: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """A task that stands at the first of `ahead`."""
    events = list(before or [])
    number = len(events) + 1
    detail = json.dumps({"attempt": 1, "instanceId": "i-1"}) if ahead[0] == "Running" else ""
    events.append(
        {"eventId": number, "status": ahead[0], "timestamp": BEGAN_MS + 7 * (number - 1), "eventDetail": detail}
    )
    over = ahead[0] in OVER
    return {
        "taskId": task_id,
        "functionArn": f"acs:fc:local:owner:functions/{function}",
        "qualifier": "LATEST",
        "status": ahead[0],
        "startedTime": BEGAN_MS,
        "endTime": BEGAN_MS + 21 if over else 0,
        "durationMs": 21 if over else 0,
        "taskErrorMessage": "UnhandledInvocationError" if ahead[0] == "Failed" else "",
        "taskPayload": "",
        "returnPayload": "done" if over else "",
        "alreadyRetriedTimes": 0,
        "requestId": "1-req",
        "instanceId": "i-1",
        "events": events,
        "ahead": ahead,
    }
