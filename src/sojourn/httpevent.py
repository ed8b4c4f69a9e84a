"""HTTP requests as events, and events' answers as HTTP: how a function that is no web server serves an address.

Pure. A built-in runtime gets a request as an event in JSON and answers with a status, headers and a body in JSON (FC:
HTTP trigger, format v1); an answer that is none of that is the body itself. A program that speaks HTTP gets the request
as it is, see `agent.frames.pack_http`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl

import msgspec

from .clock import MICROSECONDS_PER_SECOND

HOP_BY_HOP = frozenset(
    {
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that are about a connection and end with it; length and date are ours to say."""
STATUS_BOUNDS = (200, 599)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
"""A header's name and value (RFC 9110, 5.1 and 5.5)."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request to an address; `path` and `query` as they stand on the wire, the path below the address."""

    account_id: str
    request_id: str
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    source_ip: str
    host: str
    at: int

    def forwarded(self) -> dict[str, str]:
        """The headers that a function gets: without those of the connection, and of ours (`x-fc-`)."""
        gone = HOP_BY_HOP | {"authorization"} if self.headers.get("authorization", "").startswith("FC ") else HOP_BY_HOP
        return {
            name: value for name, value in self.headers.items() if name not in gone and not name.startswith("x-fc-")
        }


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """What a function answered, header names in lower case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def event_of(request: Request) -> bytes:
    """The event of a request."""
    try:
        body, encoded = request.body.decode(), False
    except UnicodeDecodeError:
        body, encoded = base64.b64encode(request.body).decode(), True
    query: dict[str, str] = {}
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        query[name] = f"{query[name]},{value}" if name in query else value
    stamp = datetime.fromtimestamp(request.at // MICROSECONDS_PER_SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    headers = {name.title(): value for name, value in request.forwarded().items()}
    return msgspec.json.encode(
        {
            "version": "v1",
            "rawPath": request.path,
            "body": body,
            "isBase64Encoded": encoded,
            "headers": headers,
            "queryParameters": query,
            "requestContext": {
                "accountId": request.account_id,
                "domainName": request.host,
                "domainPrefix": request.host.partition(".")[0],
                "http": {
                    "method": request.method,
                    "path": request.path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": request.source_ip,
                    "userAgent": request.headers.get("user-agent", ""),
                },
                "requestId": request.request_id,
                "time": stamp,
                "timeEpoch": str(request.at // 1000),
            },
        }
    )


def response_of(result: bytes) -> Response:
    """What a built-in runtime's answer amounts to."""
    try:
        document = msgspec.json.decode(result)
    except (msgspec.DecodeError, UnicodeError):
        return Response(status=200, headers=[], body=result)
    status = document.get("statusCode") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not is_status(status):
        return Response(status=200, headers=[("content-type", "application/json")], body=result)
    assert isinstance(status, int)  # noqa: S101 - it is a status
    return Response(status=status, headers=list(_headers(document.get("headers"))), body=_body(document))


def clean(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers of an answer that may be passed on: none of a connection, none of ours, none that is no header."""
    return [
        (name.lower(), value)
        for name, value in headers
        if name.lower() not in HOP_BY_HOP
        and not name.lower().startswith("x-fc-")
        and _NAME.fullmatch(name)
        and _VALUE.fullmatch(value)
    ]


def is_status(value: object) -> bool:
    """Whether `value` is a status that an answer can end with: 1xx would let the caller wait for another one."""
    low, high = STATUS_BOUNDS
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _headers(value: object) -> Iterable[tuple[str, str]]:
    found = []
    for name, text in value.items() if isinstance(value, dict) else ():
        found += [(str(name), str(each)) for each in (text if isinstance(text, list) else [text])]
    return clean(found)


def _body(document: Mapping[str, object]) -> bytes:
    body = document.get("body", "")
    if not isinstance(body, str):
        return b"" if body is None else msgspec.json.encode(body)
    if document.get("isBase64Encoded") is True:
        try:
            return base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            return body.encode()
    return body.encode("utf-8", "surrogatepass")
