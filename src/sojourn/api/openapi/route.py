"""`GET /openapi.json`: the descriptions, for whoever has a key; `api` says which, the native one unless told."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from sojourn.api.answer import JSON, Answer
from sojourn.api.call import Call
from sojourn.api.operation import Handler, Limit, Operation, small
from sojourn.api.routing import Route
from sojourn.errors import InvalidArgument

from .document import NAMES, OWN_PATH, render


async def get(call: Call) -> Answer:
    """The description of an API."""
    api = call.query.get("api", NAMES[0])
    if api not in NAMES:
        raise InvalidArgument("api", api, f"must be one of {', '.join(NAMES)}")
    return Answer(200, _rendered(api), JSON)


_rendered = lru_cache(maxsize=len(NAMES))(render)


def routes(operation: Callable[[Handler, Limit], Operation]) -> list[Route]:
    """Its route; `operation` makes a handler into what the router calls."""
    return [Route(OWN_PATH, operation(get, small), methods=["GET"])]
