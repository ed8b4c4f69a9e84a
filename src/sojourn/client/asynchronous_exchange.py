"""One request, one answer, over connections of our own that are kept for the next one: the asynchronous form."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import cast

from . import http1
from .call import Answer, Request
from .errors import Unreachable
from .wire import CONNECT_SECONDS, CONNECTIONS_MAX, KEEPALIVE_SECONDS, Wire


class AsyncExchange:
    """Connections to one server, in one event loop.

    Parameters
    ----------
    wire: where to, and how failures are told.

    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._idle: list[_Link] = []
        self._open = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def close(self) -> None:
        """Let go of all connections that nothing is on."""
        while self._idle:
            self._idle.pop().close()

    async def send(self, wanted: Request, seconds: float | None) -> Answer:
        """The answer to `wanted`; between two signs of life at most `seconds` may pass.

        Raises
        ------
        Unreachable: there is none.

        """
        data = http1.spelled(wanted, self._wire.connection.endpoint)
        await self._room()
        link: _Link | None = None
        try:
            link = self._taken() or await self._connected()
            return await link.exchange(data, seconds)
        finally:
            self._give_back(link)

    async def _room(self) -> None:
        """Count one more connection, when there may be one more."""
        while self._open >= CONNECTIONS_MAX:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._wake()  # the turn is somebody else's now
                raise
        self._open += 1

    def _taken(self) -> _Link | None:
        while self._idle:
            link = self._idle.pop()
            if link.usable():
                return link
            link.close()
        return None

    def _give_back(self, link: _Link | None) -> None:
        self._open -= 1
        self._wake()
        if link is not None:
            if link.reusable:
                link.rest()
                self._idle.append(link)
            else:
                link.close()

    def _wake(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    async def _connected(self) -> _Link:
        loop = asyncio.get_running_loop()
        host, port = self._wire.address
        context = self._wire.tls
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, link = await loop.create_connection(lambda: _Link(self._wire, loop), host, port, ssl=context)
        except TimeoutError as error:
            raise self._wire.nobody("no connection in time") from error
        except OSError as error:
            raise self._wire.nobody(error) from error
        return link


class _Link(asyncio.Protocol):
    """A connection."""

    def __init__(self, wire: Wire, loop: asyncio.AbstractEventLoop) -> None:
        self._wire, self._loop = wire, loop
        self._reader = http1.Reader()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._heard_at = self._unsent = 0.0
        self._idle_since = 0.0
        self.reusable = False

    async def exchange(self, data: bytes, seconds: float | None) -> Answer:
        """Send `data` and wait for the answer."""
        transport = self._transport
        if transport is None or transport.is_closing():
            raise self._wire.broken(ConnectionResetError("the server closed it without an answer"))
        self.reusable = False
        self._answer = self._loop.create_future()
        self._heard_at, self._unsent = self._loop.time(), float(len(data))
        if seconds is not None:
            self._watch = self._loop.call_later(seconds, self._look, seconds)
        transport.write(data)
        try:
            return await self._answer
        finally:
            self._answer = None
            if self._watch is not None:
                self._watch.cancel()

    def rest(self) -> None:
        """Nothing is on it from now on."""
        self._idle_since = self._loop.time()

    def usable(self) -> bool:
        """Whether the other end should still be there."""
        here = self._transport is not None and not self._transport.is_closing()
        return here and self.reusable and self._loop.time() - self._idle_since < KEEPALIVE_SECONDS

    def close(self) -> None:
        """Let go of it."""
        if self._transport is not None:
            self._transport.abort()

    def _look(self, seconds: float) -> None:
        """The time is up unless something was heard, or sent, meanwhile."""
        unsent = 0.0 if self._transport is None else float(self._transport.get_write_buffer_size())
        if unsent < self._unsent:
            self._heard_at, self._unsent = self._loop.time(), unsent
        left = self._heard_at + seconds - self._loop.time()
        if left > 0:
            self._watch = self._loop.call_later(left, self._look, seconds)
        else:
            self._fail(self._wire.late())

    def _fail(self, error: Unreachable) -> None:
        self.reusable = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    def _told(self, answer: Answer | None) -> None:
        if answer is None:
            return
        if self._answer is None or self._answer.done():
            self.close()
            return
        self.reusable = self._reader.reusable
        self._answer.set_result(answer)

    # What the transport calls ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Something of an answer came; where none was asked for, it is the farewell of the other end."""
        self._heard_at = self._loop.time()
        if self._answer is None:
            self.reusable = False
            self.close()
            return
        try:
            self._told(self._reader.feed(data))
        except http1.Garbled as error:
            self._fail(self._wire.broken(error))

    def eof_received(self) -> None:
        """The other end says no more; the transport closes itself."""
        self._told(self._reader.end())

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._fail(self._wire.broken(exc or ConnectionResetError("the server closed it without an answer")))
