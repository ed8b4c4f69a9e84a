"""What goes back to a caller: a status, a body, and the headers that every answer of ours carries.

An empty body has no Content-Type: some official clients parse whatever is labelled as JSON, an empty text too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple, Protocol

import orjson
from starlette.types import Send

JSON = b"application/json"
PROBLEM = b"application/problem+json"
BYTES = b"application/octet-stream"
TEXT = b"text/plain; charset=utf-8"
REQUEST_ID = b"x-fc-request-id"
NO_CONTENT = 204

Header = tuple[bytes, bytes]


class Stream(Protocol):
    """A body that comes piece by piece."""

    def pieces(self) -> AsyncIterator[bytes]:
        """The pieces; asked for at most once."""
        ...

    def close(self) -> None:
        """Called at the end of it, whatever that is, also when no piece was asked for."""
        ...


class Answer(NamedTuple):
    """An answer that is not on its way yet; header names in lower case. It has a `body`, or a `stream` for one."""

    status: int
    body: bytes = b""
    content_type: bytes = BYTES
    headers: tuple[Header, ...] = ()
    stream: Stream | None = None


EMPTY = Answer(NO_CONTENT)


def of_json(document: object, status: int = 200) -> Answer:
    """`document` as JSON."""
    return Answer(status, orjson.dumps(document), JSON)


def headers_of(answer: Answer, request_id: str) -> list[Header]:
    """All headers of `answer`; one that names its own request id keeps it."""
    headers = list(answer.headers)
    if not any(name == REQUEST_ID for name, _ in headers):
        headers.append((REQUEST_ID, request_id.encode()))
    if answer.body or answer.stream is not None:
        headers.append((b"content-type", answer.content_type))
    if answer.stream is None and answer.status != NO_CONTENT:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    return headers


async def send(answer: Answer, request_id: str, to: Send) -> None:
    """Put `answer`, which has a body, on the wire; `streaming` sends those that have a stream."""
    headers = headers_of(answer, request_id)
    await to({"type": "http.response.start", "status": answer.status, "headers": headers})
    await to({"type": "http.response.body", "body": answer.body})
