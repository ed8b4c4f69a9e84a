"""CreateFunction, GetFunction, UpdateFunction, DeleteFunction, ListFunctions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from sojourn.api import answer, paging
from sojourn.api.answer import EMPTY, Answer
from sojourn.api.call import Call
from sojourn.archive import ARCHIVE_BYTES_MAX
from sojourn.errors import InvalidArgument
from sojourn.function import Function, check_qualifier

from .wire import function_object

LIST = "functions"
UPLOAD_BYTES_MAX = ARCHIVE_BYTES_MAX * 4 // 3 + 1024 * 1024
"""The largest archive as base64, and the fields around it."""
VERSIONS = ("v2", "v3")


def upload(_: Mapping[bytes, bytes]) -> tuple[str, int]:
    """The bound of a body that carries code."""
    return "the request body", UPLOAD_BYTES_MAX


async def create(call: Call) -> Answer:
    """Create a function."""
    return _shown(call, await call.backend.catalog.create_function(call.account_id, call.json()))


async def get(call: Call) -> Answer:
    """One function."""
    function = call.backend.catalog.function(call.account_id, call.path["function"])
    check_qualifier(function.name, call.query.get("qualifier"))
    return _shown(call, function)


async def update(call: Call) -> Answer:
    """Change a function; what the body does not give stays."""
    name = call.path["function"]
    body = call.json()
    if body.get("functionName") not in (None, name):
        raise InvalidArgument("functionName", body["functionName"], f"must be absent or {name}: a name is for ever")
    return _shown(call, await call.backend.catalog.update_function(call.account_id, name, body))


async def delete(call: Call) -> Answer:
    """Delete a function."""
    await call.backend.catalog.delete_function(call.account_id, call.path["function"])
    return EMPTY


async def page(call: Call) -> Answer:
    """Some functions of the account, by name."""
    backend, query = call.backend, call.query
    limit, after = paging.limit_of(query), paging.position_of(LIST, query)
    wanted = decode_filter(query)
    functions = [
        function
        for function in backend.catalog.functions(call.account_id, query.get("prefix", ""))
        if (after is None or function.name > after) and matches(function, wanted)
    ]
    shown = functions[:limit]
    return answer.of_json(
        {
            "functions": [
                function_object(function, backend.settings.region, backend.runtimes.values()) for function in shown
            ],
            "nextToken": paging.token(LIST, shown[-1].name) if len(functions) > limit else "",
        }
    )


def decode_filter(query: Mapping[str, str]) -> dict[str, Any]:
    """The filters of ListFunctions that can leave something out; each must match.

    Raises
    ------
    InvalidArgument: one of them is not what it must be.

    """
    names = ("functionName", "description", "runtime", "fcVersion", "gpuType")
    wanted: dict[str, Any] = {name: query[name] for name in names if name in query}
    if wanted.get("fcVersion", VERSIONS[0]) not in VERSIONS:
        raise InvalidArgument("fcVersion", wanted["fcVersion"], f"must be one of {VERSIONS}")
    if "tags" in query:
        wanted["tags"] = _tags(query["tags"])
    return wanted


def matches(function: Function, wanted: Mapping[str, Any]) -> bool:
    """Whether `function` passes the filters: name and description by a part of them, the rest exactly."""
    config = function.config
    return (
        wanted.get("functionName", "") in function.name
        and wanted.get("description", "") in config.description
        and wanted.get("runtime", config.runtime) == config.runtime
        and wanted.get("fcVersion", "v3") == "v3"
        and "gpuType" not in wanted  # nothing here has a GPU
        and all(_tagged(function, tag) for tag in wanted.get("tags", ()))
    )


def _tags(text: str) -> list[dict[str, str]]:
    """`[{"key": …, "value": …}]` in JSON; clients write the names with a small or a capital letter."""
    bound = "must be a JSON list of objects with key and value"
    try:
        decoded = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise InvalidArgument("tags", text, bound) from None
    if not isinstance(decoded, list) or not all(isinstance(tag, dict) for tag in decoded):
        raise InvalidArgument("tags", text, bound)
    tags = [{str(name).lower(): value for name, value in tag.items() if value is not None} for tag in decoded]
    if not all("key" in tag and all(isinstance(value, str) for value in tag.values()) for tag in tags):
        raise InvalidArgument("tags", text, bound)
    return tags


def _tagged(function: Function, wanted: Mapping[str, str]) -> bool:
    return any(
        tag["key"] == wanted["key"] and wanted.get("value", tag["value"]) == tag["value"]
        for tag in function.config.tags
    )


def _shown(call: Call, function: Function) -> Answer:
    backend = call.backend
    return answer.of_json(function_object(function, backend.settings.region, backend.runtimes.values()))
