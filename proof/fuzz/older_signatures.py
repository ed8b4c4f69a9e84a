"""Fuzzing the older signatures: what a second signer signs is taken, and not with one byte of it changed.

Promises: for `FC`, `acs` and signed URLs, a change of one byte in any signed part is refused, and nothing but a refusal
of ours is ever raised, whatever stands in headers and queries.
"""

from __future__ import annotations

import base64
import hmac
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote

from hypothesis import strategies as st

from sojourn import older_signature, signature
from sojourn.errors import SojournError

from .target import Target

KEY, SECRET, NOW = "key", "a secret", 1_800_000_000
PARTS = ("method", "path", "date", "content-type", "content-md5", "special", "signature")

_text = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=8)
_values = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)


class Request(NamedTuple):
    """A request to sign in one of the ways, and which byte of it is to be changed."""

    scheme: str
    method: str
    path: str
    query: str
    values: tuple[str, str, str, str]
    part: str
    place: int
    flip: int


_requests = st.builds(
    Request,
    scheme=st.sampled_from(["FC", "proxy", "acs", "url"]),
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE"]),
    path=st.lists(_text, min_size=1, max_size=4).map(
        lambda parts: "/" + "/".join(quote(part, safe="") for part in parts)
    ),
    query=st.lists(st.tuples(_text, _text), max_size=3).map(signature.encode_query),
    values=st.tuples(_values, _values, _values, _values),
    part=st.sampled_from(PARTS),
    place=st.integers(0, 200),
    flip=st.integers(1, 127),
)


def check_request(request: Request) -> None:
    """Signed by hand, it is taken; with a byte changed, it is not."""
    date, kind, md5, special = request.values
    name = "x-acs-other" if request.scheme == "acs" else "x-fc-other"
    headers = {"date": date, "content-type": kind, "content-md5": md5, name: special}
    query = request.query
    if request.scheme == "url":
        query = "&".join(part for part in (query, f"x-fc-access-key-id={KEY}&x-fc-expires={NOW + 9}") if part)
    signed = _signature(request, headers, query)
    raw = {key.encode(): value.encode() for key, value in headers.items()}
    if request.scheme == "url":
        query += f"&x-fc-signature={quote(signed, safe='')}"
    else:
        word = "acs" if request.scheme == "acs" else "FC"
        raw[b"authorization"] = f"{word} {KEY}:{signed}".encode()
    parts = {"method": request.method.encode(), "path": request.path.encode()}
    if not _taken(request.scheme, raw, parts, query.encode()):
        raise AssertionError("a right signature is refused")
    where = {"date": b"date", "content-type": b"content-type", "content-md5": b"content-md5", "special": name.encode()}
    part = request.part
    if request.scheme == "url" and part in (
        "date",
        "signature",
    ):  # the date is the parameter's, and so is the signature
        return
    if part == "signature":
        raw[b"authorization"] = _flipped(raw[b"authorization"], request, len(KEY) + 4)
    elif part in where:
        raw[where[part]] = _flipped(raw[where[part]], request)
    else:
        parts[part] = _flipped(parts[part], request, 1 if part == "path" else 0)
        if part == "path" and unquote(parts[part].decode("latin-1")) == unquote(request.path):
            return
    if (
        parts["path"] == request.path.encode()
        and parts["method"] == request.method.encode()
        and part in ("path", "method")
    ):
        return
    if _taken(request.scheme, raw, parts, query.encode()):
        raise AssertionError(f"{part} was changed and nobody noticed")


def _flipped(data: bytes, request: Request, first: int = 0) -> bytes:
    if len(data) <= first:
        return data
    place = first + request.place % (len(data) - first)
    return data[:place] + bytes([data[place] ^ request.flip]) + data[place + 1 :]


def _taken(scheme: str, headers: dict[bytes, bytes], parts: dict[str, bytes], query: bytes) -> bool:
    given = {"method": parts["method"], "path": parts["path"], "query": query}
    with suppress(SojournError):
        if scheme == "acs":
            claim = older_signature.parse_acs(headers, **given)
        elif scheme == "url":
            claim = older_signature.parse_url(headers, **given, now_seconds=NOW)
        else:
            claim = older_signature.parse_fc(headers, **given, proxied=scheme == "proxy")
        claim.check(SECRET if claim.access_key_id == KEY else None)
        return True
    return False


def _signature(request: Request, headers: dict[str, str], query: str) -> str:
    """The second signer."""
    pairs = parse_qsl(query, keep_blank_values=True)
    special = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers) if name.startswith("x-"))
    if request.scheme == "acs":
        resource = request.path + ("?" + "&".join(f"{k}={v}" if v else k for k, v in sorted(pairs)) if pairs else "")
        lines = [request.method, "", headers["content-md5"], headers["content-type"], headers["date"]]
        text, digest = "\n".join(lines) + "\n" + special + resource, "sha1"
    else:
        resource = unquote(request.path)
        if request.scheme != "FC":
            resource += "\n" + "\n".join(sorted(f"{k}={v}" for k, v in pairs))
        date = str(NOW + 9) if request.scheme == "url" else headers["date"]
        lines = [request.method, headers["content-md5"], headers["content-type"], date]
        text, digest = "\n".join(lines) + "\n" + special + resource, "sha256"
    return base64.b64encode(hmac.new(SECRET.encode(), text.encode(), digest).digest()).decode()


TARGETS = (Target("older", _requests, check_request),)
