"""The signatures before ACS3: Function Compute's (`FC key:signature`), its signed URLs, ROA's (`acs key:signature`).

None of them covers the body, and FC's does not cover the query of an ordinary call; so each is taken only where clients
of its generation need it (`api.authentication`). Content-MD5 is opaque here: official clients differ in what they put
there. Nothing here reads a clock or knows accounts, as in `signature`.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote_to_bytes, urlencode

from .errors import InvalidArgument, MissingHeader, SignatureMismatch
from .signature import WINDOW_SECONDS

FC, ACS = b"FC", b"acs"
ACCESS_KEY, EXPIRES, TOKEN, SIGNATURE = "x-fc-access-key-id", "x-fc-expires", "x-fc-security-token", "x-fc-signature"
"""The parameters of a signed URL."""
_NO_SECRET = "no account holds this key, and finding that out takes as long as for any other"  # noqa: S105 - it is none


class Claim(NamedTuple):
    """Whose signature a request carries, and the text that must have been signed."""

    access_key_id: str
    signature: bytes
    text: bytes
    digest: str

    def check(self, secret: str | None) -> None:
        """Raise `SignatureMismatch` unless the holder of `secret` signed the text; None when nobody holds the key."""
        key = (_NO_SECRET if secret is None else secret).encode()
        expected = base64.b64encode(hmac.new(key, self.text, self.digest).digest())
        match = hmac.compare_digest(expected, self.signature)
        if not match and not self.text.isascii():  # text that was signed as UTF-8 and sent as Latin-1
            again = self.text.decode("latin-1").encode()
            match = hmac.compare_digest(base64.b64encode(hmac.new(key, again, self.digest).digest()), self.signature)
        if not match or secret is None:
            raise SignatureMismatch


def parse_fc(headers: Mapping[bytes, bytes], *, method: bytes, path: bytes, query: bytes, proxied: bool) -> Claim:
    """The claim of `Authorization: FC key:signature`.

    Parameters
    ----------
    headers: by lower-case name.
    method, path, query: the path and the query percent-encoded as they stand on the wire.
    proxied: whether it is a call through an HTTP trigger, whose query is signed.

    Raises
    ------
    InvalidArgument, MissingHeader: it is not of that form.

    """
    key, signature = _pair(headers, FC)
    resource = unquote_to_bytes(path)
    if proxied:
        resource += b"\n" + b"\n".join(_lines(query))
    return Claim(key, signature, _text(method, headers, headers.get(b"date", b""), resource), "sha256")


def parse_url(headers: Mapping[bytes, bytes], *, method: bytes, path: bytes, query: bytes, now_seconds: float) -> Claim:
    """The claim of a signed URL, whose time is not over.

    Raises
    ------
    InvalidArgument, MissingHeader: a part is not there or is not what it must be.
    SignatureMismatch: it is too late.

    """
    values = dict(_pairs(query))
    for name in (ACCESS_KEY, EXPIRES, SIGNATURE):
        if not values.get(name):
            raise MissingHeader(name)
    expires = values[EXPIRES]
    if not (expires.isascii() and expires.isdigit()) or len(expires) > 15:  # noqa: PLR2004 - beyond any time
        raise InvalidArgument(EXPIRES, expires, "must be a time in seconds since 1970")
    if now_seconds > int(expires):
        raise SignatureMismatch("the URL has expired")
    kept = [line for line in _lines(query) if not line.startswith(SIGNATURE.encode() + b"=")]
    resource = unquote_to_bytes(path) + b"\n" + b"\n".join(kept)
    text = _text(method, headers, expires.encode(), resource)
    return Claim(values[ACCESS_KEY], values[SIGNATURE].encode("latin-1", "replace"), text, "sha256")


def sign_url(method: str, path: str, *, access_key_id: str, secret: str, token: str, expires: int) -> str:
    """`path` with a query that lets anybody who has it make this request until `expires` (seconds since 1970)."""
    query = {ACCESS_KEY: access_key_id, EXPIRES: str(expires)}
    if token:
        query[TOKEN] = token
    lines = sorted(f"{name}={value}" for name, value in query.items())
    resource = unquote_to_bytes(path) + b"\n" + "\n".join(lines).encode()
    text = _text(method.encode(), {}, str(expires).encode(), resource)
    signature = base64.b64encode(hmac.new(secret.encode(), text, "sha256").digest()).decode()
    return f"{path}?{urlencode({**query, SIGNATURE: signature})}"


def parse_acs(headers: Mapping[bytes, bytes], *, method: bytes, path: bytes, query: bytes) -> Claim:
    """The claim of `Authorization: acs key:signature`; parameters as for `parse_fc`."""
    key, signature = _pair(headers, ACS)
    lines = [method, *(headers.get(name, b"") for name in (b"accept", b"content-md5", b"content-type", b"date"))]
    signed = b"".join(
        b"%b:%b\n" % (name, value) for name, value in sorted(headers.items()) if name.startswith(b"x-acs-")
    )
    pairs = sorted(_pairs(query))
    resource = path
    if pairs:
        resource += b"?" + "&".join(f"{name}={value}" if value else name for name, value in pairs).encode()
    return Claim(key, signature, b"\n".join(lines) + b"\n" + signed + resource, "sha1")


def check_date(headers: Mapping[bytes, bytes], now_seconds: float) -> int:
    """The `Date` of a request, in seconds since 1970, when it is within the window around `now_seconds`.

    Raises
    ------
    MissingHeader, InvalidArgument: there is none, or it is no date.
    SignatureMismatch: it is too far away.

    """
    text = headers.get(b"date", b"").decode("latin-1")
    if not text:
        raise MissingHeader("Date")
    try:
        stamp = int(parsedate_to_datetime(text).timestamp())
    except (ValueError, TypeError, OverflowError):
        raise InvalidArgument("Date", text, "must be a date like Tue, 24 Nov 2026 01:51:51 GMT") from None
    if abs(now_seconds - stamp) > WINDOW_SECONDS:
        raise SignatureMismatch(f"Date {text} is more than {WINDOW_SECONDS} seconds away from the server's time")
    return stamp


def _pair(headers: Mapping[bytes, bytes], scheme: bytes) -> tuple[str, bytes]:
    word, _, rest = headers.get(b"authorization", b"").partition(b" ")
    key, colon, signature = rest.strip().rpartition(b":")
    if word != scheme or not colon or not key or not signature:
        name = scheme.decode()
        raise InvalidArgument("Authorization", word.decode("latin-1"), f"must read {name} <access key id>:<signature>")
    return key.decode("latin-1"), signature


def _text(method: bytes, headers: Mapping[bytes, bytes], date: bytes, resource: bytes) -> bytes:
    signed = b"".join(b"%b:%b\n" % (name, value) for name, value in sorted(_fc(headers)))
    head = (method, headers.get(b"content-md5", b""), headers.get(b"content-type", b""), date)
    return b"\n".join(head) + b"\n" + signed + resource


def _fc(headers: Mapping[bytes, bytes]) -> Iterable[tuple[bytes, bytes]]:
    return ((name, value) for name, value in headers.items() if name.startswith(b"x-fc-"))


def _pairs(query: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict")
    except (UnicodeDecodeError, ValueError):
        raise InvalidArgument("query", query[:64], "must be percent-encoded UTF-8") from None


def _lines(query: bytes) -> list[bytes]:
    """The parameters as they are signed: decoded, `name=value`, sorted."""
    return sorted(f"{name}={value}".encode() for name, value in _pairs(query))
