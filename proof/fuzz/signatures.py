"""Fuzzing who signed a request: the product against a second signer, and every byte of what was signed.

Promises: what either signs, the other accepts; a change of one byte that changes the meaning of any signed part is
refused; nothing but a refusal of ours is ever raised, whatever stands in headers and queries.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import parse_qsl, quote

from hypothesis import strategies as st

from client import acs3
from sojourn import signature
from sojourn.api.authentication import single_headers
from sojourn.errors import SojournError

from .target import Target

SECRET, KEY, NOW = "a secret", "key", 1_800_000_000
OTHER_KEYS = {KEY: SECRET, "other": "another secret"}

_names = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12).map(lambda text: f"x-{text}")
_values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
_text = st.text(max_size=12)
PARTS = ("method", "path", "query", "header", "names", "digest", "signature", "key")


class Request(NamedTuple):
    """A request to sign, and which byte of it is to be changed into which."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    part: str
    place: int
    flip: int


_requests = st.builds(
    Request,
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE"]),
    path=st.lists(_text, max_size=4).map(lambda parts: "/" + "/".join(quote(part, safe="") for part in parts)),
    query=st.lists(st.tuples(_text, _text), max_size=4).map(signature.encode_query),
    headers=st.dictionaries(_names, _values, max_size=4).map(lambda more: {"host": "h:1", **more}),
    body=st.binary(max_size=30),
    part=st.sampled_from(PARTS),
    place=st.integers(0, 200),
    flip=st.integers(1, 255),
)


def check_request(request: Request) -> None:
    """Both ways between the two signers, then with one byte changed."""
    digest = hashlib.sha256(request.body).hexdigest()
    line = (request.method, request.path, request.query)
    signed = signature.sign(
        *line,
        request.headers,
        body_sha256=digest,
        access_key_id=KEY,
        access_key_secret=SECRET,
        now_seconds=NOW,
        nonce="n",
    )
    if acs3.signer(line, signed, request.body, OTHER_KEYS) != KEY:
        raise AssertionError("the second signer takes it for somebody else's")
    names = ";".join(sorted(name for name in signed if name != "authorization"))
    theirs = acs3.signature(line, signed, names, digest, SECRET)
    sent = signed | {"authorization": f"ACS3-HMAC-SHA256 Credential={KEY},SignedHeaders={names},Signature={theirs}"}
    if not accepted(line, sent):
        raise AssertionError("what the second signer signs is refused")
    changed = altered(request, sent)
    if changed is not None and accepted(*changed):
        raise AssertionError(f"accepted after a change of its {request.part}")


def altered(request: Request, sent: dict[str, str]) -> tuple[tuple[str, str, str], dict[str, str]] | None:
    """The request with one byte changed; None when it means the same after it."""
    line, headers = {"method": request.method, "path": request.path, "query": request.query}, dict(sent)
    if request.part in line:
        before = line[request.part]
        line[request.part] = _flipped(before, request)
        if request.part == "query":
            same = sorted(parse_qsl(before, keep_blank_values=True)) == sorted(
                parse_qsl(line["query"], keep_blank_values=True, errors="surrogateescape")
            )
            return None if same else ((request.method, request.path, line["query"]), headers)
        if line[request.part] == before:
            return None
    elif request.part == "header":
        signed = sorted(name for name in headers if name != "authorization")
        name = signed[request.place % len(signed)]
        value = _flipped(headers[name], request)
        if value.strip() == headers[name].strip():
            return None
        headers[name] = value
    else:
        before = headers["authorization"]
        headers["authorization"] = _flipped(before, request, within=_claim(before, request.part, headers))
        if headers["authorization"].split() == before.split():
            return None
    return (line["method"], line["path"], line["query"]), headers


def _claim(text: str, part: str, headers: dict[str, str]) -> tuple[int, int]:
    """Where in the Authorization header a part stands; the digest has a header of its own and stands in none."""
    if part == "digest":
        headers["x-acs-content-sha256"] = "0" * 64
        return 0, 1
    begin = {"names": "SignedHeaders=", "signature": "Signature=", "key": "Credential="}[part]
    start = text.index(begin) + len(begin)
    end = text.find(",", start)
    return start, len(text) if end < 0 else end


def _flipped(text: str, request: Request, within: tuple[int, int] | None = None) -> str:
    """`text` with one byte changed, within bounds."""
    data = bytearray(text.encode("latin-1"))
    start, end = within or (0, len(data))
    if end > start:
        data[start + request.place % (end - start)] ^= request.flip
    return data.decode("latin-1")


def accepted(line: tuple[str, str, str], headers: dict[str, str]) -> bool:
    """Whether the product takes the request for one of `OTHER_KEYS`."""
    wire = {name.encode("latin-1"): value.encode("latin-1") for name, value in headers.items()}
    method, path, query = (part.encode("latin-1") for part in line)
    try:
        credential = signature.parse_authorization(wire)
        secret = OTHER_KEYS.get(credential.access_key_id)
        signature.verify(credential, secret, wire, method=method, raw_path=path, query=query)
    except SojournError:
        return False
    return True


def check_query(query: bytes) -> None:
    """The canonical query is that of the standard library's reading, and is its own canonical form."""
    found = signature.canonical_query(query)
    if signature.canonical_query(found) != found:
        raise AssertionError("the canonical form has another one")
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    wire = sorted((name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs)
    expected = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in wire)
    if found != expected.encode():
        raise AssertionError(f"{found!r} where the standard library reads {expected!r}")


def check_headers(data: bytes) -> None:
    """Whatever is sent as headers is read or refused."""
    pairs = [(line.partition(b":")[0].lower(), line.partition(b":")[2]) for line in data.split(b"\n")]
    with suppress(SojournError):
        headers = single_headers(pairs)
        stamp = signature.check_window(headers, NOW)
        signature.Nonces().check(headers.get(b"x-acs-signature-nonce", b""), stamp, NOW)
    with suppress(SojournError):
        signature.check_window({b"x-acs-date": data}, NOW)
    with suppress(SojournError):
        credential = signature.parse_authorization({b"authorization": data})
        signature.verify(credential, SECRET, dict(pairs), method=b"GET", raw_path=data, query=data)


_pieces = st.sampled_from(
    [
        *(b"%b: x\n" % name for name in signature.REQUIRED),
        b"ACS3-HMAC-SHA256 Credential=key,SignedHeaders=host;x-acs-date,Signature=00",
        b"x-acs-date: 2027-01-15T08:00:00Z\n",
        b"2027-01-15T08:00:00Z",
        b"authorization: ",
        b"x-fc-account-id: a\n",
        b"\n",
        b",",
        b"=",
        b";",
    ]
)
_query_pieces = st.sampled_from([b"&", b"=", b"+", b"%", b"%2", b"%41", b"%e4", b"%C3%A4", b"a", b"\xff", b";"])

TARGETS = (
    Target("signature", _requests, check_request),
    Target("query", st.lists(st.one_of(_query_pieces, st.binary(max_size=4))).map(b"".join), check_query, bytes=True),
    Target("headers", st.lists(st.one_of(_pieces, st.binary(max_size=30))).map(b"".join), check_headers, bytes=True),
)
