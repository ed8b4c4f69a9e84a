"""HTTP/1.1 as both clients speak it: a request as bytes, and bytes as an answer. It touches no socket.

Ours because it is on the way of every call: a general HTTP library costs one to five milliseconds for what takes a
tenth of one. One request is on a connection at a time; what may be sent together is decided in `gathering`.
"""

from __future__ import annotations

import httptools

from .call import Answer, Request
from .errors import refused

HTTP_INFORMAL_END = 200
"""Below are answers that another one follows."""
SWITCHING_PROTOCOLS = 101


class Garbled(Exception):
    """What came is no answer of HTTP."""


def spelled(wanted: Request, endpoint: str) -> bytes:
    """`wanted` as it goes on the wire to `endpoint`.

    Raises
    ------
    Refused: a header cannot be sent as it is.

    """
    lines = [f"{wanted.method} {wanted.url[len(endpoint) :]} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in wanted.headers.items()]
    head = "\r\n".join(lines)
    if head.count("\n") != len(wanted.headers) or head.count("\r") != len(wanted.headers) or not head.isascii():
        raise refused("headers", head, "must be ASCII, each on a line")
    return head.encode() + b"\r\n\r\n" + wanted.body


class Reader:
    """Makes answers of what comes on one connection, one after the other.

    `reusable` says after an answer whether the connection is good for another request.
    """

    __slots__ = ("_answer", "_body", "_framed", "_headers", "_parser", "_status", "reusable")

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.reusable = True
        self._answer: Answer | None = None
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._status: int | None = None
        self._framed = False

    def feed(self, data: bytes) -> Answer | None:
        """The answer when `data` is the last of it, None while there is more to come.

        Raises
        ------
        Garbled: it is none.

        """
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise Garbled(str(error)) from error
        return self._taken()

    def end(self) -> Answer | None:
        """The answer that the end of the connection completes, None when there is none."""
        self.reusable = False
        if self._status is None or self._framed:
            return None
        self._answer = Answer(self._status, self._headers, b"".join(self._body))
        return self._taken()

    def _taken(self) -> Answer | None:
        answer = self._answer
        if answer is not None:
            self._clear()
        return answer

    def _clear(self) -> None:
        self._answer, self._status, self._framed = None, None, False
        self._headers, self._body = {}, []

    # What the parser calls ------------------------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header is read; one that comes twice is joined, as HTTP says."""
        text, known = value.decode("latin-1"), name.decode("latin-1").lower()
        self._headers[known] = f"{self._headers[known]}, {text}" if known in self._headers else text

    def on_headers_complete(self) -> None:
        """The head is read."""
        self._status = self._parser.get_status_code()
        self._framed = "content-length" in self._headers or "transfer-encoding" in self._headers

    def on_body(self, body: bytes) -> None:
        """A piece of the body is read."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """An answer is read; one that only announces another is passed over."""
        if self._answer is not None:
            raise Garbled("another answer than what was asked for")
        status = self._parser.get_status_code()
        if status < HTTP_INFORMAL_END and status != SWITCHING_PROTOCOLS:
            self._headers, self._body, self._status = {}, [], None
            return
        self.reusable = self._parser.should_keep_alive()
        self._answer = Answer(status, self._headers, b"".join(self._body))
