"""The `x-fc-` headers by which a program of the user's is told of function and execution."""

from __future__ import annotations

import time
from typing import Any

_HOOK_HEADERS = {
    "initializer": "x-fc-function-initializer",
    "pre_stop": "x-fc-instance-lifecycle-pre-stop-handler",
    "pre_freeze": "x-fc-instance-lifecycle-pre-freeze-handler",
}


class Headers:
    """Makes headers from what `spec` says of the function, which is the same for all executions.

    Credentials are empty: functions get none. Values are bytes, because a handler may be spelled with any letter.
    """

    def __init__(self, spec: dict[str, Any]) -> None:
        facts = spec["context"]
        hooks = spec.get("lifecycle") or {}
        self._timeout_seconds = int(facts.get("timeout") or 0)
        fixed = {
            "x-fc-access-key-id": "",
            "x-fc-access-key-secret": "",
            "x-fc-security-token": "",
            "x-fc-function-name": facts.get("name", ""),
            "x-fc-function-handler": facts.get("handler", ""),
            "x-fc-function-memory": facts.get("memory", 0),
            "x-fc-function-timeout": self._timeout_seconds,
            "x-fc-region": facts.get("region", ""),
            "x-fc-account-id": facts.get("account_id", ""),
            "x-fc-qualifier": facts.get("qualifier", ""),
            "x-fc-version-id": facts.get("version_id", ""),
            "x-fc-service-name": facts.get("service", ""),
            "x-fc-service-logproject": facts.get("log_project", ""),
            "x-fc-service-logstore": facts.get("log_store", ""),
            "x-fc-instance-id": spec["id"],
        }
        for name, header in _HOOK_HEADERS.items():
            if hooks.get(name):
                fixed[header] = hooks[name]["handler"]
        if hooks.get("initializer"):
            fixed["x-fc-initialization-timeout"] = hooks["initializer"]["timeout"]
        self._fixed = {name: str(value).encode() for name, value in fixed.items()}

    def invocation(self, request_id: str, retry: int, deadline_at: int) -> dict[str, bytes]:
        """Those of an execution; `deadline_at` in microseconds since 1970, 0 for as long as the function's timeout."""
        deadline_ms = deadline_at // 1000 or _now_ms() + self._timeout_seconds * 1000
        return self._with(request_id, {"x-fc-retry-count": str(retry), "x-fc-function-deadline": str(deadline_ms)})

    def hook(self, asked: dict[str, Any]) -> dict[str, bytes]:
        """Those of a hook, from the body of its HOOK."""
        timeout_ms = int(asked["timeout_ms"])
        told = {"x-fc-function-deadline": str(_now_ms() + timeout_ms)}
        if asked["hook"] == "pre_stop":
            told["x-fc-stop-reason"] = str(asked["reason"])
            told["x-fc-task-id"] = str(asked["task_id"])
            told["x-fc-remaining-ms"] = str(timeout_ms)
        return self._with(str(asked["request_id"]), told)

    def _with(self, request_id: str, more: dict[str, str]) -> dict[str, bytes]:
        found = {"x-fc-request-id": request_id.encode(), **self._fixed}
        for name, value in more.items():
            found[name] = value.encode()
        return found


def _now_ms() -> int:
    return int(time.time() * 1000)
