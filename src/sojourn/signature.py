"""Request signatures: how a caller proves who it is (ACS3-HMAC-SHA256), and how a replay is told from a first time.

A signature covers method, path, query, the headers that the caller lists, and the SHA-256 of the body. The path counts
as it stands on the wire; the query is decoded and encoded again, because clients differ in how they write a space.
What must be listed is `REQUIRED`: without the host a request could be sent to another server, without the date and the
nonce it could be sent again, without the body's digest its body could be changed. Other headers are as the caller
likes: some official clients sign all of theirs, others only a few.

Nothing here reads a clock or knows accounts: the time and the secret are arguments. Looking up the key and reading the
body is left to `api.authentication`. All names and values are bytes, as they came off the wire.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes

from .errors import InvalidArgument, MissingHeader, SignatureMismatch

SCHEME = b"ACS3-HMAC-SHA256"
WINDOW_SECONDS = 15 * 60
NONCE_BYTES_MAX = 256
NONCES_MAX = 1 << 18
"""How many nonces are remembered per key: about 80 bytes each."""
SLICE_SECONDS = 10
KEPT_SECONDS = 60
"""Nonces of requests this recent are kept however many there are."""
REQUIRED = (b"host", b"x-acs-content-sha256", b"x-acs-date", b"x-acs-signature-nonce")
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()

CACHED_BYTES_MAX = 1024
"""Of what a caller sends nothing longer is remembered to be taken apart once only."""

_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_BLOCK_BYTES = 64
"""The block size of SHA-256."""
_NO_SECRET = b"no account holds this key, and finding that out takes as long as for any other"


class Credential(NamedTuple):
    """What an `Authorization` header claims, taken apart but not yet believed."""

    access_key_id: str
    signed_headers: bytes
    signature: bytes


def parse_authorization(headers: Mapping[bytes, bytes]) -> Credential:
    """The credential in the `Authorization` header.

    Raises
    ------
    MissingHeader: there is none.
    InvalidArgument: it is not of the form `ACS3-HMAC-SHA256 Credential=…,SignedHeaders=…,Signature=…`.

    """
    text = headers.get(b"authorization")
    if not text:
        raise MissingHeader("Authorization")
    before, _, signature = text.rpartition(b",Signature=")
    if before and b"," not in signature and len(before) <= CACHED_BYTES_MAX:
        key, names = _claimed(before)  # the same for all requests of a client, or nearly
    else:
        key, names = _claimed.__wrapped__(text)
        signature = _parts(text).get(b"Signature", b"")
    signature = signature.rstrip()
    if not key or not names or not signature:
        raise InvalidArgument(
            "Authorization",
            text.partition(b" ")[0].decode("latin-1"),  # the rest would put a signature into an error text
            "must read ACS3-HMAC-SHA256 Credential=<key id>,SignedHeaders=<names>,Signature=<hex>",
        )
    return Credential(key, names, signature)


@lru_cache(maxsize=256)
def _claimed(text: bytes) -> tuple[str, bytes]:
    """The key and the signed headers that an `Authorization` names, empty where it does not."""
    if not text.startswith(SCHEME + b" "):
        return "", b""
    parts = _parts(text)
    return parts.get(b"Credential", b"").decode("latin-1"), parts.get(b"SignedHeaders", b"")


def _parts(text: bytes) -> dict[bytes, bytes]:
    parts = {}
    for part in text.partition(b" ")[2].split(b","):
        name, _, value = part.strip().partition(b"=")
        parts[name] = value
    return parts


def verify(
    credential: Credential,
    secret: str | None,
    headers: Mapping[bytes, bytes],
    *,
    method: bytes,
    raw_path: bytes,
    query: bytes,
) -> None:
    """Check that the holder of `secret` signed this request.

    The body is not looked at: the caller compares its digest with `x-acs-content-sha256` once it has it.

    Parameters
    ----------
    credential: as `parse_authorization` gave it.
    secret: the key's secret; None when nobody holds the key: the same work is done, then it is refused.
    headers: names in lower case; a name stands once.
    method, raw_path, query: as they stand on the wire, the query without its `?`.

    Raises
    ------
    MissingHeader: a header that must be there is not.
    SignatureMismatch: the signature does not fit, or does not cover what it must.

    """
    signed = credential.signed_headers
    names, uncovered = (_covered if len(signed) <= CACHED_BYTES_MAX else _covered.__wrapped__)(signed)
    for required in REQUIRED:
        if required not in headers:
            raise MissingHeader(required.decode())
        if required in uncovered:
            raise SignatureMismatch(f"SignedHeaders must include {required.decode()}")
    try:
        lines = [b"%b:%b\n" % (name, headers[name].strip()) for name in names]
    except KeyError as missing:
        name = missing.args[0].decode("latin-1")
        raise SignatureMismatch(f"the signed header {name!r} is not in the request") from None
    covered = b"%b\n%b\n%b" % (b"".join(lines), signed, headers[b"x-acs-content-sha256"].strip())
    request = _request(method, raw_path, query, covered)
    key = _NO_SECRET if secret is None else secret.encode()
    match = hmac.compare_digest(_signature(key, request), credential.signature)
    if not match and not request.isascii():
        # Some clients sign a header's text as UTF-8 and then send it as Latin-1.
        match = hmac.compare_digest(_signature(key, request.decode("latin-1").encode()), credential.signature)
    if not match or secret is None:
        raise SignatureMismatch


@lru_cache(maxsize=256)
def _covered(signed_headers: bytes) -> tuple[tuple[bytes, ...], frozenset[bytes]]:
    """The names of the signed headers, and those of `REQUIRED` that are not among them."""
    names = tuple(signed_headers.split(b";"))
    return names, frozenset(REQUIRED).difference(names)


def check_window(headers: Mapping[bytes, bytes], now_seconds: float) -> int:
    """The request's own time, in seconds since 1970, when it is within the window around `now_seconds`.

    Raises
    ------
    MissingHeader: there is no `x-acs-date`.
    InvalidArgument: it is not a time.
    SignatureMismatch: it is too far away.

    """
    text = headers.get(b"x-acs-date")
    if text is None:
        raise MissingHeader("x-acs-date")
    stamp = _seconds(text.strip()) if len(text) <= CACHED_BYTES_MAX else None
    if stamp is None:
        raise InvalidArgument("x-acs-date", text.decode("latin-1"), "must be a UTC time like 2026-01-31T23:59:59Z")
    if abs(now_seconds - stamp) > WINDOW_SECONDS:
        raise SignatureMismatch(
            f"x-acs-date {text.decode('latin-1').strip()} is more than {WINDOW_SECONDS} seconds away from the server's "
            f"time {_date(int(now_seconds))}"
        )
    return stamp


class Nonces:
    """The nonces of one key's accepted requests, for as long as one of them could be sent again.

    A nonce and the request's own time are signed together, so nonces are kept by slices of that time, and a slice is
    forgotten when it has left the window. When too many come in, slices far from the present are forgotten early and
    from then on requests of those times are refused: a replay never gets in, and only a caller who is very busy and
    whose clock is far off notices. Only a 64-bit hash is kept; Python seeds it anew in every process, so nobody can
    aim at a collision.

    Parameters
    ----------
    entries_max: how many are remembered beyond those of the last minute.

    """

    def __init__(self, entries_max: int = NONCES_MAX) -> None:
        self._entries_max = entries_max
        self._slices: dict[int, set[int]] = {}
        self._forgotten: set[int] = set()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def check(self, nonce: bytes, stamp: int, now_seconds: float) -> None:
        """Remember `nonce` of a request made at `stamp`; call it only for a request whose signature is right.

        Raises
        ------
        InvalidArgument: the nonce is empty or too long.
        SignatureMismatch: it was seen before, or is from a time whose nonces are forgotten already.

        """
        if not 0 < len(nonce) <= NONCE_BYTES_MAX:
            bound = f"must hold between 1 and {NONCE_BYTES_MAX} characters"
            raise InvalidArgument("x-acs-signature-nonce", nonce.decode("latin-1"), bound)
        part = stamp // SLICE_SECONDS
        seen = self._slices.get(part)
        if seen is None:
            if part in self._forgotten:
                raise SignatureMismatch("x-acs-date is too far from the server's time while it is this busy")
            self._prune(int(now_seconds))
            seen = self._slices[part] = set()
        entry = hash((nonce, stamp))
        if entry in seen:
            raise SignatureMismatch("x-acs-signature-nonce was used before")
        seen.add(entry)
        self._count += 1
        if self._count > self._entries_max and not self._count % 1024:
            self._shed(int(now_seconds))

    def _prune(self, now_seconds: int) -> None:
        """Forget what has left the window."""
        first = (now_seconds - WINDOW_SECONDS) // SLICE_SECONDS
        for part in [part for part in self._slices if part < first]:
            self._count -= len(self._slices.pop(part))
        self._forgotten = {part for part in self._forgotten if part >= first}

    def _shed(self, now_seconds: int) -> None:
        """Forget early what is farthest from the present, until it fits or only the last minute is left."""
        here = now_seconds // SLICE_SECONDS
        for part in sorted(self._slices, key=lambda part: -abs(part - here)):
            if self._count <= self._entries_max or abs(part - here) <= KEPT_SECONDS // SLICE_SECONDS:
                break
            self._count -= len(self._slices.pop(part))
            self._forgotten.add(part)


def sign(
    method: str,
    raw_path: str,
    query: str,
    headers: Mapping[str, str],
    *,
    body_sha256: str,
    access_key_id: str,
    access_key_secret: str,
    now_seconds: float,
    nonce: str,
) -> dict[str, str]:
    """`headers` with what makes them a signed request; every header given is signed.

    Parameters
    ----------
    method: in capitals.
    raw_path: the path as it will stand on the wire, percent-encoded.
    query: the query string as it will stand on the wire, without `?`.
    headers: what the request carries besides; `host` must be among them. Names are put in lower case.
    body_sha256: lower-case hex SHA-256 of the body, `EMPTY_SHA256` when there is none.
    access_key_id, access_key_secret: the caller's key pair.
    now_seconds: the time, in seconds since 1970.
    nonce: text that was never used with this key before.

    """
    signed = {name.lower(): value.strip() for name, value in headers.items()}
    signed["x-acs-date"] = _date(int(now_seconds))
    signed["x-acs-signature-nonce"] = nonce
    signed["x-acs-content-sha256"] = body_sha256
    names = sorted(signed)
    lines = "".join(f"{name}:{signed[name]}\n" for name in names)
    covered = ";".join(names)
    request = _request(
        method.encode(), raw_path.encode(), query.encode(), f"{lines}\n{covered}\n{body_sha256}".encode()
    )
    signature = _signature(access_key_secret.encode(), request).decode()
    signed["authorization"] = (
        f"{SCHEME.decode()} Credential={access_key_id},SignedHeaders={covered},Signature={signature}"
    )
    return signed


def encode_query(pairs: Iterable[tuple[str, str]]) -> str:
    """A query string in the one spelling that needs no second look: RFC 3986, sorted by name."""
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(pairs))


def canonical_query(query: bytes) -> bytes:
    """`query` decoded, sorted by name and encoded again."""
    if not query:
        return b""
    pairs = []
    for part in query.split(b"&"):
        if part:
            name, _, value = part.partition(b"=")
            pairs.append((_decoded(name), _decoded(value)))
    pairs.sort()
    return b"&".join([b"%b=%b" % (_encoded(name), _encoded(value)) for name, value in pairs])


def _decoded(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" ")) if b"%" in text or b"+" in text else text


def _encoded(text: bytes) -> bytes:
    if not text.translate(None, _UNRESERVED):
        return text
    return quote_from_bytes(text, safe="").encode()


def _request(method: bytes, path: bytes, query: bytes, covered: bytes) -> bytes:
    """The canonical request; `covered` is the signed headers' lines, their names, and the body's digest."""
    return b"%b\n%b\n%b\n%b" % (method, path or b"/", canonical_query(query), covered)


def _signature(secret: bytes, request: bytes) -> bytes:
    """HMAC-SHA256 (RFC 2104), begun from a key's two hashed pads.

    `hmac.digest` lets go of the interpreter lock for these 80 bytes and then waits to get it back from the thread that
    writes to the disk, which costs ten times the digest itself.
    """
    text = b"%b\n%b" % (SCHEME, hashlib.sha256(request).hexdigest().encode())
    inner_pad, outer_pad = _pads(secret)
    inner, outer = inner_pad.copy(), outer_pad.copy()
    inner.update(text)
    outer.update(inner.digest())
    digest: str = outer.hexdigest()
    return digest.encode()


@lru_cache(maxsize=1024)
def _pads(secret: bytes) -> tuple[Any, Any]:
    """The inner and the outer hash of a key, after their first block."""
    key = hashlib.sha256(secret).digest() if len(secret) > _BLOCK_BYTES else secret
    key = key.ljust(_BLOCK_BYTES, b"\0")
    inner, outer = (hashlib.sha256(bytes(byte ^ pad for byte in key)) for pad in (0x36, 0x5C))
    return inner, outer


@lru_cache(maxsize=1024)
def _seconds(text: bytes) -> int | None:
    """Seconds since 1970 of `2026-01-31T23:59:59Z`; requests of one second share the answer."""
    if len(text) != len("2026-01-31T23:59:59Z") or text[10:11] != b"T" or text[19:] != b"Z":
        return None
    try:
        return int(datetime.fromisoformat(text.decode("ascii")).timestamp())
    except ValueError:
        return None


@lru_cache(maxsize=64)
def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
