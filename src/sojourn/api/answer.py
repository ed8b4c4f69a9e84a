"""What goes back to a caller: a status, a body, and the headers that every answer of ours carries.

An empty body has no Content-Type: some official clients parse whatever is labelled as JSON, an empty text too. How an
answer is spelled on the wire is here too; when it is sent, and what follows it, is left to `protocol`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple, Protocol

import orjson

JSON = b"application/json"
PROBLEM = b"application/problem+json"
BYTES = b"application/octet-stream"
TEXT = b"text/plain; charset=utf-8"
REQUEST_ID = b"x-fc-request-id"
NO_CONTENT = 204

Header = tuple[bytes, bytes]

_STATUS_LINES = {each.value: f"HTTP/1.1 {each.value} {each.phrase}\r\n".encode() for each in HTTPStatus}
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROLS = bytes(code for code in (*range(32), 127) if code != ord("\t"))
_PER_LINE = len(b"\r\n")


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


def head(status: int, date: bytes, headers: list[Header]) -> bytes:
    """The head of an answer as it goes over the wire.

    Parameters
    ----------
    status: its status.
    date: the line that says the time, see `date_line`.
    headers: all others.

    Raises
    ------
    ValueError: a header is none, or holds what would begin another line.

    """
    for name, _ in headers:
        _check_name(name)
    lines = b"".join([b"%b: %b\r\n" % each for each in headers])
    if len(lines) - len(lines.translate(None, _CONTROLS)) != _PER_LINE * len(headers):
        raise ValueError("a header of the answer holds a control character")
    first = _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
    return b"%b%b%b\r\n" % (first, date, lines)


@lru_cache(maxsize=512)
def _check_name(name: bytes) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a header")
