"""Parameters of requests: names in paths, questions in queries, and the headers of an invocation.

An empty parameter of a query is one that was not given, and one that is not listed here changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sojourn import alias, function, trigger
from sojourn import filter as filters
from sojourn.api.commands import functions, instances, tags, tasks
from sojourn.api.paging import LIMIT_BOUNDS, TOKEN_CHARACTERS_MAX
from sojourn.api.tasklogs import FORMATS
from sojourn.statistics import WINDOWS
from sojourn.task import Status

from .schema import BOOLEAN, TEXT, Schema, choice, integer, listed, nullable, text

Parameter = dict[str, Any]

SHORT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_MOMENT = integer(tasks.MILLISECONDS_BOUNDS, description="milliseconds since 1970")
_NOT_EMPTY = {"type": "string", "minLength": 1}

NAMES: Mapping[str, Schema] = {
    "function": text(pattern=function.FUNCTION_NAME),
    "service": text(pattern=function.SERVICE_NAME),
    "trigger": text(pattern=trigger.NAME),
    "alias": text(pattern=alias.NAME),
    "version": text(pattern=alias.VERSION),
    "account": text(pattern=function.ACCOUNT_ID),
    "digest": text(pattern=re.compile(r"[0-9a-f]{64}")),
}
"""Names in paths; one that is not here may be any text."""


def named(name: str, *, services: bool, qualified: bool) -> Parameter:
    """A part of the path; `qualified` services have a version or an alias behind a dot."""
    schema = NAMES.get(name, _NOT_EMPTY)
    if name == "function" and services:
        schema = text(pattern=SHORT_NAME)
    if name == "service" and qualified:
        schema = text(pattern=re.compile(rf"{function.SERVICE_NAME.pattern}(\.[A-Za-z0-9_-]{{1,128}})?"))
    return {"name": name, "in": "path", "required": True, "schema": schema}


def query(name: str, schema: Schema = TEXT, description: str = "") -> Parameter:
    """A parameter of the query; an empty one is not given."""
    found: Parameter = {"name": name, "in": "query", "schema": schema, "allowEmptyValue": True}
    return found | ({"description": description} if description else {})


def json_query(name: str, schema: Schema, description: str = "") -> Parameter:
    """A parameter of the query that is JSON."""
    found: Parameter = {"name": name, "in": "query", "content": {"application/json": {"schema": schema}}}
    return found | ({"description": description} if description else {})


def header(name: str, schema: Schema = TEXT, description: str = "") -> Parameter:
    """A header; an empty one is not given."""
    found: Parameter = {"name": name, "in": "header", "schema": schema}
    return found | ({"description": description} if description else {})


QUALIFIER = query("qualifier", description="a version or an alias; LATEST for none")
LIMIT = query("limit", integer(LIMIT_BOUNDS))
NEXT = query("nextToken", text(TOKEN_CHARACTERS_MAX), "what the page before gave")
PREFIX = query("prefix")
START = query("startKey", description="the first page begins with this name")
PAGE = (LIMIT, NEXT)
NAMED_PAGE = (*PAGE, PREFIX, START)
OF_FUNCTION = query("functionName")

_TAG = {
    "type": "object",
    "properties": {"key": TEXT, "value": nullable(TEXT), "Key": TEXT, "Value": nullable(TEXT)},
    "anyOf": [{"required": ["key"]}, {"required": ["Key"]}],
}
FUNCTIONS = (
    *NAMED_PAGE,
    OF_FUNCTION,
    query("description"),
    query("runtime"),
    query("fcVersion", choice(*functions.VERSIONS)),
    query("gpuType"),
    json_query("tags", listed(_TAG)),
)
VERSIONS = (
    *PAGE,
    query("direction", choice("FORWARD", "BACKWARD")),
    query("startKey", text(pattern=alias.VERSION)),
)
INSTANCES = (
    QUALIFIER,
    query("limit", integer(instances.LIMIT_BOUNDS)),
    query("startKey"),
    query("startTimeMs", _MOMENT),
    query("endTimeMs", _MOMENT),
    query("withAllActive", BOOLEAN),
    json_query("instanceIds", listed(TEXT)),
    json_query("instanceStatus", listed(TEXT)),
)
RESOURCES = (
    query("ResourceType", text(pattern=tags.KIND)),
    query("ResourceId", description="a resource, or a JSON list of them"),
)
UNTAGGED = (*RESOURCES, query("TagKey", description="a key, or a JSON list of them"), query("All", BOOLEAN))
TAGGED = (
    *RESOURCES,
    json_query("Tag", listed({"type": "object", "properties": {"Key": TEXT, "Value": TEXT}, "required": ["Key"]})),
    query("Limit", integer(LIMIT_BOUNDS)),
    query("NextToken", text(TOKEN_CHARACTERS_MAX)),
)
LOGS = (query("follow", BOOLEAN, "wait for what is going to be written"), query("format", choice(*FORMATS)))

_TIME = text(description="RFC 3339, or milliseconds since 1970", examples=["2026-11-24T01:50:00Z"])


def find_tasks() -> tuple[Parameter, ...]:
    """The parameters of a search for tasks: a filter, and which page."""
    duration = integer(filters.DURATION_MS_BOUNDS)
    return (
        query("status", description="names of statuses with commas between them"),
        query("function", text(pattern=function.FUNCTION_NAME)),
        *(query(name, _TIME) for name in ("createdFrom", "createdTo", "endedFrom", "endedTo")),
        query("idPrefix", text(filters.TEXT_CHARACTERS_MAX)),
        query("errorText", text(filters.TEXT_CHARACTERS_MAX)),
        query("tags", description="key=value pairs with commas between them"),
        query("minDurationMs", duration),
        query("maxDurationMs", duration),
        query("account", description="whose, for the account that operates the server; the caller's own for none"),
        query("order", choice("newest", "oldest")),
        *PAGE,
    )


STATISTICS = (query("window", choice(*WINDOWS), "which one stands at the top; all of them are there"),)
_LAST_ID = text(pattern=re.compile(r"(?:[0-9]{1,15}-[0-9]{1,18}(?:\.[0-9]{1,6})?)?"))
WATCH = (
    query("function", description="only steps of its tasks"),
    query("taskId", description="only steps of this task of the function"),
    query("lastEventId", _LAST_ID, "the same as the header"),
    header("Last-Event-ID", _LAST_ID, "the id of the last event that is known, to go on after it"),
)

_TASK_NAME = text(pattern=re.compile(f"(?:{function.TASK_NAME.pattern})?"))
_DELAY = {"anyOf": [integer(function.DELAY_SECONDS_BOUNDS), {"const": ""}]}
INVOCATION = (
    header("x-fc-invocation-type", choice("Sync", "Async", ""), "Async submits a task"),
    header("x-fc-async-task-id", _TASK_NAME, "the id of the task, of the caller's choice"),
    header("x-fc-stateful-async-invocation-id", _TASK_NAME, "the same, as older generations call it"),
    header("x-fc-async-delay", _DELAY, "seconds"),
    header("x-sojourn-task-tags", description="`key=value` pairs of the caller's own, with commas between them"),
    header("x-fc-log-type", choice("None", "Tail", ""), "Tail asks for the end of the log of a synchronous call"),
)


def tasks_page(prefix: str) -> tuple[Parameter, ...]:
    """The parameters of a list of tasks; `prefix` narrows it by their ids."""
    return (
        QUALIFIER,
        *PAGE,
        query(prefix, text(tasks.PREFIX_CHARACTERS_MAX)),
        query("status", choice(*(status.value for status in Status))),
        query("startedTimeBegin", _MOMENT),
        query("startedTimeEnd", _MOMENT),
        query("sortOrderByTime", choice("asc", "desc")),
        query("includePayload", BOOLEAN),
    )


TAG = {
    "name": "tags",
    "in": "query",
    "style": "form",
    "explode": True,
    "schema": {"type": "object", "patternProperties": {"^tag_": TEXT}, "additionalProperties": False},
    "description": "tag_KEY=VALUE narrows the list to what has this tag",
}
RESOURCE_ARN = query("resourceArn", text(pattern=tags.ARN))


def required(parameter: Parameter) -> Parameter:
    """The same, and there is no request without it."""
    return {name: each for name, each in parameter.items() if name != "allowEmptyValue"} | {"required": True}


REVISION = header("If-Match", TEXT, "the ETag that the change is for")
