"""One request, one answer, over sockets of our own that are kept for the next one. Threads may share it."""

from __future__ import annotations

import select
import socket
import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from . import http1
from .call import CHUNK_BYTES, Answer, Request
from .wire import CONNECT_SECONDS, CONNECTIONS_MAX, KEEPALIVE_SECONDS, Wire

READ_BYTES = 256 * 1024


class Exchange:
    """Connections to one server.

    Parameters
    ----------
    wire: where to, and how failures are told.

    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._idle: deque[_Link] = deque()
        self._room = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self._closed = False

    def close(self) -> None:
        """Let go of all connections."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def send(self, wanted: Request, seconds: float | None) -> Answer:
        """The answer to `wanted`; no part of it may take longer than `seconds`.

        Raises
        ------
        Unreachable: there is none.

        """
        data = http1.spelled(wanted, self._wire.connection.endpoint)
        with self._room, self._taken() as link:
            try:
                return link.exchange(data, seconds)
            except TimeoutError:
                raise self._wire.late() from None
            except (OSError, http1.Garbled) as error:
                raise self._wire.broken(error) from error

    def _taken(self) -> _Link:
        while self._idle:
            link = self._idle.pop()
            if link.usable(self._wire.clock.monotonic()):
                return link
            link.close()
        try:
            return _Link(self._connected(), self._given_back)
        except TimeoutError as error:
            raise self._wire.nobody("no connection in time") from error
        except OSError as error:
            raise self._wire.nobody(error) from error

    def _given_back(self, link: _Link) -> None:
        link.idle_since = self._wire.clock.monotonic()
        self._idle.append(link)
        if self._closed:
            self.close()

    def _connected(self) -> socket.socket:
        plain = socket.create_connection(self._wire.address, CONNECT_SECONDS)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            context = self._wire.tls
            return plain if context is None else context.wrap_socket(plain, server_hostname=self._wire.address[0])
        except BaseException:
            plain.close()
            raise


class _Link:
    """A connection; leaving it gives it back when it is good for another request, and closes it otherwise."""

    def __init__(self, wire: socket.socket, give_back: Callable[[_Link], None]) -> None:
        self._socket, self._give_back = wire, give_back
        self._reader = http1.Reader()
        self._whole = False
        self.idle_since = 0.0

    def __enter__(self) -> Self:
        self._whole = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._whole and self._reader.reusable:
            self._give_back(self)
        else:
            self.close()

    def close(self) -> None:
        """Let go of it."""
        self._socket.close()

    def usable(self, now: float) -> bool:
        """Whether the other end should still be there: it has sent nothing, which would be its farewell."""
        if now - self.idle_since >= KEEPALIVE_SECONDS or self._socket.fileno() < 0:
            return False
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def exchange(self, data: bytes, seconds: float | None) -> Answer:
        """Send `data` and read the answer."""
        self._socket.settimeout(seconds)
        view = memoryview(data)
        for begin in range(0, len(data), CHUNK_BYTES):  # the time to send is that of all that is given at once
            self._socket.sendall(view[begin : begin + CHUNK_BYTES])
        answer: Answer | None = None
        while answer is None:
            piece = self._socket.recv(READ_BYTES)
            answer = self._reader.feed(piece) if piece else self._reader.end()
            if answer is None and not piece:
                raise ConnectionResetError("the server closed it without an answer")
        self._whole = True
        return answer
