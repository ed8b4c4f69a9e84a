"""One request and one answer, as values: how a call is put on the wire and read back, without touching the wire.

`Call` says what is asked, `request` signs and spells it out, `Call.read` decodes the answer or raises the error it
stands for. Which calls there are is said in `calls`; who sends them in `blocking` and `asynchronous`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import quote

import msgspec

from sojourn import __version__, signature

from . import errors
from .batch import NewTask
from .connection import Connection

T = TypeVar("T")

API_VERSION = "2023-03-30"
USER_AGENT = f"sojourn/{__version__}"
CHUNK_BYTES = 64 * 1024

Progress = Callable[[int, int], None]
"""Called with the bytes sent so far and the bytes in all."""


class Answer(msgspec.Struct, frozen=True):
    """What came back; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def request_id(self) -> str:
        """The server's id of the request."""
        return self.headers.get("x-fc-request-id", "")


class Submit(NamedTuple):
    """A task and the function that it is for: what a call that submits one may share with others."""

    function: str
    task: NewTask


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request and how its answer is read.

    `path` is percent-encoded. `idempotent` says that sending it twice does what sending it once does.
    `timeout_seconds` bounds the wait for the answer: None is the client's own bound, 0 none at all. `submit` is what it
    submits, if nothing else is asked for, so that it may go together with others.
    """

    action: str
    method: str
    path: str
    decode: Callable[[Answer], T]
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    content_type: str = "application/json"
    idempotent: bool = False
    signed: bool = True
    timeout_seconds: float | None = None
    progress: Progress | None = None
    submit: Submit | None = None

    def read(self, answer: Answer) -> T:
        """The decoded answer.

        Raises
        ------
        ClientError: the subclass that the answer stands for.

        """
        if answer.status >= errors.HTTP_ERRORS_BEGIN:
            raise errors.of_answer(answer.status, answer.headers, answer.body)
        try:
            return self.decode(answer)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
            raise errors.ServerError(
                f"the answer to {self.action} is not a Sojourn server's ({error})",
                status=answer.status,
                code="UnreadableAnswer",
                request_id=answer.request_id,
            ) from error


class Request(msgspec.Struct, frozen=True):
    """What goes on the wire."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


def request(call: Call[T], connection: Connection, *, now_seconds: float, nonce: str) -> Request:
    """`call` spelled out and signed, or with an access token; what a proxy may rewrite is not signed.

    Parameters
    ----------
    call: what is asked.
    connection: where to, and with which key.
    now_seconds: the time, in seconds since 1970.
    nonce: a text that no other request carries.

    """
    query = signature.encode_query(call.query.items())
    headers = {"host": connection.host, **{name.lower(): value for name, value in call.headers.items()}}
    if call.body:
        headers["content-type"] = call.content_type
    if call.signed and connection.token:
        headers |= {"authorization": f"Bearer {connection.token}", "x-acs-action": call.action}
    elif call.signed:
        headers |= {"x-acs-action": call.action, "x-acs-version": API_VERSION}
        if connection.security_token:
            headers["x-acs-security-token"] = connection.security_token
        headers = signature.sign(
            call.method,
            call.path,
            query,
            headers,
            body_sha256=hashlib.sha256(call.body).hexdigest(),
            access_key_id=connection.access_key_id,
            access_key_secret=connection.access_key_secret,
            now_seconds=now_seconds,
            nonce=nonce,
        )
    headers |= {"accept": "application/json", "user-agent": USER_AGENT}
    if call.body or call.method in ("POST", "PUT"):
        headers["content-length"] = str(len(call.body))
    url = connection.endpoint + call.path + (f"?{query}" if query else "")
    return Request(call.method, url, headers, call.body)


def segment(name: str, value: str) -> str:
    """`value` as one segment of a path; what a path would swallow is refused, calling it `name`."""
    if not value or value in (".", ".."):
        raise errors.refused(name, value, "must not be empty or dots")
    try:
        return quote(value, safe="")
    except UnicodeEncodeError:
        raise errors.refused(name, value, "must be valid Unicode") from None


def pieces(body: bytes, progress: Progress) -> Iterator[bytes]:
    """`body` in pieces, telling `progress` of each one that was taken."""
    view = memoryview(body)
    for begin in range(0, len(body), CHUNK_BYTES):
        yield bytes(view[begin : begin + CHUNK_BYTES])
        progress(min(begin + CHUNK_BYTES, len(body)), len(body))
