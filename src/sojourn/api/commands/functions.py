"""Functions: create, get, update, delete, list; their code; and the switch that lets nothing of one start."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import orjson

from sojourn import older_signature
from sojourn.api import answer, paging, precondition
from sojourn.api.answer import EMPTY, Answer
from sojourn.api.call import Call, only
from sojourn.archive import ARCHIVE_BYTES_MAX
from sojourn.clock import MICROSECONDS_PER_SECOND, unscaled
from sojourn.errors import InvalidArgument
from sojourn.function import FUNCTION_NAME, Function

from .named import function_of, service_of, version_of

LIST = "functions"
CODE_SECONDS = 600
TRIGGER_BYTES_MAX = 512 * 1024
REASON_CHARACTERS_MAX = 256
UPLOAD_BYTES_MAX = ARCHIVE_BYTES_MAX * 4 // 3 + 1024 * 1024
"""The largest archive as base64, and the fields around it."""
VERSIONS = ("v2", "v3")


def upload(_: Mapping[bytes, bytes]) -> tuple[str, int]:
    """The bound of a body that carries code."""
    return "the request body", UPLOAD_BYTES_MAX


def trigger_limit(_: Mapping[bytes, bytes]) -> tuple[str, int]:
    """The bound of a body that carries a payload as text in text."""
    return "the request body", TRIGGER_BYTES_MAX


async def create(call: Call) -> Answer:
    """Create a function; one of a service that is not there brings it along, where the path does not name it."""
    body = call.dialect.function_body(call.json(), None)
    name = body.get("functionName")
    if call.dialect.services:
        body["internetAccess"] = service_of(call).internet_access
        body["functionName"] = f"{service_of(call).name}${name}" if isinstance(name, str) else name
    elif isinstance(name, str) and FUNCTION_NAME.fullmatch(name) and "$" in name:
        await call.backend.services.ensure(call.account_id, name.partition("$")[0])
    return _shown(call, await call.backend.catalog.create_function(call.account_id, body))


async def get(call: Call) -> Answer:
    """One function, or one of its versions."""
    return _shown(call, version_of(call))


async def update(call: Call) -> Answer:
    """Change a function; what the body does not give stays."""
    function = function_of(call)
    body = call.dialect.function_body(call.json(), function)
    own = function.short_name if call.dialect.services else function.name
    if body.get("functionName") not in (None, own):
        raise InvalidArgument("functionName", body["functionName"], f"must be absent or {own}: a name is for ever")
    change = partial(call.backend.catalog.update_function, call.account_id, function.name, body)
    return _shown(call, await precondition.guarded(call, partial(_look, call), change))


async def delete(call: Call) -> Answer:
    """Delete a function, with its versions and aliases; one that has triggers is refused."""
    function = function_of(call)

    async def change() -> None:
        call.backend.timers.check_none(function)
        await call.backend.catalog.delete_function(call.account_id, function.name)

    await precondition.guarded(call, partial(_look, call), change)
    return EMPTY


async def page(call: Call) -> Answer:
    """Some functions of the account, or of a service, by name."""
    backend, query = call.backend, call.query
    wanted = {} if call.dialect.services else decode_filter(query)
    within = f"{service_of(call).name}$" if call.dialect.services else ""
    if within and (qualifier := call.dialect.qualifier(call)):
        backend.services.check_qualifier(service_of(call), qualifier)
    functions = [
        function
        for function in backend.catalog.functions(call.account_id, within + query.get("prefix", ""))
        if matches(function, wanted)
    ]
    shown, token = paging.page(LIST, query, functions, lambda function: function.name.removeprefix(within))
    return answer.of_json(
        {
            "functions": [
                call.dialect.function(function, backend.settings.region, backend.runtimes.values())
                for function in shown
            ],
            "nextToken": token,
        }
    )


async def disable(call: Call) -> Answer:
    """DisableFunctionInvocation: nothing new starts; what runs is ended when the caller says so."""
    body = only(call.json(), "abortOngoingRequest", "reason")
    abort, reason = body.get("abortOngoingRequest"), body.get("reason")
    if not isinstance(abort, bool | None):
        raise InvalidArgument("abortOngoingRequest", abort, "must be true or false")
    if reason is not None and (not isinstance(reason, str) or len(reason) > REASON_CHARACTERS_MAX):
        raise InvalidArgument("reason", reason, f"must be text of at most {REASON_CHARACTERS_MAX} characters")
    function = await call.backend.catalog.disable(function_of(call), reason or "")
    if abort:
        await call.backend.dispatcher.abort(function, call.key.id)
    return answer.of_json({"success": True})


async def enable(call: Call) -> Answer:
    """EnableFunctionInvocation."""
    await call.backend.catalog.enable(function_of(call))
    return answer.of_json({"success": True})


async def code(call: Call) -> Answer:
    """GetFunctionCode: an address from which the archive can be had for some minutes, signed with the caller's key.

    Who comes with an access token has nothing to sign with, and brings it there too.
    """
    backend, function = call.backend, version_of(call)
    now_seconds = unscaled(backend.clock).now() // MICROSECONDS_PER_SECOND
    path = f"/v1/code/{function.code.digest}"
    if call.key.secret:
        path = older_signature.sign_url(
            "GET",
            path,
            access_key_id=call.key.id,
            secret=call.key.secret,
            token=call.key.token,
            expires=now_seconds + CODE_SECONDS,
        )
    return answer.of_json({"url": call.origin + path, "checksum": function.code.checksum})


async def download(call: Call) -> Answer:
    """The archive that an address of GetFunctionCode leads to; only of the caller's own functions."""
    digest = call.path["digest"]
    archive = await call.backend.catalog.archive(call.account_id, digest)
    return Answer(200, archive, b"application/zip")


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
    return precondition.shown(call, _object(call, function))


def _look(call: Call) -> dict[str, object]:
    return _object(call, function_of(call))


def _object(call: Call, function: Function) -> dict[str, object]:
    backend = call.backend
    return call.dialect.function(function, backend.settings.region, backend.runtimes.values())
