"""Requests and answers as they are on the wire: signed, sent, and read without believing anything.

A request can be changed after it was signed, which is how the checks of signatures forge them.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx

from sojourn.client.connection import Connection
from sojourn.signature import encode_query

from .expect import Differs, shown

Document = dict[str, Any]
SECONDS_MAX = 90.0
"""How long an answer may take; synchronous calls of the checks end within 30 s."""


class Key(NamedTuple):
    """An access key and its secret."""

    id: str
    secret: str


@dataclass
class Request:
    """A request that is not sent yet; `path` is percent-encoded, header names are in lower case."""

    action: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    chunked: bool = False


Signer = Callable[[Request, Key, float], None]
"""Puts a signature by a key at a time (seconds since 1970) into the headers of a request."""
Change = Callable[[Request], None]


class Answer(NamedTuple):
    """What came back; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Document:
        """The body as a JSON object."""
        try:
            found = json.loads(self.body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Differs("a JSON object", f"{self.status} {shown(self.body)}")
        return found

    @property
    def code(self) -> str:
        """The error's code, "" when the body has none."""
        try:
            document = self.document
        except Differs:
            return ""
        return str(document.get("Code") or document.get("ErrorCode") or "")

    @property
    def request_id(self) -> str:
        """The id of the request."""
        return self.headers.get("x-fc-request-id", "")

    def __repr__(self) -> str:
        """What to show of it: the status, and what went wrong or the beginning of the body."""
        return f"{self.status} {self.code or shown(self.body)}"


@dataclass
class How:
    """How a request is to be signed and sent.

    `signed` False leaves the signature out, `key` signs with another key, `late_seconds` with another time; `change`
    is done after the signature.
    """

    signed: bool = True
    key: Key | None = None
    late_seconds: float = 0.0
    change: Change | None = None
    chunked: bool = False


@dataclass
class Wire:
    """Sends requests to one endpoint.

    `signer` is the generation's. `account_id` goes into X-Fc-Account-Id where the caller knows it.
    """

    connection: Connection
    signer: Signer
    http: httpx.AsyncClient
    account_id: str = ""
    sent: int = field(default=0, init=False)

    async def send(
        self,
        action: str,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        how: How | None = None,
    ) -> Answer:
        """Send a request to `path`, which is not encoded yet, and read the answer.

        Raises
        ------
        Differs: there is none.

        """
        how = how or How()
        request = Request(action, method, quote(path, safe="/-._~"), encode_query((query or {}).items()), {}, body)
        request.headers = {
            "host": self.connection.host,
            **{name.lower(): text for name, text in (headers or {}).items()},
        }
        if self.account_id:
            request.headers.setdefault("x-fc-account-id", self.account_id)
        if how.signed:
            key = how.key or Key(self.connection.access_key_id, self.connection.access_key_secret)
            self.signer(request, key, time.time() + how.late_seconds)
        if how.change is not None:
            how.change(request)
        return await self._exchange(request, chunked=how.chunked)

    async def fetch(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Ask an address that an answer has given, unsigned."""
        self.sent += 1
        try:
            response = await self.http.request(method, url, headers=dict(headers or {}), content=body)
        except httpx.HTTPError as error:
            raise Differs(f"an answer to {method} {url}", _reason(error)) from error
        return _answer(response)

    async def _exchange(self, request: Request, *, chunked: bool) -> Answer:
        self.sent += 1
        url = self.connection.endpoint + request.path + (f"?{request.query}" if request.query else "")
        content = _pieces(request.body) if chunked else request.body
        try:
            response = await self.http.request(request.method, url, headers=request.headers, content=content)
        except httpx.HTTPError as error:
            raise Differs(f"an answer to {request.method} {request.path}", _reason(error)) from error
        return _answer(response)


def client(connection: Connection) -> httpx.AsyncClient:
    """An HTTP client for `connection`; a proxy never stands between this machine and itself."""
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64, keepalive_expiry=2.0)
    return httpx.AsyncClient(
        timeout=httpx.Timeout(SECONDS_MAX, connect=10.0, pool=None), limits=limits, trust_env=not connection.local
    )


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    middle = len(body) // 2
    yield body[:middle]
    yield body[middle:]


def _answer(response: httpx.Response) -> Answer:
    headers = {name.lower(): text for name, text in response.headers.items()}
    return Answer(response.status_code, headers, response.content)


def _reason(error: httpx.HTTPError) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
