"""Both clients as one: a test is written once and runs with either."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from sojourn.client import AsyncClient, Client, Connection


class Driven:
    """Either client, its verbs called the same way."""

    def __init__(self, kind: str, connection: Connection, **options: Any) -> None:
        self._kind, self._connection, self._options = kind, connection, options

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        return lambda *args, **named: self._call(verb, args, named)

    def _call(self, verb: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        if self._kind == "blocking":
            with Client(self._connection, **self._options) as client:
                answer = getattr(client, verb)(*args, **named)
                return list(answer) if isinstance(answer, Iterator) else answer
        return asyncio.run(self._await(verb, args, named))

    async def _await(self, verb: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        async with AsyncClient(self._connection, **self._options) as client:
            answer = getattr(client, verb)(*args, **named)
            return [item async for item in answer] if isinstance(answer, AsyncIterator) else await answer
