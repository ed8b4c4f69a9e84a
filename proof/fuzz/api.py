"""Fuzzing the API's operations: signed requests with any body, query and headers, in one process and without sockets.

Promises: no operation answers 5xx; every answer names its request; every refusal is JSON that names it too. The routes
are read from the router, so that a new one is fuzzed as soon as it is there.
"""

from __future__ import annotations

import atexit
import hashlib
import itertools
import json
import re
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import msgspec
from hypothesis import strategies as st

from api.door import Caller, Door
from sojourn import function, service, signature, trigger
from sojourn.api import routing, v1, v2016_08_15, v2021_04_06, v2023_03_30
from sojourn.api.answer import headers_of
from sojourn.api.app import Application
from sojourn.api.request import Request as Incoming
from sojourn.api.v1.watch import EVENTS
from sojourn.errors import NotFound

from .target import Target

_nonces = itertools.count()


def _fields() -> list[str]:
    """Every field name of every setting, as the wire spells it."""
    found = {"functionName", "code", "zipFile", "reservedConcurrency", "accountId", "qualifier", "serviceName"}
    found |= {"triggerName", "triggerType", "triggerConfig", "aliasName", "resourceArn", "ResourceId", "ResourceType"}
    found |= {"Tag", "tagKeys", "durationSeconds", "caPort", "statefulInvocation", "maximumInstanceCount"}
    structs = [*vars(function).values(), *vars(trigger).values(), *vars(service).values()]
    for value in structs:
        if isinstance(value, type) and issubclass(value, msgspec.Struct):
            found |= {field.encode_name for field in msgspec.structs.fields(value)}
    return sorted(found)


def routes() -> list[tuple[str, str]]:
    """Method and path of each operation."""

    async def endpoint(*_: Any) -> None:
        """Stands for an operation."""

    pretend: Callable[..., Any] = lambda *_, **__: endpoint  # noqa: E731 - what it is matters to nobody
    found = v1.routes(pretend)
    for generation in (v2023_03_30, v2021_04_06, v2016_08_15):
        found += routing.routes(pretend, generation.DIALECT, generation.OPERATIONS)
    return sorted((method, route.path) for route in found for method in route.methods)


class Request(NamedTuple):
    """What is sent."""

    route: tuple[str, str]
    names: tuple[str, str]
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    body: bytes


_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 5),
    st.sampled_from([128, 512, 86_400, 2**31, 2**63, 2**64, 10**30, -(2**63)]),
    st.floats(),
    st.sampled_from(
        ["", "f", "python3.12", "nodejs20", "custom", "index.handler", "LATEST", "a/b", "\0", "\ud800", "ü"]
    ),
    st.text(max_size=6),
)
_documents = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(_fields()), st.text(max_size=4)), inner, max_size=5),
    ),
    max_leaves=12,
)
_objects = st.dictionaries(st.sampled_from(_fields()), _documents, max_size=6)
_creations = st.builds(
    lambda more: {"functionName": "g", "runtime": "python3.12", "handler": "index.handler", "code": {}} | more, _objects
)
_bodies = st.one_of(
    st.one_of(_objects, _creations, _documents).map(
        lambda document: json.dumps(document).encode("utf-8", "surrogatepass")
    ),
    st.binary(max_size=20),
    st.integers(1, 5_000).map(lambda depth: b"[" * depth),
    st.just(b""),
)
_words = st.one_of(
    st.sampled_from(
        ["f", "t", "g", "s", "s.LATEST", "s.1", "1", "LATEST", "..", "%00", "1-00000000-00000001-2dec89025cc1"]
    ),
    st.text(max_size=5),
)
_queries = st.sampled_from(
    [
        "limit",
        "nextToken",
        "prefix",
        "qualifier",
        "status",
        "startedTimeBegin",
        "sortOrderByTime",
        "format",
        "includePayload",
        "startKey",
        "direction",
        "function",
        "taskId",
        "lastEventId",
        "filter",
        "instanceIds",
        "resourceArn",
        "ResourceId",
        "Tag",
        "TagKey",
        "All",
    ]
)
_header_names = st.sampled_from(
    [
        "x-fc-invocation-type",
        "x-fc-async-task-id",
        "x-fc-stateful-async-invocation-id",
        "x-fc-async-delay",
        "x-fc-log-type",
        "x-fc-account-id",
        "content-type",
    ]
)
_header_values = st.one_of(
    st.sampled_from(["Async", "Sync", "Tail", "1", "-1", "9" * 30, "application/json", "t"]),
    st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=6),
)
_requests = st.builds(
    Request,
    route=st.sampled_from(routes()),
    names=st.tuples(_words, _words),
    query=st.lists(st.tuples(_queries, _words), max_size=3).map(tuple),
    headers=st.dictionaries(_header_names, _header_values, max_size=3),
    body=_bodies,
)


@cache
def _caller() -> Caller:
    """The owner's client of one API for the whole process."""
    directory = tempfile.TemporaryDirectory(prefix="sojourn-fuzz-")
    door = Door(Path(directory.name))
    door.__enter__()
    atexit.register(directory.cleanup)
    atexit.register(door.__exit__)  # which comes first
    return door.owner


def check_request(request: Request) -> None:
    """Send it, and look at the answer."""
    caller = _caller()
    door = caller.door
    for name in ("f", "s$f"):
        try:
            door.catalog.function(caller.account_id, name)
        except NotFound:
            caller.create(name)
    method, path = request.route
    names = itertools.cycle(quote(name, safe="") for name in request.names)
    raw_path = re.sub(r"\{\w+\}", lambda _: next(names), path)
    query = signature.encode_query(request.query)
    headers = signature.sign(
        method,
        raw_path,
        query,
        {"host": "h"},
        body_sha256=hashlib.sha256(request.body).hexdigest(),
        access_key_id=caller.key.id,
        access_key_secret=caller.key.secret,
        now_seconds=time.time(),
        nonce=f"n{next(_nonces)}",
    )
    incoming = Incoming(
        _Quiet(),
        method,
        unquote(raw_path, errors="replace"),
        [(name.encode(), value.encode("latin-1")) for name, value in (headers | request.headers).items()],
        raw_path=raw_path.encode(),
        query=query.encode(),
        client="127.0.0.1",
    )
    if request.body:
        incoming.feed(request.body)
    incoming.end()
    _judge(request, *door.run(_exchange(door.app, incoming)))


class _Quiet:
    """A wire on which nothing more comes."""

    def wanted(self, request: Incoming) -> None:
        """Nothing."""


async def _exchange(app: Application, incoming: Incoming) -> tuple[int, dict[bytes, bytes], bytes]:
    """One request to the application, and its answer."""
    given = await app.endpoint(incoming)(incoming)
    text = given.body
    if given.stream is not None:
        pieces = given.stream.pieces()
        if given.content_type == EVENTS:  # they come without end
            text += await anext(pieces)
        else:
            text += b"".join([piece async for piece in pieces])
        given.stream.close()
    return given.status, dict(headers_of(given, incoming.request_id)), text


def _judge(request: Request, status: int, headers: dict[bytes, bytes], body: bytes) -> None:
    """What every answer must be."""
    where = f"{request.route[0]} {request.route[1]}"
    if status >= 500:
        raise AssertionError(f"{where} answers {status}: {body[:200]!r}")
    request_id = headers.get(b"x-fc-request-id", b"").decode()
    if not request_id:
        raise AssertionError(f"{where} answers {status} without a request id")
    kind = headers.get(b"content-type", b"")
    document = json.loads(body) if body and b"json" in kind else None
    if status >= 300 and (not isinstance(document, dict) or document.get("RequestId") != request_id):
        raise AssertionError(f"{where} refuses with {status} and {body[:200]!r}")


TARGETS = (Target("api", _requests, check_request),)
