"""The HTTP server: accepts connections on a socket for as long as it is open, and ends them in good order.

Connections take no more than their share of the files that this process may have open: without the rest no sandbox
starts, and accepted tasks fail. When the share is used up, a newcomer takes the place of one on which nothing is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import operator
import resource
import socket
import sys
from email.utils import formatdate

from sojourn.clock import MICROSECONDS_PER_SECOND, Clock

from .app import Application
from .protocol import Protocol

GRACE_SECONDS = 3.0
"""How long what is begun may take when the server ends."""
END_SECONDS_MAX = 1.0
"""How long what is cancelled then may take."""
BACKLOG = 2048
FILES_PER_CONNECTION = 2
"""Of the files that may be open, connections take one in so many."""
LOOKS_MAX = 64
"""At so many connections is looked for one that can go; so that a newcomer costs little, however many there are."""


class HttpServer:
    """Serves `app`; `clock` is the one that the outside world goes by."""

    def __init__(self, app: Application, clock: Clock) -> None:
        self.app, self._clock = app, clock
        self._connections: dict[Protocol, None] = {}
        self._connections_max = 0
        self._closing = False
        self._none_left = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._second, self._date = -1, b""

    async def start(self, listener: socket.socket) -> None:
        """Accept connections on `listener`, which is this server's from now on."""
        loop = asyncio.get_running_loop()
        files_max, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._connections_max = (
            sys.maxsize if files_max == resource.RLIM_INFINITY else files_max // FILES_PER_CONNECTION
        )
        self._server = await loop.create_server(lambda: Protocol(self), sock=listener, backlog=BACKLOG)

    async def close(self) -> None:
        """Accept nothing more, answer what is begun within its grace, and end every connection."""
        self._closing = True
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

    def opened(self, connection: Protocol) -> bool:
        """A connection is there; whether there is room for it."""
        room = not self._closing and (len(self._connections) < self._connections_max or self._made_room())
        self._connections[connection] = None
        return room

    def closed(self, connection: Protocol) -> None:
        """It is closed, and nothing is done for it any more."""
        self._connections.pop(connection, None)
        if not self._connections:
            self._none_left.set()

    def _made_room(self) -> bool:
        """Whether a connection could be ended: of some, one on which nothing was ever asked, else not for longest."""
        found: list[tuple[tuple[bool, float], Protocol]] = []
        for each in list(itertools.islice(self._connections, LOOKS_MAX)):
            self._connections[each] = self._connections.pop(each)  # others are looked at the next time
            if (quiet := each.quiet) is not None:
                found.append((quiet, each))
        if not found:
            return False
        _, ended = min(found, key=operator.itemgetter(0))
        del self._connections[ended]
        ended.cancel()
        return True

    def date_line(self) -> bytes:
        """The header that says the time; answers of one second share it."""
        second = self._clock.now() // MICROSECONDS_PER_SECOND
        if second != self._second:
            self._second, self._date = second, f"date: {formatdate(second, usegmt=True)}\r\n".encode()
        return self._date
