"""What the fake server says of a batch, line by line."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any


def outcomes(body: bytes, submit: Callable[[str | None, str], str | None]) -> dict[str, Any]:
    """The answer to a batch; `submit(task id or None, payload)` gives the task its id, None when it is taken."""
    results: list[dict[str, Any]] = []
    for number, line in enumerate(body.split(b"\n"), 1):
        result: dict[str, Any] = {"line": number}
        try:
            fields = json.loads(line)
        except ValueError:
            result |= {"status": 400, "code": "InvalidArgument", "message": "line must be a JSON object"}
        else:
            payload = base64.b64decode(fields.get("payloadBase64", "")).decode("utf-8", "replace")
            task_id = submit(fields.get("taskId"), payload)
            result |= {"status": 202, "taskId": task_id, "requestId": f"1-req-{number}"}
            if task_id is None:
                message = f"async task '{fields['taskId']}' already exists"
                result = {"line": number, "status": 409, "code": "AsyncTaskAlreadyExists", "message": message}
        results.append(result)
    return {"accepted": sum(each["status"] == 202 for each in results), "results": results}
