"""The application: all routes, and what answers when none of them does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sojourn.clock import unscaled
from sojourn.errors import PathNotSupported

from . import addresses, answer, errors, health, metrics, routing, scopes, v1, v2016_08_15, v2021_04_06, v2023_03_30
from .answer import Answer
from .authentication import Authentication
from .backend import Backend
from .openapi import route
from .openapi.document import OWN_PATH
from .operation import Operation
from .paths import Paths

PATH_CHARACTERS_MAX = 200
BAD_REQUEST, NOT_FOUND, METHOD_NOT_ALLOWED = 400, 404, 405
_GENERATIONS = tuple(f"/{each.DIALECT.version}/" for each in (v2023_03_30, v2021_04_06, v2016_08_15))


def build(backend: Backend, beside: Callable[[Backend], Iterable[BaseRoute]] = lambda _: ()) -> Paths:
    """The HTTP API over `backend`, an ASGI application; `beside` makes routes that are not the API's."""
    clock = unscaled(backend.clock)
    authentication = Authentication(backend.catalog, backend.tokens, clock, backend.sessions, backend.hosts)
    operation = partial(Operation, backend, authentication, needed=scopes.needed)

    async def not_routed(request: Request, error: Exception) -> Response:
        """The router found no path, or not this method at it."""
        status = error.status_code if isinstance(error, HTTPException) else 404
        allowed = _methods(app.routes, request.scope["path"]) if status == METHOD_NOT_ALLOWED else ""
        headers = ((b"allow", allowed.encode()),) if allowed else ()
        path = request.url.path[:PATH_CHARACTERS_MAX]
        if status == NOT_FOUND and path.startswith(_GENERATIONS):
            status = BAD_REQUEST  # as Function Compute documents its code
        request_id = backend.request_id()
        missing = PathNotSupported(request.method, path, status)
        problem = path in ("/v1", OWN_PATH) or path.startswith("/v1/")
        return _response(errors.of_error(missing, request_id, problem=problem, headers=headers), request_id)

    async def surprised(_: Request, error: Exception) -> Response:
        """Something outside of every operation failed."""
        request_id = backend.request_id()
        return _response(errors.of_surprise(error, request_id), request_id)

    dialects = [
        route
        for generation in (v2023_03_30, v2021_04_06, v2016_08_15)
        for route in routing.routes(operation, generation.DIALECT, generation.OPERATIONS)
    ]
    app = Starlette(
        routes=[
            *dialects,
            *v1.routes(partial(operation, problem=True)),
            *route.routes(partial(operation, problem=True)),
            *addresses.routes(backend, authentication),
            *health.routes(backend),
            *metrics.routes(backend, partial(operation, problem=True)),
            *beside(backend),
        ],
        exception_handlers={HTTPException: not_routed, Exception: surprised},
    )
    app.router.redirect_slashes = False  # a signature is for one path
    return Paths(dialects, app, backend.request_id)


def _methods(routes: Iterable[BaseRoute], path: str) -> str:
    """The methods of all routes at `path`; the router itself knows only those of the first."""
    found = (route.methods or set() for route in routes if isinstance(route, Route) and route.path_regex.match(path))
    return ", ".join(sorted(set().union(*found)))


def _response(result: Answer, request_id: str) -> Response:
    response = Response(result.body, result.status)
    response.raw_headers = answer.headers_of(result, request_id)
    return response
