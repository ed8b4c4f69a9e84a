"""HTTP/1.1 on one connection: what is read becomes requests, within bounds of time and size.

httptools parses. What is not HTTP at all is answered in JSON, like every other error. A caller gets a bounded time and
a bounded number of bytes for a request's head, so that one who sends it letter by letter, or for ever, holds nothing.
And so it is behind the head: what frames a chunked body is bounded, trailers are read past, and a body that is answered
already has to end soon. Who takes its answers slowly is waited for, who takes nothing of them is not. A request that
asks for another protocol is a request like any other (`upgrade`). When a request is begun and how it is answered is
left to `exchanges`.
"""

from __future__ import annotations

import asyncio
import logging
import typing
from urllib.parse import unquote

import httptools

from .app import Application
from .exchanges import Exchange, Exchanges
from .request import Request
from .upgrade import Parser

HEAD_SECONDS_MAX = 30.0
HEAD_BYTES_MAX = 64 * 1024
FRAME_BYTES_MAX = 16
"""What frames a chunked body, for each of its bytes: as much as for chunks of one byte with extensions."""
LATE_SECONDS_MAX = 30.0
"""How long the rest of a body may take whose request is answered already."""
IDLE_SECONDS_MAX = 75.0
"""How long a connection may stay open on which nothing is asked."""
STALL_SECONDS_MAX = 60.0
"""How long a caller may take nothing of the answers that wait for it."""
_NO_REQUEST = (httptools.HttpParserInvalidURLError, UnicodeDecodeError)
"""What is wrong with a target that the parser lets pass."""

log = logging.getLogger(__name__)


class Host(typing.Protocol):
    """Whose connections these are: `app` answers."""

    app: Application

    def date_line(self) -> bytes:
        """The line of a head that says the time."""
        ...

    def opened(self, connection: Protocol) -> bool:
        """A connection is there; whether there is room for it."""
        ...

    def closed(self, connection: Protocol) -> None:
        """It is closed, and nothing is done for it any more."""
        ...


class Protocol(asyncio.Protocol):
    """One connection to `host`."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._parser = Parser(self)
        self.headers: list[tuple[bytes, bytes]] = []
        self._url = b""
        self._expects = False
        self._receiving: Exchange | None = None
        """The exchange whose body comes in."""
        self._in_head, self._deaf = True, False
        self._heads = self._head_bytes = self._body_bytes = self._frame_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._late_timer: asyncio.TimerHandle | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._idle_since = self._loop.time()
        self._client, self._server, self._lost = "", "", False

    # The connection ---------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # it is a stream
        """A caller is there and has said nothing yet."""
        self._transport = transport
        self._exchanges = Exchanges(self._host.app, transport, self._host.date_line, self._answered)
        self._client, self._server = _address(transport, "peername"), _address(transport, "sockname")
        if self._host.opened(self):
            self._head_timer = self._loop.call_later(HEAD_SECONDS_MAX, self._head_late)
        else:
            self._refuse(503, "this server has no room for another connection")

    def connection_lost(self, exc: Exception | None) -> None:
        """The caller is gone."""
        del exc
        self._deaf = self._lost = True
        for timer in (self._head_timer, self._late_timer, self._idle_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
        del self._parser  # it knows this connection: a ring that only the collector would take away
        self._exchanges.lose()
        self._forget()

    def pause_writing(self) -> None:
        """The caller does not read its answers."""
        self._exchanges.block()
        self._await_taking()

    def resume_writing(self) -> None:
        """It reads again."""
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None
        self._exchanges.unblock()

    @property
    def quiet(self) -> tuple[bool, float] | None:
        """Whether anything was ever asked, and the loop's time since when nothing is.

        None while something is asked, or an answer is being taken.
        """
        if self._exchanges.busy or self._stall_timer is not None:
            return None
        return self._heads > 0, self._idle_since

    def drain(self) -> None:
        """Answer what is begun, then end the connection."""
        self._exchanges.drain()

    def cancel(self) -> None:
        """End it now, and what is done for it."""
        self._exchanges.cancel()

    def _forget(self) -> None:
        if self._lost and not self._exchanges.running:
            self._host.closed(self)
            del self._exchanges  # as above

    # What comes in ----------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """More of a request; what it completes is handled at once."""
        if self._deaf:
            return
        in_head, heads, receiving, body_bytes = self._in_head, self._heads, self._receiving, self._body_bytes
        self._exchanges.cork()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._unreadable(error)
            return
        finally:
            self._exchanges.uncork()
        if self._deaf or self._transport.is_closing():
            return
        if not self._in_head:
            if receiving is not None and receiving is self._receiving:
                self._frame_bytes += len(data) - (self._body_bytes - body_bytes)
                if self._frame_bytes > HEAD_BYTES_MAX + FRAME_BYTES_MAX * self._body_bytes:
                    self._refuse(431, f"what frames a body must hold at most {HEAD_BYTES_MAX} bytes")
            return
        if in_head and heads == self._heads:  # else it begins somewhere in `data`, short enough by itself
            self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES_MAX:
            self._refuse(431, f"the head of a request must hold at most {HEAD_BYTES_MAX} bytes")
        elif self._head_timer is None:
            self._head_timer = self._loop.call_later(HEAD_SECONDS_MAX, self._head_late)

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head, self._head_bytes = True, 0
        self._url, self.headers, self._expects = b"", [], False

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; one that follows the body says nothing here."""
        if self._in_head:
            name = name.lower()
            if name == b"expect" and value.lower() == b"100-continue":
                self._expects = True
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """A head is complete: it makes a request."""
        self._in_head = False
        self._heads += 1
        self._body_bytes = self._frame_bytes = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        if self._deaf:
            return
        current = self._parser.get_http_version() == "1.1"
        url = httptools.parse_url(self._url)
        if url.path is None:
            raise httptools.HttpParserInvalidURLError
        path = url.path.decode("ascii")
        request = Request(
            self._exchanges,
            self._parser.get_method().decode("ascii"),
            unquote(path) if "%" in path else path,
            self.headers,
            raw_path=url.path,
            query=url.query or b"",
            client=self._client,
            server=self._server,
        )
        last = not (current and self._parser.should_keep_alive())
        self._receiving = Exchange(request, last=last, chunks=current, expects=current and self._expects)
        self._exchanges.add(self._receiving)

    def on_body(self, body: bytes) -> None:
        """A part of a body; nobody wants it whose request is answered."""
        self._body_bytes += len(body)
        receiving = self._receiving
        if receiving is not None and receiving.answer is None:
            receiving.request.feed(body)

    def on_message_complete(self) -> None:
        """A request is complete, and is begun if it is its turn."""
        receiving = self._receiving
        if receiving is None or self._parser.switching:
            return
        self._receiving = None
        if self._late_timer is not None:
            self._late_timer.cancel()
            self._late_timer = None
        self._deaf = receiving.last
        receiving.request.end()
        if receiving.last and not self._exchanges.busy:  # it is answered, and only its body was waited for
            self._transport.close()
        self._exchanges.proceed()

    # What does not come in, and what goes out -------------------------------------------------------------------------

    def _head_late(self) -> None:
        self._head_timer = None
        if self._exchanges.busy:
            self._head_timer = self._loop.call_later(HEAD_SECONDS_MAX, self._head_late)  # first the earlier answer
        elif not self._transport.is_closing():
            self._refuse(408, f"the head of a request must arrive within {HEAD_SECONDS_MAX:g} seconds")

    def _unreadable(self, error: httptools.HttpParserError) -> None:
        """What came is no HTTP; or it is, and what was to be made of it failed."""
        cause = error.__context__
        if isinstance(error, httptools.HttpParserCallbackError) and not isinstance(cause, _NO_REQUEST):
            log.error("a connection broke off", exc_info=cause)
            self._deaf = True
            self._transport.abort()
        elif not self._deaf:  # what comes behind the last request is nobody's
            self._refuse(400, "Invalid HTTP request received.")

    def _refuse(self, status: int, message: str) -> None:
        self._deaf = True
        self._exchanges.refuse(status, message, self._receiving)

    def _answered(self, exchange: Exchange) -> None:
        """An exchange is over, maybe before all of its body is here."""
        if self._lost:
            self._forget()
            return
        self._idle_since = self._loop.time()
        if exchange is self._receiving and self._late_timer is None:
            self._late_timer = self._loop.call_later(LATE_SECONDS_MAX, self._close)
        if self._idle_timer is None:
            self._idle_timer = self._loop.call_later(IDLE_SECONDS_MAX, self._idle)

    def _idle(self) -> None:
        """Look whether nothing was asked for long; one timer does for all the answers meanwhile."""
        quiet_seconds = self._loop.time() - self._idle_since
        if self.quiet is None or self._head_timer is not None:
            quiet_seconds = 0.0
        if quiet_seconds < IDLE_SECONDS_MAX:
            self._idle_timer = self._loop.call_later(IDLE_SECONDS_MAX - quiet_seconds, self._idle)
        else:
            self._idle_timer = None
            self._close()

    def _await_taking(self) -> None:
        left_bytes = self._transport.get_write_buffer_size()
        self._stall_timer = self._loop.call_later(STALL_SECONDS_MAX, self._look_what_is_taken, left_bytes)

    def _look_what_is_taken(self, before_bytes: int) -> None:
        """Wait on for who has taken some of its answers meanwhile; no more of them are made before all are taken."""
        if self._transport.get_write_buffer_size() < before_bytes:
            self._await_taking()
        else:
            self._transport.abort()

    def _close(self) -> None:
        """End the connection, also with a caller who has not taken its last answer in all this time."""
        if self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self._transport.close()


def _address(transport: asyncio.Transport, end: str) -> str:
    """The network address of one end of a connection."""
    name = transport.get_extra_info(end)
    return str(name[0]) if isinstance(name, tuple) else ""
