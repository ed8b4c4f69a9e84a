"""What the bodies of the native API's answers hold, as `answers` has those of Function Compute's."""

from __future__ import annotations

from sojourn.access import Scope
from sojourn.destination import DeliveryStatus
from sojourn.explanation import Code
from sojourn.instance import Status as InstanceStatus
from sojourn.statistics import WINDOWS
from sojourn.task import Status

from . import steering_answers
from .schema import BOOLEAN, INTEGER, NUMBER, STAMP, TEXT, Schema, choice, listed, mapping, nullable, ref, shown

_DELIVERY_STATUS = choice(*(status.value for status in DeliveryStatus))
_STATUS = choice(*(status.value for status in Status))
_ENCODING = choice("base64")
_TASK: dict[str, Schema] = {
    "account": TEXT,
    "function": TEXT,
    "qualifier": TEXT,
    "taskId": TEXT,
    "requestId": TEXT,
    "status": _STATUS,
    "createdTime": STAMP,
    "dueTime": nullable(STAMP),
    "expirationTime": STAMP,
    "startedTime": nullable(STAMP),
    "endTime": nullable(STAMP),
    "waitMs": {"type": "integer", "description": "from its submission to its first start, its end, or now"},
    "durationMs": nullable({"type": "integer", "description": "from its first start to its end, or now"}),
    "attempts": INTEGER,
    "retries": INTEGER,
    "retriesMax": INTEGER,
    "losses": INTEGER,
    "error": TEXT,
    "instanceId": TEXT,
    "tags": mapping(TEXT),
    "rerunOf": TEXT,
}
_SPREAD = shown({"count": INTEGER, **dict.fromkeys(("p50Ms", "p95Ms", "p99Ms"), nullable(NUMBER))})
_WINDOW: dict[str, Schema] = {
    "submitted": INTEGER,
    "ended": mapping(INTEGER),
    "submittedPerSecond": NUMBER,
    "endedPerSecond": NUMBER,
    "wait": _SPREAD,
    "run": _SPREAD,
}
_TOKEN: dict[str, Schema] = {
    "id": TEXT,
    "name": TEXT,
    "scope": choice(*(scope.value for scope in Scope)),
    "createdTime": STAMP,
    "expiration": nullable(STAMP),
}


def native() -> dict[str, Schema]:
    """All bodies of answers of the native API by name."""
    return {
        "Key": shown({"accountId": TEXT, "accessKeyId": TEXT, "accessKeySecret": TEXT}),
        "Accounts": shown(
            {"accounts": listed(shown({"accountId": TEXT, "owner": BOOLEAN, "createdTime": STAMP}))},
        ),
        "TemporaryKey": shown(
            {"accessKeyId": TEXT, "accessKeySecret": TEXT, "securityToken": TEXT, "expiration": STAMP}
        ),
        "Token": shown(_TOKEN),
        "Tokens": shown({"tokens": listed(ref("Token"))}),
        "NewToken": shown({**_TOKEN, "token": TEXT}),
        "Task": shown(
            {
                **_TASK,
                "events": listed(ref("TaskEvent")),
                "payload": TEXT,
                "result": TEXT,
            },
            {"payloadEncoding": _ENCODING, "resultEncoding": _ENCODING},
        ),
        "FoundTask": shown(_TASK),
        "TaskPage": shown(
            {
                "tasks": listed(ref("FoundTask")),
                "nextToken": {"type": "string", "description": '"" when there is nothing more'},
                "scannedTo": nullable(STAMP),
            }
        ),
        "Window": shown(_WINDOW),
        "Statistics": shown(
            {
                "function": TEXT,
                "since": STAMP,
                "statuses": mapping(INTEGER),
                "queueDepth": INTEGER,
                "oldestWaitMs": nullable(INTEGER),
                "window": choice(*WINDOWS),
                **_WINDOW,
                "windows": shown({name: ref("Window") for name in WINDOWS}),
            }
        ),
        "Nodes": shown(
            {
                "nodes": listed(
                    shown(
                        {
                            "node": TEXT,
                            "version": TEXT,
                            "incarnation": INTEGER,
                            "startedTime": STAMP,
                            "ready": BOOLEAN,
                            "memoryMb": INTEGER,
                            "instancesMax": INTEGER,
                        }
                    )
                )
            }
        ),
        "AuditPage": shown(
            {
                "entries": listed(
                    shown(
                        {
                            "time": STAMP,
                            "account": TEXT,
                            "actor": {"type": "string", "description": "the id of the key or of the access token"},
                            "operation": TEXT,
                            "method": TEXT,
                            "target": TEXT,
                            "requestId": TEXT,
                            "status": INTEGER,
                            "code": TEXT,
                        }
                    )
                ),
                "nextToken": TEXT,
            }
        ),
        "Explanation": shown(
            {
                "taskId": TEXT,
                "status": _STATUS,
                "since": STAMP,
                "blockedBy": listed(
                    shown(
                        {
                            "code": choice(*(code.value for code in Code)),
                            "message": TEXT,
                            "scope": TEXT,
                            "limit": nullable(INTEGER),
                            "holders": listed(TEXT),
                            "etaMs": nullable(INTEGER),
                        }
                    )
                ),
                "position": nullable({"type": "integer", "description": "how many tasks of the function go before it"}),
                "nextCheck": nullable(STAMP),
            }
        ),
        "TaskEvent": shown({"eventId": INTEGER, "status": _STATUS, "timestamp": STAMP, "eventDetail": mapping({})}),
        "TaskEvents": shown({"taskId": TEXT, "status": _STATUS, "events": listed(ref("TaskEvent"))}),
        "Logs": shown({"logs": listed(shown({"attempt": INTEGER, "text": TEXT, "dropped": INTEGER}))}),
        "Isolation": shown(
            {
                "driver": TEXT,
                "level": INTEGER,
                "text": TEXT,
                "limits": TEXT,
                "multiAccount": BOOLEAN,
                "network": TEXT,
            }
        ),
        "Integrity": shown(
            {
                "invariantViolations": INTEGER,
                "violations": listed(TEXT),
                "tasks": INTEGER,
                "events": INTEGER,
                "functions": INTEGER,
            }
        ),
        "Instance": shown(
            {
                "id": TEXT,
                "function": TEXT,
                "qualifier": TEXT,
                "status": choice(*(status.value for status in InstanceStatus)),
                "since": STAMP,
                "createdTime": STAMP,
                "memorySize": INTEGER,
                "concurrency": INTEGER,
                "inFlight": listed(shown({"requestId": TEXT, "taskId": TEXT})),
                "invocations": INTEGER,
                "aheadOfDemand": BOOLEAN,
                "coldStart": mapping(NUMBER),
                "memoryBytes": nullable(INTEGER),
                "memoryPeakBytes": nullable(INTEGER),
                "cpuSeconds": nullable(NUMBER),
                "processes": nullable(INTEGER),
                "isolation": shown({"level": INTEGER, "driver": TEXT}),
                "node": TEXT,
            }
        ),
        "Instances": shown({"instances": listed(ref("Instance"))}),
        "InstanceEvents": shown(
            {
                "instanceId": TEXT,
                "events": listed(shown({"at": STAMP, "event": TEXT, "detail": mapping({})})),
                "dropped": INTEGER,
            }
        ),
        "Delivery": shown(
            {
                "taskId": TEXT,
                "destination": TEXT,
                "status": _DELIVERY_STATUS,
                "round": INTEGER,
                "attempts": INTEGER,
                "lastError": TEXT,
                "createdTime": STAMP,
                "nextAttemptTime": {"type": "string", "description": "a time, or empty when nothing more is sent"},
                "endTime": {"type": "string", "description": "a time, or empty while it is not over"},
            }
        ),
        "SubmittedTask": shown({"taskId": TEXT, "requestId": TEXT}),
        "SubmittedTasks": shown(
            {
                "accepted": INTEGER,
                "results": listed(
                    shown(
                        {"line": INTEGER, "status": INTEGER},
                        dict.fromkeys(("taskId", "requestId", "code", "message", "field", "value", "bound"), TEXT),
                    )
                ),
            }
        ),
        "Deliveries": shown({"deliveries": listed(ref("Delivery"))}),
        **steering_answers.steering(),
        "WebhookSecret": shown({"secret": TEXT}),
        "Health": shown({"status": choice("ok")}),
        "About": shown({"name": choice("sojourn"), "version": TEXT, "apiVersions": listed(TEXT)}),
    }
