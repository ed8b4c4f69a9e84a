"""The HTTP server: accepts connections on a socket for as long as it is open, and ends them in good order."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from email.utils import formatdate

from sojourn.clock import MICROSECONDS_PER_SECOND, Clock

from .app import Application
from .protocol import Protocol

GRACE_SECONDS = 3.0
"""How long what is begun may take when the server ends."""
END_SECONDS_MAX = 1.0
"""How long what is cancelled then may take."""
BACKLOG = 2048


class HttpServer:
    """Serves `app`; `clock` is the one that the outside world goes by."""

    def __init__(self, app: Application, clock: Clock) -> None:
        self.app, self._clock = app, clock
        self._connections: set[Protocol] = set()
        self._none_left = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._second, self._date = -1, b""

    async def start(self, listener: socket.socket) -> None:
        """Accept connections on `listener`, which is this server's from now on."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Protocol(self), sock=listener, backlog=BACKLOG)

    async def close(self) -> None:
        """Accept nothing more, answer what is begun within its grace, and end every connection."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.drain()
        if not await self._empty(GRACE_SECONDS):
            for connection in list(self._connections):
                connection.cancel()
            await self._empty(END_SECONDS_MAX)

    async def _empty(self, seconds: float) -> bool:
        """Wait until nobody is connected; whether that came about in time."""
        if self._connections:
            self._none_left.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._none_left.wait(), seconds)
        return not self._connections

    # What connections ask ---------------------------------------------------------------------------------------------

    def opened(self, connection: Protocol) -> None:
        """A connection is there."""
        self._connections.add(connection)

    def closed(self, connection: Protocol) -> None:
        """It is closed, and nothing is done for it any more."""
        self._connections.discard(connection)
        if not self._connections:
            self._none_left.set()

    def date_line(self) -> bytes:
        """The header that says the time; answers of one second share it."""
        second = self._clock.now() // MICROSECONDS_PER_SECOND
        if second != self._second:
            self._second, self._date = second, f"date: {formatdate(second, usegmt=True)}\r\n".encode()
        return self._date
