"""Endpoints that do one thing wrong: a proxy before a real server that changes requests or answers on their way.

It signs what it passes on with the server's own key, so that a changed request is taken; so it also lets in whoever
signs wrongly, which is what one of the tests is about.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from sojourn.client import Connection
from sojourn.signature import sign

PASSED = ("content-type", "x-fc-")
"""Beginnings of the headers that are passed on."""


@dataclass
class Message:
    """A request or an answer on its way; `path` of an answer is that of its request."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    status: int = 0
    signed: bool = True

    @property
    def document(self) -> dict[str, object]:
        """The body as JSON."""
        found: dict[str, object] = json.loads(self.body or b"{}")
        return found

    def becomes(self, document: object) -> None:
        """Put JSON into the body."""
        self.body = json.dumps(document).encode()


Bend = Callable[[Message], None]


@dataclass
class Crooked:
    """What is done to requests and answers; `swallow` answers a request without passing it on."""

    asked: Bend = field(default=lambda _: None)
    answered: Bend = field(default=lambda _: None)
    swallow: Callable[[Message], Message | None] = field(default=lambda _: None)


@contextmanager
def served(upstream: Connection, crooked: Crooked) -> Iterator[Connection]:
    """The crooked endpoint before `upstream`, with the same key."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            answer = _through(upstream, crooked, self)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_PUT = do_DELETE = _pass  # noqa: N815 - names of the base class

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        where = f"http://127.0.0.1:{server.server_address[1]}"
        yield Connection(where, upstream.access_key_id, upstream.access_key_secret)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _through(upstream: Connection, crooked: Crooked, handler: BaseHTTPRequestHandler) -> Message:
    parts = urlsplit(handler.path)
    body = handler.rfile.read(int(handler.headers.get("content-length") or 0))
    headers = {name.lower(): value for name, value in handler.headers.items()}
    kept = {name: value for name, value in headers.items() if name.startswith(PASSED)}
    asked = Message(handler.command, parts.path, parts.query, kept, body, signed="authorization" in headers)
    crooked.asked(asked)
    answer = crooked.swallow(asked)
    if answer is None:
        answer = _exchange(upstream, asked)
    crooked.answered(answer)
    return answer


def _exchange(upstream: Connection, asked: Message) -> Message:
    headers = {"host": upstream.host, **asked.headers}
    if asked.signed:
        headers = sign(
            asked.method,
            asked.path,
            asked.query,
            headers,
            body_sha256=hashlib.sha256(asked.body).hexdigest(),
            access_key_id=upstream.access_key_id,
            access_key_secret=upstream.access_key_secret,
            now_seconds=time.time(),
            nonce=secrets.token_hex(16),
        )
    connection = http.client.HTTPConnection(upstream.host, timeout=60)
    try:
        path = asked.path + (f"?{asked.query}" if asked.query else "")
        connection.request(asked.method, path, body=asked.body, headers=headers)
        response = connection.getresponse()
        body = response.read()
        kept = {
            name.lower(): value
            for name, value in response.getheaders()
            if name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server")
        }
    finally:
        connection.close()
    return Message(asked.method, asked.path, asked.query, kept, body, response.status)


def reply(asked: Message, status: int, document: object = None, **headers: str) -> Message:
    """An answer of the proxy's own."""
    named = {name.replace("_", "-"): value for name, value in headers.items()} | {"x-fc-request-id": "made-up"}
    body = b"" if document is None else json.dumps(document).encode()
    kind = {} if document is None else {"content-type": "application/json"}
    return Message(asked.method, asked.path, asked.query, named | kind, body, status)
