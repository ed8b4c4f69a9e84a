"""One request on its way to a handler: authenticated, its body read within its bound and compared with its digest.

A body is never buffered beyond its bound, whatever Content-Length says and however it is cut into chunks. Reading JSON,
query parameters and booleans is here too, because every dialect spells them alike; what they mean is the handlers'.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from urllib.parse import parse_qsl

import orjson

from sojourn.errors import InvalidArgument, PayloadTooLarge, ServiceUnavailable, SignatureMismatch
from sojourn.function import AccessKey

from .backend import Backend
from .dialect import Dialect
from .request import Request

BODY_SECONDS_MAX = 300
JSON_DEPTH_MAX = 100
"""What reads a body may walk through it by calling itself, and Python bounds how deep that goes."""
HASHED_AT_ONCE_BYTES = 1024 * 1024
"""A longer body is hashed in a thread, so that other callers do not wait for it."""
_BOOLEANS = {"true": True, "false": False}


class Call:
    """What a handler gets.

    `dialect` is the generation of the API that it is made in. `key` is the caller's access key, `number` this
    request's, `path` the parameters of the path, `headers` the headers by lower-case name, `query` the query parameters
    that have a value, `body` the whole body. `request.gone()` tells when the caller goes away.
    """

    __slots__ = ("backend", "body", "dialect", "headers", "key", "number", "path", "query", "request")

    def __init__(
        self,
        backend: Backend,
        key: AccessKey,
        request: Request,
        *,
        headers: Mapping[bytes, bytes],
        body: bytes,
        dialect: Dialect,
    ) -> None:
        self.backend, self.key, self.request, self.dialect = backend, key, request, dialect
        self.headers, self.body, self.number = headers, body, request.number
        self.path = request.names
        self.query: Mapping[str, str] = _query(request.query) if request.query else {}

    @property
    def request_id(self) -> str:
        """The name of this request."""
        return self.request.request_id

    @property
    def account_id(self) -> str:
        """The caller's account, the only one whose things it sees."""
        return self.key.account_id

    @property
    def origin(self) -> str:
        """Where the caller reached this server, for addresses in answers."""
        host = self.header(b"host")
        return f"http://{host}" if host and ":" in host else self.backend.url

    def header(self, name: bytes) -> str | None:
        """A header's value, None when it is absent or empty."""
        value = self.headers.get(name)
        return value.decode("latin-1").strip() or None if value else None

    def json(self) -> dict[str, object]:
        """The body as a JSON object; an empty one is an object without fields.

        Raises
        ------
        InvalidArgument: it is not a JSON object.

        """
        return decode_object(self.body)


def decode_object(body: bytes) -> dict[str, object]:
    """`body` as a JSON object, see `Call.json`."""
    if not body:
        return {}
    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidArgument("request body", body[:64], f"must be JSON ({error.msg} at byte {error.pos})") from None
    if not isinstance(decoded, dict):
        raise InvalidArgument("request body", body[:64], "must be a JSON object")
    if body.count(b"{") + body.count(b"[") > JSON_DEPTH_MAX and not _shallow(decoded):
        raise InvalidArgument("request body", body[:64], f"must be nested at most {JSON_DEPTH_MAX} deep")
    return decoded


def _shallow(document: object) -> bool:
    """Whether nothing in `document` lies deeper than `JSON_DEPTH_MAX`; looked at level by level, without recursion."""
    level = [document]
    for _ in range(JSON_DEPTH_MAX):
        inner: list[object] = []
        for each in level:
            parts = each.values() if isinstance(each, dict) else each if isinstance(each, list) else ()
            inner.extend(part for part in parts if isinstance(part, dict | list))
        if not inner:
            return True
        level = inner
    return False


def only(body: dict[str, object], *known: str) -> dict[str, object]:
    """`body` when it gives no other fields than the known ones; null is not given.

    Raises
    ------
    InvalidArgument: it does.

    """
    for field, value in body.items():
        if field not in known and value is not None:
            raise InvalidArgument(field, value, "is not supported")
    return body


def boolean(field: str, text: str | None, *, default: bool = False) -> bool:
    """A flag of the query; clients write `true` and `True`."""
    if text is None:
        return default
    value = _BOOLEANS.get(text.lower())
    if value is None:
        raise InvalidArgument(field, text, "must be true or false")
    return value


async def read_body(
    headers: Mapping[bytes, bytes], request: Request, what: str, limit_bytes: int, digest: bytes | None
) -> bytes:
    """The whole body, at most `limit_bytes`, which is what the signed digest says it is.

    Parameters
    ----------
    headers: by lower-case name.
    request: whose body.
    what: what the body is, for the error message.
    limit_bytes: its bound.
    digest: the SHA-256 in hex that was signed, None when none was.

    Raises
    ------
    PayloadTooLarge: it is longer; the rest is not read.
    SignatureMismatch: it is not the body that was signed.
    ServiceUnavailable: it came too slowly.
    ClientGone: the caller went away.

    """
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared[:18]) > limit_bytes:
        raise PayloadTooLarge(what, int(declared[:18]), limit_bytes)
    if request.whole:
        body = await request.piece()
    else:
        try:
            async with asyncio.timeout(BODY_SECONDS_MAX):
                body = await _pieces(request, what, limit_bytes)
        except TimeoutError:
            raise ServiceUnavailable(f"{what} did not arrive within {BODY_SECONDS_MAX} seconds") from None
    if len(body) > limit_bytes:
        raise PayloadTooLarge(what, len(body), limit_bytes)
    if digest is None:
        return body
    if len(body) > HASHED_AT_ONCE_BYTES:
        found = await asyncio.to_thread(lambda: hashlib.sha256(body).hexdigest())
    else:
        found = hashlib.sha256(body).hexdigest()
    if found.encode() != digest:
        raise SignatureMismatch("x-acs-content-sha256 is not the SHA-256 of the body")
    return body


async def _pieces(request: Request, what: str, limit_bytes: int) -> bytes:
    """All pieces of a body; no more are asked for than its bound allows."""
    pieces, size = list[bytes](), 0
    while piece := await request.piece():
        pieces.append(piece)
        size += len(piece)
        if size > limit_bytes:
            raise PayloadTooLarge(what, size, limit_bytes)
    return b"".join(pieces)


def _query(text: bytes) -> dict[str, str]:
    """The parameters that have a value; an empty one is one that was not given."""
    try:
        pairs = parse_qsl(text.decode("ascii"), errors="strict")
    except (UnicodeDecodeError, ValueError):
        raise InvalidArgument("query", text[:64], "must be percent-encoded UTF-8") from None
    query: dict[str, str] = {}
    for name, value in pairs:
        if name in query:
            raise InvalidArgument(name, value, "must be given once")
        query[name] = value
    return query
