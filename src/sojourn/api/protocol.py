"""HTTP/1.1 as uvicorn speaks it, with some of its ends tied up.

What is not HTTP at all is answered in JSON, like every other error. A caller gets a bounded time and a bounded number
of bytes for a request's head, so that one who sends it letter by letter, or for ever, holds nothing. And so it is
behind the head: what frames a chunked body is bounded, trailers are read past, and a body that is answered already has
to end soon. A request that asks for another protocol is a request like any other (`upgrade`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .errors import document
from .upgrade import Parser

HEAD_SECONDS_MAX = 30.0
HEAD_BYTES_MAX = 64 * 1024
FRAME_BYTES_MAX = 16
"""What frames a chunked body, for each of its bytes: as much as for chunks of one byte with extensions."""
LATE_SECONDS_MAX = 30.0
"""How long the rest of a body may take whose request is answered already."""

_REASONS = {400: b"Bad Request", 408: b"Request Timeout", 431: b"Request Header Fields Too Large"}


class Protocol(HttpToolsProtocol):
    """One connection to the application that `app.build` made; request ids come from there too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parser: Parser = Parser(self)  # type: ignore[assignment]  # it has all that is asked of it
        self._in_head = True
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._in_body = False
        self._heads = self._body_bytes = self._frame_bytes = 0
        self._late_timer: asyncio.TimerHandle | None = None
        self._request_id: Callable[[], str] = self.config.app.request_id  # type: ignore[union-attr]  # `Paths`

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """A caller is there and has said nothing yet."""
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(HEAD_SECONDS_MAX, self._head_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """The caller is gone."""
        self._forget_timer()
        self._forget_late()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """More of a request; what it completes is handled at once."""
        was_in_body, body_bytes = self._in_body, self._body_bytes
        was_in_head, heads = self._in_head, self._heads
        super().data_received(data)
        if self.transport.is_closing():
            return
        if not self._in_head:
            if was_in_body and self._in_body and heads == self._heads:
                self._frame_bytes += len(data) - (self._body_bytes - body_bytes)
                if self._frame_bytes > HEAD_BYTES_MAX + FRAME_BYTES_MAX * self._body_bytes:
                    self._refuse(431, f"what frames a body must hold at most {HEAD_BYTES_MAX} bytes")
            return
        if was_in_head and heads == self._heads:  # else it begins somewhere in `data`, short enough by itself
            self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES_MAX:
            self._refuse(431, f"the head of a request must hold at most {HEAD_BYTES_MAX} bytes")
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS_MAX, self._head_late)

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        """A head is complete: its request goes to the application."""
        self._in_head, self._in_body = False, True
        self._heads += 1
        self._body_bytes = self._frame_bytes = 0
        self._forget_timer()
        super().on_headers_complete()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; one that follows the body says nothing here."""
        if self._in_head:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is complete."""
        if self.parser.switching:
            return
        self._in_body = False
        self._forget_late()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A request is answered, maybe before all of its body is here."""
        super().on_response_complete()
        if self._in_body and self.cycle is not None and self.cycle.response_complete:
            self._forget_late()
            self._late_timer = self.loop.call_later(LATE_SECONDS_MAX, self.transport.close)

    def send_400_response(self, msg: str) -> None:
        """What came is not HTTP."""
        self._refuse(400, msg)

    def _head_late(self) -> None:
        self._head_timer = None
        if self.cycle is not None and not self.cycle.response_complete:
            self._head_timer = self.loop.call_later(HEAD_SECONDS_MAX, self._head_late)  # first the earlier answer
        elif not self.transport.is_closing():
            self._refuse(408, f"the head of a request must arrive within {HEAD_SECONDS_MAX:g} seconds")

    def _forget_late(self) -> None:
        if self._late_timer is not None:
            self._late_timer.cancel()
            self._late_timer = None

    def _forget_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self, status: int, message: str) -> None:
        if self._in_body and self.cycle is not None and self.cycle.response_started:
            self.transport.close()  # it is answered already
            return
        request_id = self._request_id()
        body = orjson.dumps(document("InvalidArgument", message, request_id))
        head = b"HTTP/1.1 %d %b\r\n" % (status, _REASONS[status])
        for name, value in self.server_state.default_headers:
            head += b"%b: %b\r\n" % (name, value)
        head += b"x-fc-request-id: %b\r\ncontent-type: application/json\r\n" % request_id.encode()
        head += b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(head + body)
        self.transport.close()
