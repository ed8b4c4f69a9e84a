"""Requests that ask for another protocol: none is spoken here, so what they ask for is ignored, as HTTP lets a server.

The parser takes what follows such a head for the other protocol. Then a body would be nobody's, and its bytes would be
read as the next request. So the rest goes to a parser of its own, which is told first how the body is framed.
"""

from __future__ import annotations

from typing import Protocol

import httptools

_FRAMING = (b"content-length", b"transfer-encoding")


class Receiver(Protocol):
    """Who is told what a parser finds; `headers` are those of the present request, by lower-case name."""

    headers: list[tuple[bytes, bytes]]

    def on_message_begin(self) -> None:
        """A head begins."""
        ...

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        ...

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        ...

    def on_headers_complete(self) -> None:
        """A head is complete."""
        ...

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        ...

    def on_message_complete(self) -> None:
        """A request is complete; not so while the parser is `switching`."""
        ...


class Parser:
    """The requests of one connection, told to `receiver`."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._inner = _parser(receiver)

    @property
    def switching(self) -> bool:
        """Whether the request that was told of asks for another protocol; its body and its end are still to come."""
        return self._inner.should_upgrade()

    def should_upgrade(self) -> bool:
        """Never."""
        return False

    def should_keep_alive(self) -> bool:
        """Whether another request may follow the present one."""
        return self._inner.should_keep_alive()

    def get_http_version(self) -> str:
        """Of the present request."""
        return self._inner.get_http_version()

    def get_method(self) -> bytes:
        """Of the present request."""
        return self._inner.get_method()

    def feed_data(self, data: bytes) -> None:
        """More of what was received.

        Raises
        ------
        httptools.HttpParserError: it is not HTTP.

        """
        rest: bytes | memoryview = data
        while rest:
            try:
                self._inner.feed_data(rest)
            except httptools.HttpParserUpgrade as asked:
                rest = memoryview(rest)[asked.args[0] :]
                self._inner = _parser(_Onward(self._receiver))
                framing = [b"%b: %b\r\n" % each for each in self._receiver.headers if each[0] in _FRAMING]
                self._inner.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % b"".join(framing))
            else:
                return


class _Onward:
    """Passes on to `receiver` all but the first head, which stands for one that it has had."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver, self._had = receiver, False
        self.on_body, self.on_message_complete = receiver.on_body, receiver.on_message_complete

    def on_message_begin(self) -> None:
        if self._had:
            self._receiver.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if self._had:
            self._receiver.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._had:
            self._receiver.on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._had:
            self._receiver.on_headers_complete()
        self._had = True


def _parser(receiver: object) -> httptools.HttpRequestParser:
    """One that also takes a request that is followed by another although it asks to be the last."""
    made = httptools.HttpRequestParser(receiver)
    made.set_dangerous_leniencies(lenient_data_after_close=True)
    return made
