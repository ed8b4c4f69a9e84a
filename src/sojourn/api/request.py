"""A request as it comes in: its head, its body piece by piece, and whether its caller is still there.

`protocol` puts in what the wire brings; `operation` and the commands ask. A body is held no further ahead of who reads
it than `HELD_BYTES_MAX` and what one read of the wire brings: then the wire is not read until a piece is taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from sojourn import identity

HELD_BYTES_MAX = 64 * 1024
_NO_NAMES: Mapping[str, str] = MappingProxyType({})


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


class Wire(Protocol):
    """Where a request comes from."""

    def wanted(self, request: Request) -> None:
        """More of the body is waited for."""
        ...


class Request:
    """One request, whose head is complete.

    `path` is decoded, `raw_path` and `query` (without `?`) are as they stand on the wire; `headers` are in their order,
    names in lower case. `client` is the caller's network address, `server` the one it came to. `names` is what stands
    in the path where the route has a name, `number` what its request id is made of: the router puts in both. `whole`
    says whether all of the body is here, `left` whether the caller went away.
    """

    __slots__ = (
        "_leaving",
        "_pieces",
        "_waiting",
        "_wire",
        "client",
        "headers",
        "held_bytes",
        "left",
        "method",
        "names",
        "number",
        "path",
        "query",
        "raw_path",
        "server",
        "whole",
    )

    def __init__(
        self,
        wire: Wire,
        method: str,
        path: str,
        headers: list[tuple[bytes, bytes]],
        *,
        raw_path: bytes,
        query: bytes = b"",
        client: str = "",
        server: str = "",
    ) -> None:
        self._wire = wire
        self.method, self.path, self.headers = method, path, headers
        self.raw_path, self.query, self.client, self.server = raw_path, query, client, server
        self.names, self.number = _NO_NAMES, 0
        self.whole = self.left = False
        self.held_bytes = 0
        self._pieces: list[bytes] = []
        self._waiting: asyncio.Future[None] | None = None
        self._leaving: asyncio.Event | None = None

    @property
    def request_id(self) -> str:
        """The name of this request."""
        return identity.request_id(self.number)

    async def piece(self) -> bytes:
        """What has come of the body since the last time; waits until something has, and is empty at the end.

        Raises
        ------
        ClientGone: the caller went away.

        """
        while not (self._pieces or self.whole or self.left):
            arrival = self._waiting = asyncio.get_running_loop().create_future()
            self._wire.wanted(self)
            await arrival
        if self.left:
            raise ClientGone
        pieces, self._pieces, self.held_bytes = self._pieces, [], 0
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def gone(self) -> None:
        """Return when the caller goes away."""
        if not self.left:
            if self._leaving is None:
                self._leaving = asyncio.Event()
            await self._leaving.wait()

    # What the wire tells ----------------------------------------------------------------------------------------------

    def feed(self, piece: bytes) -> None:
        """A part of the body has come, never an empty one."""
        self._pieces.append(piece)
        self.held_bytes += len(piece)
        self._wake()

    def end(self) -> None:
        """The body is complete."""
        self.whole = True
        self._wake()

    def leave(self) -> None:
        """The caller went away."""
        self.left = True
        self._pieces, self.held_bytes = [], 0
        self._wake()
        if self._leaving is not None:
            self._leaving.set()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
        self._waiting = None
