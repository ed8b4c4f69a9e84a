"""Routes: which endpoint answers a method at a path; and rows of a dialect's table become routes.

Operations that a dialect has and this server has not say so by name. Finding the route of a request is left to `paths`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, NamedTuple

from sojourn.errors import PathNotSupported

from .answer import Answer
from .call import Call
from .dialect import Dialect
from .operation import Handler, Limit, Operation, small
from .request import Request

Row = tuple[str, str, Handler, Limit]
"""Method, path below the version, command, bound of the body."""
Endpoint = Callable[[Request], Coroutine[Any, Any, Answer]]
"""Answers a request. `ClientGone` says that nobody waits for an answer; any other error is a fault."""


class Route(NamedTuple):
    """`endpoint` answers `methods` at `path`; who answers GET answers HEAD.

    A part of a path is a word, or a name in braces for whatever stands there, maybe with an end (`{task}:stop`). The
    last one may be `{rest:path}`: all that follows, slashes included.
    """

    path: str
    endpoint: Endpoint
    methods: Iterable[str]


def routes(make: Callable[..., Operation], dialect: Dialect, rows: Iterable[Row]) -> list[Route]:
    """The routes of `rows`; `make` turns a command into what the router calls."""
    return [
        Route(f"/{dialect.version}{path}", make(handler, limit, dialect=dialect), methods=[method])
        for method, path, handler, limit in rows
    ]


def left_out(*lines: str) -> Iterable[Row]:
    """Rows of operations that are not there, each written as `METHOD /path Name`."""
    for line in lines:
        method, path, name = line.split()
        yield method, path, LeftOut(name), small


def left_out_of_all() -> Iterable[Row]:
    """What every generation has at the same paths, and this server has not: custom domains and layers."""
    return left_out(
        "POST /custom-domains CreateCustomDomain",
        "GET /custom-domains ListCustomDomains",
        "GET /custom-domains/{domain} GetCustomDomain",
        "PUT /custom-domains/{domain} UpdateCustomDomain",
        "DELETE /custom-domains/{domain} DeleteCustomDomain",
        "GET /layers ListLayers",
        "POST /layers/{layer}/versions CreateLayerVersion",
        "GET /layers/{layer}/versions ListLayerVersions",
        "GET /layers/{layer}/versions/{version} GetLayerVersion",
        "DELETE /layers/{layer}/versions/{version} DeleteLayerVersion",
        "PUT /layers/{layer}/acl PutLayerACL",
    )


class LeftOut:
    """Stands for an operation that is not there; `name` is what the generation calls it."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def __call__(self, call: Call) -> Answer:
        """Say so."""
        raise PathNotSupported(self.name, f"/{call.dialect.version}", 400)
