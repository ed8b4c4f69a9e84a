"""Rows of a dialect's table become routes; operations that a dialect has and this server has not say so by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from starlette.routing import Route

from sojourn.errors import PathNotSupported

from .answer import Answer
from .call import Call
from .dialect import Dialect
from .operation import Handler, Limit, Operation, small

Row = tuple[str, str, Handler, Limit]
"""Method, path below the version, command, bound of the body."""


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


class LeftOut:
    """Stands for an operation that is not there; `name` is what the generation calls it."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def __call__(self, call: Call) -> Answer:
        """Say so."""
        raise PathNotSupported(self.name, f"/{call.dialect.version}", 400)
