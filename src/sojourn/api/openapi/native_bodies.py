"""What the bodies of the native API's requests may hold, as `bodies` has those of Function Compute's."""

from __future__ import annotations

from collections.abc import Mapping

from sojourn import filter as filters
from sojourn import function
from sojourn import tags as task_tags_of
from sojourn.access import Scope
from sojourn.accounts import TEMPORARY_SECONDS_BOUNDS
from sojourn.progress import CHECKPOINT_BYTES_MAX, MESSAGE_CHARACTERS_MAX, PERCENT_BOUNDS
from sojourn.task import Status
from sojourn.times import MILLISECONDS_MAX
from sojourn.tokens import NAME_CHARACTERS_MAX, SECONDS_BOUNDS

from .schema import BOOLEAN, NOTHING, TEXT, Schema, choice, given, integer, listed, mapping, nullable, text


def _task_tags() -> Schema:
    """Tags of a task, as JSON has them."""
    return mapping(
        text(pattern=task_tags_of.VALUE),
        propertyNames=text(pattern=task_tags_of.KEY),
        maxProperties=task_tags_of.TAGS_MAX,
    )


def _task_filter() -> Schema:
    """The fields of a filter, as JSON has them."""
    moment = {
        "anyOf": [
            {"type": "string", "format": "date-time"},
            integer((0, MILLISECONDS_MAX), description="milliseconds since 1970"),
        ]
    }
    duration = integer(filters.DURATION_MS_BOUNDS, description="from the first start to the end, or to now")
    fields = {
        "status": listed(choice(*(status.value for status in Status)), None, 1),
        "function": text(pattern=function.FUNCTION_NAME, examples=["hello"]),
        "createdFrom": moment,
        "createdTo": moment,
        "endedFrom": moment,
        "endedTo": moment,
        "idPrefix": text(filters.TEXT_CHARACTERS_MAX),
        "errorText": text(filters.TEXT_CHARACTERS_MAX),
        "tags": _task_tags(),
        "minDurationMs": duration,
        "maxDurationMs": duration,
    }
    return given({name: fields[name] for name in filters.FIELDS}, other=NOTHING) | {"minProperties": 1}


_REPORTED = ("percent", "message", "checkpoint")
NATIVE: Mapping[str, Schema] = {
    "CreateAccountInput": {
        "type": "object",
        "properties": {"accountId": text(pattern=function.ACCOUNT_ID, examples=["team"])},
        "required": ["accountId"],
        "additionalProperties": NOTHING,
    },
    "SubmitTaskInput": given(
        {
            "taskId": text(pattern=function.TASK_NAME),
            "payload": {"description": "any JSON: the event is its text, byte for byte"},
            "payloadBase64": {
                "type": "string",
                "contentEncoding": "base64",
                "description": "or the bytes of the event",
            },
            "delaySeconds": integer(function.DELAY_SECONDS_BOUNDS),
            "qualifier": TEXT,
            "tags": _task_tags(),
        },
        other=False,
    ),
    "CreateTokenInput": {
        "type": "object",
        "properties": {
            "scope": choice(*(scope.value for scope in Scope)),
            "name": nullable(text(NAME_CHARACTERS_MAX)),
            "expiresInSeconds": nullable(integer(SECONDS_BOUNDS, description="none for one without an end")),
        },
        "required": ["scope"],
        "additionalProperties": NOTHING,
    },
    "NoInput": given({}, other=NOTHING),
    "StopInput": given({"force": BOOLEAN}, other=NOTHING),
    "EditInput": given({"tags": _task_tags()}, ["tags"], other=NOTHING),
    "RerunInput": given(
        {
            "payload": TEXT,
            "payloadEncoding": choice("base64"),
            "taskId": text(pattern=function.TASK_NAME),
            "delaySeconds": integer(function.DELAY_SECONDS_BOUNDS),
            "tags": _task_tags(),
        },
        other=NOTHING,
    ),
    "ReportInput": given(
        {
            "percent": {"type": "number", "minimum": PERCENT_BOUNDS[0], "maximum": PERCENT_BOUNDS[1]},
            "message": text(MESSAGE_CHARACTERS_MAX),
            "checkpoint": {**TEXT, "description": f"at most {CHECKPOINT_BYTES_MAX} bytes"},
            "checkpointEncoding": choice("base64"),
        },
        other=NOTHING,
    )
    | {"anyOf": [{"required": [name], "properties": {name: {"not": NOTHING}}} for name in _REPORTED]},
    "BulkInput": given({"filter": _task_filter(), "dryRun": BOOLEAN}, ["filter"], other=NOTHING),
    "CreateCredentialsInput": {
        "type": "object",
        "properties": {"durationSeconds": nullable(integer(TEMPORARY_SECONDS_BOUNDS))},
        "additionalProperties": NOTHING,
    },
}
EXAMPLES: Mapping[str, Mapping[str, object]] = {
    "SubmitTaskInput": {"taskId": "order-1", "payload": {"order": 1}, "delaySeconds": 5},
    "ReportInput": {"percent": 40, "message": "page 4 of 10", "checkpoint": "4"},
    "StopInput": {"force": True},
    "EditInput": {"tags": {"tenant": "t1"}},
    "RerunInput": {"payload": '{"order": 7}', "tags": {"tenant": "t1"}},
    "BulkInput": {"filter": {"status": ["Enqueued"], "function": "hello", "createdTo": 1}, "dryRun": True},
    "CreateTokenInput": {"scope": "read", "name": "dashboard", "expiresInSeconds": 2_592_000},
}
