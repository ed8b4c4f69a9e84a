"""The application: all routes, and what answers when none of them does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from sojourn.clock import unscaled
from sojourn.errors import PathNotSupported

from . import addresses, auditing, errors, health, metrics, routing, scopes, v1, v2016_08_15, v2021_04_06, v2023_03_30
from .answer import Answer
from .authentication import Authentication
from .backend import Backend
from .commands import invocations, tasks
from .dialect import Dialect
from .openapi import native_operations, operations, route
from .openapi.document import OWN_PATH
from .operation import Handler, Limit, Operation
from .paths import Paths
from .request import Request
from .routing import Endpoint, Route
from .v1 import submission

PATH_CHARACTERS_MAX = 200
BAD_REQUEST, NOT_FOUND, METHOD_NOT_ALLOWED = 400, 404, 405
_PROMPT = frozenset({invocations.invoke, submission.submit, tasks.get})
"""The busiest commands; none of them asks for the task that it runs in."""
_GENERATIONS = tuple(f"/{each.DIALECT.version}/" for each in (v2023_03_30, v2021_04_06, v2016_08_15))


class Application:
    """Answers requests; `routes` say which, `backend` numbers them."""

    def __init__(self, backend: Backend, routes: list[Route]) -> None:
        self._backend, self.routes = backend, routes
        self._paths = Paths(routes)
        self.number = backend.number  # also for what never becomes a request

    def endpoint(self, request: Request) -> Endpoint:
        """Who answers `request`, which gets its number and the names of its path."""
        request.number = self.number()
        found = self._paths.find(request.method, request.path)
        if found is None:
            return self._not_routed
        endpoint, request.names = found
        return endpoint

    def submits(self, request: Request) -> bool:
        """Whether `request` submits a task, and does nothing else."""
        if request.method != "POST":
            return False
        if request.path.startswith("/v1/"):
            return request.path.endswith("/tasks")
        if not request.path.endswith("/invocations"):
            return False
        return any(name == invocations.TYPE and value.lower() == b"async" for name, value in request.headers)

    async def _not_routed(self, request: Request) -> Answer:
        """No route has this path, or not with this method."""
        path = request.path[:PATH_CHARACTERS_MAX]
        allowed = self._paths.methods(request.path)
        status = METHOD_NOT_ALLOWED if allowed else NOT_FOUND
        headers = ((b"allow", ", ".join(allowed).encode()),) if allowed else ()
        if status == NOT_FOUND and path.startswith(_GENERATIONS):
            status = BAD_REQUEST  # as Function Compute documents its code
        missing = PathNotSupported(request.method, path, status)
        problem = path in ("/v1", OWN_PATH) or path.startswith("/v1/")
        return errors.of_error(missing, request.request_id, problem=problem, headers=headers)


def _names() -> dict[Handler, str]:
    """What commands are called in the descriptions."""
    tables = (operations.described(services=True), operations.described(services=False), native_operations.native())
    return {handler: each.name for table in tables for handler, each in table.items()}


def build(backend: Backend, beside: Callable[[Backend], Iterable[Route]] = lambda _: ()) -> Application:
    """The HTTP API over `backend`; `beside` makes routes that are not the API's."""
    clock = unscaled(backend.clock)
    authentication = Authentication(backend.catalog, backend.tokens, clock, backend.sessions, backend.hosts)
    work = auditing.Auditing(backend, _names())
    operation = partial(Operation, backend, authentication, needed=scopes.needed, work=work)
    problem = partial(operation, problem=True)

    def command(handler: Handler, limit: Limit, *, dialect: Dialect) -> Operation:
        return operation(handler, limit, dialect=dialect, prompt=handler in _PROMPT)

    def native(handler: Handler, limit: Limit) -> Operation:
        return problem(handler, limit, prompt=handler in _PROMPT)

    dialects = [
        each
        for generation in (v2023_03_30, v2021_04_06, v2016_08_15)
        for each in routing.routes(command, generation.DIALECT, generation.OPERATIONS)
    ]
    return Application(
        backend,
        [
            *dialects,
            *v1.routes(native),
            *route.routes(problem),
            *addresses.routes(backend, authentication),
            *health.routes(backend),
            *metrics.routes(backend, problem),
            *beside(backend),
        ],
    )
