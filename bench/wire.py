"""Requests as bytes on the wire, signed and serialised before anything is timed, and a plain connection for them.

The header set is the one that the official SDK sends, so that the server reads and verifies what it would read from its
users. Signing is `sojourn.signature`'s. What is sent, when, and what the time means, is left to others.
"""

from __future__ import annotations

import hashlib
import itertools
import secrets
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from sojourn import signature

VERSION = "2023-03-30"
READ_BYTES = 1 << 16
_ASYNC = {"content-type": "application/octet-stream", "x-fc-invocation-type": "Async"}
ANSWER_SECONDS_MAX = 60.0

_nonces: Iterator[str] = (f"{prefix}{number:09x}" for prefix in (secrets.token_hex(8),) for number in itertools.count())
"""Never the same twice, in this process or another, and all of one length."""


class Target(msgspec.Struct, frozen=True):
    """Who is called: host and port, and the key pair to sign with."""

    host: str
    port: int
    key_id: str
    key_secret: str


class Answer(NamedTuple):
    """A response: status, headers by lower-case name, body."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Unanswered(Exception):
    """The other side closed the connection, or sent what is not a response with a length."""


def target(endpoint: str, key_id: str, key_secret: str) -> Target:
    """The target behind an `http://HOST:PORT`."""
    parts = urlsplit(endpoint)
    return Target(parts.hostname or "", parts.port or 80, key_id, key_secret)


def invocation(to: Target, function: str, payload: bytes, *, task_id: str = "", wait: bool = False) -> bytes:
    """One InvokeFunction: asynchronous, or synchronous with `wait`."""
    path = f"/{VERSION}/functions/{function}/invocations"
    headers = {"content-type": "application/octet-stream", "x-fc-invocation-type": "Sync" if wait else "Async"}
    if task_id:
        headers["x-fc-async-task-id"] = task_id
    return request(to, "POST", path, {"x-acs-action": "InvokeFunction", **headers}, payload)


def task_lookup(to: Target, function: str, task_id: str) -> bytes:
    """One GetAsyncTask."""
    path = f"/{VERSION}/functions/{function}/async-tasks/{task_id}"
    return request(to, "GET", path, {"x-acs-action": "GetAsyncTask"}, b"")


def request(to: Target, method: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """One request of any kind, signed; a query stands behind the `?` of `path`."""
    return head(to, method, path, headers, body) + body


def heads(to: Target, method: str, paths: Iterable[str], headers: Mapping[str, str], body: bytes) -> Iterator[bytes]:
    """Endlessly the heads of signed requests for `paths` in turn, each to be followed by `body`."""
    return (head(to, method, path, headers, body) for path in itertools.cycle(paths))


def submits(to: Target, functions: Iterable[str], payload: bytes) -> Iterator[bytes]:
    """The heads of asynchronous invocations of `functions` in turn."""
    paths = [f"/{VERSION}/functions/{function}/invocations" for function in functions]
    return heads(to, "POST", paths, {"x-acs-action": "InvokeFunction", **_ASYNC}, payload)


def head(to: Target, method: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """A request without its body, which is signed with it."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in signed(to, method, path, headers, body).items())
    return f"{method} {path} HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n".encode()


def signed(to: Target, method: str, path: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    """The headers that make it a signed request."""
    place, _, query = path.partition("?")
    given = {
        "host": f"{to.host}:{to.port}",
        "accept": "application/json",
        "user-agent": "sojourn-bench",
        "x-acs-version": VERSION,
        "x-acs-credentials-provider": "static_ak",
        **headers,
    }
    return signature.sign(
        method,
        place,
        query,
        given,
        body_sha256=hashlib.sha256(body).hexdigest(),
        access_key_id=to.key_id,
        access_key_secret=to.key_secret,
        now_seconds=time.time(),
        nonce=next(_nonces),
    )


class Line:
    """One keep-alive connection, blocking, one request at a time."""

    def __init__(self, to: Target, seconds_max: float = ANSWER_SECONDS_MAX) -> None:
        self._socket = socket.create_connection((to.host, to.port), timeout=seconds_max)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def exchange(self, request: bytes) -> Answer:
        """Send `request` and wait for the whole answer.

        Raises
        ------
        Unanswered: the connection ended first.

        """
        self._socket.sendall(request)
        data = self._socket.recv(READ_BYTES)
        while (size := answer_size(data)) is None or len(data) < size:
            more = self._socket.recv(READ_BYTES)
            if not more:
                raise Unanswered("the server closed the connection in the middle of an answer")
            data += more
        return _answer(data)

    def close(self) -> None:
        """Let the connection go."""
        self._socket.close()


def answer_size(data: bytes) -> int | None:
    """How many bytes the answer at the beginning of `data` has; None while its head is not there yet.

    Raises
    ------
    Unanswered: its head names no length.

    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = data[:end].lower()
    at = head.find(b"\r\ncontent-length:")
    if at < 0:
        raise Unanswered(f"an answer without a length: {data[:80]!r}")
    return end + 4 + int(head[at + 17 :].split(b"\r\n", 1)[0])


def _answer(data: bytes) -> Answer:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(b":")
        headers[name.strip().lower()] = value.strip()
    return Answer(int(first[9:12]), headers, body)
