"""What the answers of steering hold: stops, reruns, queues, operations on many tasks."""

from __future__ import annotations

from sojourn.bulk import OperationStatus, Verb
from sojourn.task import Status

from .schema import BOOLEAN, INTEGER, NUMBER, STAMP, TEXT, Schema, choice, listed, mapping, nullable, ref, shown

STATUS = choice(*(status.value for status in Status))


def steering() -> dict[str, Schema]:
    """The bodies by name."""
    return {
        "Stopped": shown({"functionName": TEXT, "taskId": TEXT, "status": STATUS}),
        "Rerun": shown(
            {
                "functionName": TEXT,
                "taskId": TEXT,
                "requestId": TEXT,
                "status": STATUS,
                "rerunOf": TEXT,
                "tags": mapping(TEXT),
            }
        ),
        "Progress": shown(
            {
                "taskId": TEXT,
                "attempt": {"type": "integer", "description": "which one reported it, 0 when none did"},
                "percent": nullable(NUMBER),
                "message": TEXT,
                "reportedTime": nullable(STAMP),
                "checkpoint": {"type": "string", "contentEncoding": "base64"},
                "checkpointEncoding": choice("base64"),
            }
        ),
        "Queue": shown(
            {
                "functionName": TEXT,
                "paused": BOOLEAN,
                "pausedSince": {"type": "string", "description": "a time, or empty when it is not paused"},
            }
        ),
        "DryRun": shown({"dryRun": choice(True), "count": INTEGER}),
        "Operation": shown(
            {
                "operationId": TEXT,
                "verb": choice(*(verb.value for verb in Verb)),
                "filter": mapping({}),
                "status": choice(*(status.value for status in OperationStatus)),
                "actor": {"type": "string", "description": "the access key that asked for it"},
                "total": {"type": ["integer", "null"], "description": "the tasks that were meant, null until counted"},
                "done": INTEGER,
                "skipped": INTEGER,
                "skippedReason": TEXT,
                "createdTime": STAMP,
                "endTime": nullable(STAMP),
            }
        ),
        "Operations": shown({"operations": listed(ref("Operation"))}),
    }
