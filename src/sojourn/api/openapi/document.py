"""The four descriptions: every route of the server stands in one of them.

Paths, methods and commands are read from the tables that the router is made of. The addresses of HTTP triggers are
described by what leads to them; what comes back from there is the function's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from sojourn import __version__
from sojourn.access import Scope
from sojourn.api import addresses, health, metrics, scopes, v1, v2016_08_15, v2021_04_06, v2023_03_30
from sojourn.api.dialect import NATIVE, Dialect
from sojourn.api.operation import Handler
from sojourn.api.routing import LeftOut
from sojourn.api.v1 import submission
from sojourn.trigger import METHODS

from . import answers, bodies, native_answers, native_operations, operations, parameters
from .operations import ALWAYS, JSON, LINES, Described
from .schema import Schema, ref

Document = dict[str, Any]

OWN_PATH = "/openapi.json"
PROBLEM = "application/problem+json"
PRECONDITION_FAILED = 412
_GENERATIONS = {each.DIALECT.version: each for each in (v2023_03_30, v2021_04_06, v2016_08_15)}
NAMES = (NATIVE.version, *_GENERATIONS)
"""The APIs that have a description."""
_TITLES: Mapping[str, str] = {
    "v1": "Sojourn",
    "2023-03-30": "Function Compute 3.0 on Sojourn",
    "2021-04-06": "Function Compute 2.0 on Sojourn",
    "2016-08-15": "Function Compute 2.0 (classic) on Sojourn",
}
_ABOUT: Mapping[str, str] = {
    "v1": "What Function Compute's API lacks. Errors are problem documents (RFC 9457).",
    "2023-03-30": "Functions, and tasks of them.",
    "2021-04-06": "Services, their functions, and tasks of them; qualifiers stand in the query.",
    "2016-08-15": "Services, their functions, and tasks of them; qualifiers stand behind the service's name.",
}
_TOKENS = ("v1", "2023-03-30")
"""APIs that take access tokens."""
_MEANINGS: Mapping[int, str] = {
    400: "A parameter, a header or a field is not what it must be; the message names it, its value and its bound. "
    "An operation that is left out here answers so too (`PathNotSupported`).",
    403: "The request is not signed by a key of this server, not signed now, or was sent before; or the account, or "
    "the scope of the access token, may not do this.",
    404: "What is named does not exist, or is another account's.",
    409: "It exists already, is in use, or was changed by somebody else meanwhile.",
    412: "It is not, or is no longer, in a state in which this can be done.",
    429: "A limit is reached; `Retry-After` says when to come back.",
    500: "A fault of the server.",
    503: "The server is starting, draining, or cannot make it durable; `Retry-After` says when to come back.",
}
_PLAIN: Mapping[str, str] = {
    "Unready": _MEANINGS[503],
    "NoAddress": "No such address, or it is another account's; or the function's own 404.",
}
_KEY = (
    "`ACS3-HMAC-SHA256 Credential=…,SignedHeaders=…,Signature=…` over method, path, query and headers, with "
    "`x-acs-date`, `x-acs-signature-nonce` and `x-acs-content-sha256`; each request once, within 15 minutes. A key for "
    "a time goes with `x-acs-security-token`. `X-Fc-Account-Id` must be absent, empty, or the account of the key."
)
_OLDER_KEYS: Mapping[str, str] = {
    "2023-03-30": " `acs KEY:SIGNATURE` (HMAC-SHA1) is taken as well.",
    "2021-04-06": " `acs KEY:SIGNATURE` (HMAC-SHA1) is taken as well.",
    "2016-08-15": " `FC KEY:SIGNATURE` (HMAC-SHA256 over method, type, `Date`, `x-fc-*` headers and path) is taken as "
    "well, with `x-fc-security-token`.",
}


class Way(NamedTuple):
    """A method at a path, and the command that answers there."""

    method: str
    path: str
    handler: Handler


def ways(api: str) -> list[Way]:
    """What the router leads to a command, in one API."""
    if api == NATIVE.version:
        return [Way(*each) for each in v1.OPERATIONS]
    generation = _GENERATIONS[api]
    return [Way(method, f"/{api}{path}", handler) for method, path, handler, _ in generation.OPERATIONS]


def document(api: str) -> Document:
    """The description of one of `NAMES`.

    Raises
    ------
    KeyError: a route leads to a command that is not described.

    """
    native = api == NATIVE.version
    dialect = NATIVE if native else _GENERATIONS[api].DIALECT
    table = native_operations.native() if native else operations.described(services=dialect.services)
    paths: dict[str, dict[str, Any]] = {}
    for way in ways(api):
        paths.setdefault(way.path, {})[way.method.lower()] = _operation(way, dialect, table)
    paths |= _others(dialect)
    schemas = native_answers.native() if native else answers.answers(services=dialect.services)
    schemas |= bodies.bodies(services=dialect.services)
    schemas |= {"Error": answers.error_schema(), "Problem": answers.problem_schema()}
    responses = _responses(paths, native=native)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": _TITLES[api],
            "version": __version__,
            "description": _ABOUT[api],
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "the server that this description is of"}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": _security(api),
            "headers": _HEADERS | (_ETAG if dialect.etags else {}),
            "responses": responses,
            "schemas": _used({"paths": paths, "responses": responses}, schemas),
        },
    }


def render(api: str) -> bytes:
    """The description as indented JSON with a newline at its end."""
    return orjson.dumps(document(api), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


# One operation --------------------------------------------------------------------------------------------------------


def _operation(way: Way, dialect: Dialect, table: Mapping[Handler, Described]) -> Document:
    names = [_named(name, dialect) for name in re.findall(r"{(\w+)}", way.path)]
    if isinstance(way.handler, LeftOut):
        return {
            "operationId": way.handler.name,
            "summary": "Left out here.",
            "deprecated": True,
            "parameters": names,
            "responses": _refusals(ALWAYS),
        }
    facts = table[way.handler]
    if dialect.etags and way.handler in operations.CONDITIONAL:
        more = (*facts.parameters, parameters.REVISION)
        facts = facts._replace(parameters=more, refusals=(*facts.refusals, PRECONDITION_FAILED))
    found: Document = {
        "operationId": (dialect.services and facts.older) or facts.name,
        "summary": _first_sentence(way.handler),
        "parameters": [*names, *facts.parameters],
    }
    if facts.body:
        found["requestBody"] = _body(facts.body)
    found["responses"] = {
        **{
            str(status): _answer(body, invoked=way.handler.__name__ == "invoke")
            for status, body in facts.answers.items()
        },
        **_refusals((*ALWAYS, *facts.refusals)),
    }
    if dialect.etags and way.handler in operations.TAGGED:
        shown = found["responses"]["200"]
        shown["headers"] = shown["headers"] | {"Etag": {"$ref": "#/components/headers/Etag"}}
    if dialect.version in _TOKENS:
        found["security"] = [{"key": []}, {"token": [scopes.needed(way.handler, way.method).value]}]
    if dialect is NATIVE and way.path.startswith("/v1/code/"):
        found["security"].append({"url": []})
    return found


def _named(name: str, dialect: Dialect) -> parameters.Parameter:
    return parameters.named(name, services=dialect.services, qualified=dialect.version == "2016-08-15")


def _first_sentence(handler: Handler) -> str:
    return " ".join((handler.__doc__ or "").split("\n\n")[0].split())


def _body(name: str) -> Document:
    if name == LINES:
        about = (
            f"a `SubmitTaskInput` a line, at most {submission.LINES_MAX} lines; empty ones are passed over, and a line "
            "that is anything else has an outcome that says so"
        )
        return {"description": about, "content": {name: {"schema": {}}}}
    if "/" in name:
        return {"description": "the event, any bytes", "content": {name: {"schema": {}}}}
    told: Document = {"schema": ref(name)}
    if name in bodies.EXAMPLES:
        told["example"] = bodies.EXAMPLES[name]
    return {"required": "required" in bodies_of(name), "content": {JSON: told}}


def bodies_of(name: str) -> Schema:
    """The schema of a request's body, in any generation."""
    return bodies.bodies(services=True).get(name) or bodies.bodies(services=False)[name]


def _answer(body: str, *, invoked: bool) -> Document:
    content: Document = {}
    for word in body.split():
        media = word if "/" in word else JSON
        content[media] = {} if "/" in word else {"schema": ref(word)}
    if invoked and content:
        content[JSON] = {"schema": {}}
    found: Document = {"description": "Done." if content else "Done; the body is empty.", "headers": _ID}
    if invoked:
        more = _TASK_HEADERS if not content else _CALL_HEADERS
        found["headers"] = _ID | more
        found["description"] = "The function's answer, or its error." if content else "The task is durable."
    return found | ({"content": content} if content else {})


def _refusals(statuses: Iterable[int]) -> Document:
    return {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(set(statuses))}


def _responses(paths: Document, *, native: bool) -> Document:
    """The refusals that something refers to."""
    every = {str(status): _refusal(meaning, native=native) for status, meaning in _MEANINGS.items()}
    every |= {name: _refusal(meaning, native=False) for name, meaning in _PLAIN.items()}
    wanted = set(re.findall(r'"#/components/responses/(\w+)"', orjson.dumps(paths).decode()))
    return {name: each for name, each in every.items() if name in wanted}


def _refusal(meaning: str, *, native: bool) -> Document:
    headers = dict(_ID)
    if "Retry-After" in meaning:
        headers["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
    content = {PROBLEM: {"schema": ref("Problem")}} if native else {JSON: {"schema": ref("Error")}}
    return {"description": meaning, "headers": headers, "content": content}


# What is no command ---------------------------------------------------------------------------------------------------


def _others(dialect: Dialect) -> dict[str, Document]:
    if addresses.OLDER_PATH.startswith(f"/{dialect.version}/"):
        return _address(addresses.OLDER_PATH, dialect)
    if dialect is not NATIVE:
        return {}
    return {
        **{path: {"get": _health(path)} for path in health.PATHS},
        OWN_PATH: {"get": _own()},
        metrics.PATH: {"get": _metrics()},
        **_address(addresses.OWN_PATH, dialect),
    }


def _health(path: str) -> Document:
    answered = {"200": _answer("About" if path == "/version" else "Health", invoked=False)}
    if path == "/readyz":
        answered["503"] = {"$ref": "#/components/responses/Unready"}
    about = {"/livez": "Does it live?", "/readyz": "Does it take work?", "/version": "Which version is it?"}
    return {"operationId": path[1:], "summary": about[path], "security": [], "responses": answered}


def _own() -> Document:
    return {
        "operationId": "GetDescription",
        "summary": "This description, or that of another API.",
        "security": [{"key": []}, {"token": [Scope.READ.value]}],
        "parameters": [parameters.query("api", {"enum": list(NAMES)})],
        "responses": {"200": _answer(JSON, invoked=False), **_refusals(ALWAYS)},
    }


def _address(path: str, dialect: Dialect) -> dict[str, Document]:
    """An HTTP trigger: what leads there is described, what comes back is the function's."""
    anything = {"description": "Whatever the function answers, at any status.", "content": {"*/*": {}}}
    found: dict[str, Document] = {}
    for whole in (path, f"{path}/{{rest}}"):
        names = [_named(name, dialect) for name in re.findall(r"{(\w+)}", whole)]
        found[whole] = {
            method.lower(): {
                "operationId": f"{method.lower()}Address{'Below' if whole != path else ''}",
                "summary": "A request to a function that has an HTTP trigger; `rest` may hold slashes.",
                "parameters": names,
                "security": [{"key": []}, {"url": []}, {}],
                "responses": {
                    "default": anything,
                    "404": {"$ref": "#/components/responses/NoAddress"},
                },
            }
            for method in METHODS
        }
    return found


def _metrics() -> Document:
    return {
        "operationId": "GetMetrics",
        "summary": "What this server counts, as Prometheus reads it.",
        "security": [{"key": []}, {"token": [Scope.READ.value]}, {"metrics": []}],
        "responses": {"200": _answer("text/plain", invoked=False), **_refusals(ALWAYS)},
    }


# Components -----------------------------------------------------------------------------------------------------------


def _security(api: str) -> Document:
    key = {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": _KEY + _OLDER_KEYS.get(api, ""),
    }
    url = {
        "type": "apiKey",
        "in": "query",
        "name": "x-fc-signature",
        "description": "A signed URL, with `x-fc-access-key-id`, `x-fc-expires` and maybe `x-fc-security-token`.",
    }
    token = {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token of `POST /v1/tokens`. The name is the scope that an operation needs: `read`, "
        "`operate` or `admin`, each of which includes those before it.",
    }
    metrics = {"type": "http", "scheme": "bearer", "description": "The token of the setting `SOJOURN_METRICS_TOKEN`."}
    more = {
        "v1": {"token": token, "url": url, "metrics": metrics},
        "2023-03-30": {"token": token},
        "2016-08-15": {"url": url},
    }
    return {"key": key, **more.get(api, {})}


_ETAG: Document = {"Etag": {"required": True, "schema": {"type": "string"}, "description": "for `If-Match`"}}
_ID: Document = {"X-Fc-Request-Id": {"$ref": "#/components/headers/RequestId"}}
_TEXT: Document = {"schema": {"type": "string"}}
_HEADERS: Document = {
    "RequestId": {"required": True, "schema": {"type": "string"}, "description": "names this request"},
    "RetryAfter": {"schema": {"type": "integer"}, "description": "seconds"},
}
_TASK_HEADERS: Document = {
    "X-Fc-Async-Task-Id": {"required": True, **_TEXT},
    "X-Fc-Stateful-Async-Invocation-Id": {"required": True, **_TEXT},
}
_CALL_HEADERS: Document = {
    "X-Fc-Instance-Id": _TEXT,
    "X-Fc-Invocation-Duration": {"schema": {"type": "integer"}, "description": "ms"},
    "X-Fc-Max-Memory-Usage": {"schema": {"type": "number"}, "description": "MB"},
    "X-Fc-Invocation-Service-Version": _TEXT,
    "X-Fc-Code-Checksum": _TEXT,
    "X-Fc-Log-Result": {**_TEXT, "description": "base64 of the end of the log"},
    "X-Fc-Error-Type": {**_TEXT, "description": "only when the function failed"},
}


def _used(paths: Document, schemas: Mapping[str, Schema]) -> dict[str, Schema]:
    """The schemas that something refers to, by name."""
    wanted, found = set(_refs(paths)), set[str]()
    while wanted:
        name = wanted.pop()
        found.add(name)
        wanted |= set(_refs(schemas[name])) - found
    return {name: schemas[name] for name in sorted(found)}


def _refs(part: object) -> Iterable[str]:
    text = orjson.dumps(part).decode()
    return re.findall(r'"#/components/schemas/(\w+)"', text)
