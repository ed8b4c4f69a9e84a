"""Straight ways: paths of a dialect looked up in one step, past the router and its middleware.

A router tries one pattern after the other and wraps each answer twice, which is a twentieth of what a task costs. The
paths of Function Compute have their names at fixed places, so a path with the names taken out is a key. What is not in
the table (another method, an unknown path, the native API) goes the router's way and is answered there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

_Key = tuple[str, ...]


class Paths:
    """Finds the operation of a path: `routes` are those of one dialect, `otherwise` is the application with all."""

    def __init__(self, routes: Iterable[Route], otherwise: ASGIApp, request_id: Callable[[], str]) -> None:
        self._otherwise = otherwise
        self.request_id = request_id  # for `protocol`, which answers what never becomes a request
        self._ways: dict[_Key, tuple[ASGIApp, tuple[tuple[int, str], ...]]] = {}
        for route in routes:
            parts = route.path.split("/")
            names = tuple((place, part[1:-1]) for place, part in enumerate(parts) if part.startswith("{"))
            if {place for place, _ in names} != {place for place in _PLACES if place < len(parts)}:
                continue  # the router finds it
            for method in (route.methods or set()) - {"HEAD"}:
                self._ways[_key(method, parts)] = (route.app, names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or have it answered."""
        if scope["type"] == "http":
            parts = scope["path"].split("/")
            way = self._ways.get(_key(scope["method"], parts))
            if way is not None:
                app, names = way
                scope["path_params"] = {name: parts[place] for place, name in names}
                if all(scope["path_params"].values()):
                    await app(scope, receive, send)
                    return
        await self._otherwise(scope, receive, send)


_PLACES = (3, 5, 7)
"""Where Function Compute's paths hold names: `/version/services/NAME/functions/NAME/triggers/NAME`."""


def _key(method: str, parts: list[str]) -> _Key:
    known = parts.copy()
    for place in _PLACES:
        if place < len(known):
            known[place] = ""
    return (method, *known)
