"""What goes back to a caller: a status, a body, and the headers that every answer of ours carries.

An empty body has no Content-Type: some official clients parse whatever is labelled as JSON, an empty text too.
"""

from __future__ import annotations

from typing import NamedTuple

import orjson
from starlette.types import Send

JSON = b"application/json"
PROBLEM = b"application/problem+json"
BYTES = b"application/octet-stream"
TEXT = b"text/plain; charset=utf-8"
REQUEST_ID = b"x-fc-request-id"
NO_CONTENT = 204

Header = tuple[bytes, bytes]


class Answer(NamedTuple):
    """An answer that is not on its way yet; header names in lower case."""

    status: int
    body: bytes = b""
    content_type: bytes = BYTES
    headers: tuple[Header, ...] = ()


EMPTY = Answer(NO_CONTENT)


def of_json(document: object, status: int = 200) -> Answer:
    """`document` as JSON."""
    return Answer(status, orjson.dumps(document), JSON)


def headers_of(answer: Answer, request_id: str) -> list[Header]:
    """All headers of `answer`; one that names its own request id keeps it."""
    headers = list(answer.headers)
    if not any(name == REQUEST_ID for name, _ in headers):
        headers.append((REQUEST_ID, request_id.encode()))
    if answer.body:
        headers.append((b"content-type", answer.content_type))
    if answer.status != NO_CONTENT:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    return headers


async def send(answer: Answer, request_id: str, to: Send) -> None:
    """Put `answer` on the wire."""
    headers = headers_of(answer, request_id)
    await to({"type": "http.response.start", "status": answer.status, "headers": headers})
    await to({"type": "http.response.body", "body": answer.body})
