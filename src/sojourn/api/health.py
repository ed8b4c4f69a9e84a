"""Three questions that need no key: does it live, does it take work, which version is it."""

from __future__ import annotations

from sojourn import __version__
from sojourn.errors import ServiceUnavailable

from . import answer, errors
from .answer import Answer
from .backend import Backend
from .request import Request
from .routing import Route

PATHS = ("/livez", "/readyz", "/version")


class Health:
    """One of the three as an endpoint."""

    def __init__(self, backend: Backend, path: str) -> None:
        self._backend, self._path = backend, path

    async def __call__(self, request: Request) -> Answer:
        """Answer it."""
        if self._path == "/version":
            versions = ["2023-03-30", "2021-04-06", "2016-08-15", "v1"]
            return answer.of_json({"name": "sojourn", "version": __version__, "apiVersions": versions})
        if self._path == "/readyz" and not self._backend.ready():
            return errors.of_error(ServiceUnavailable("the server is starting or draining"), request.request_id)
        return answer.of_json({"status": "ok"})


def routes(backend: Backend) -> list[Route]:
    """Their routes."""
    return [Route(path, Health(backend, path), methods=["GET"]) for path in PATHS]
