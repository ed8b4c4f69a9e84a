"""Every byte of every signed part changed, in each form of signature, over the wire: refused, nothing is changed."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import pytest

from api.door import Door
from api.everything import FUNCTION, MEMBER, OPEN, Heard, furnish, heard, held, request, signed
from api.test_go_wire import Go
from sojourn import older_signature

SYNTAX = (400, 404, 405)
"""What a change of the request line, of a date or of a scheme may be as well: no request, or another path."""


class Form(NamedTuple):
    """A signed request as bytes, the names of its signed headers, and the status that it gets unchanged."""

    raw: Callable[[Bytes], bytes]
    headers: tuple[bytes, ...]
    status: int


class Bytes:
    """A server, an account, and requests of each form; each is made anew, as most are good only once."""

    def __init__(self, door: Door) -> None:
        self.door, self.caller = door, furnish(door.caller())
        web = {"triggerName": "web", "triggerType": "http", "triggerConfig": '{"authType": "function"}'}
        for path in (FUNCTION, MEMBER):
            assert self.caller("POST", f"{path}/triggers", body=web).status == 200
        self.digest = door.catalog.function(self.caller.account_id, "f").code.digest

    def acs3(self, target: str, body: bytes = b"", method: str = "GET") -> bytes:
        """ACS3, with a header of the caller's own."""
        headers = signed(self.caller, method, target, body, headers={"x-fc-other": "one"})
        return request(method, target, headers, body)

    def roa(self) -> bytes:
        """`acs key:signature`."""
        target, key = f"{OPEN}/services/s?limit=7", self.caller.key
        headers = {
            "accept": "application/json",
            "content-type": "application/json",
            "content-md5": "x",
            "date": formatdate(usegmt=True),
            "x-acs-signature-nonce": hashlib.sha256(formatdate().encode() + bytes([self.turn()])).hexdigest(),
            "x-acs-version": "2021-04-06",
        }
        special = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()) if name.startswith("x-acs-"))
        lines = ("GET", headers["accept"], headers["content-md5"], headers["content-type"], headers["date"])
        text = "\n".join(lines) + "\n" + special + target
        digest = base64.b64encode(hmac.new(key.secret.encode(), text.encode(), "sha1").digest()).decode()
        headers |= {"authorization": f"acs {key.id}:{digest}", "host": self.door.host}
        return request("GET", target, headers, b"")

    def turn(self) -> int:
        """Another number each time, so that nonces differ."""
        self._turn = (getattr(self, "_turn", 0) + 1) % 256
        return self._turn

    def fc(self, path: str = "/2016-08-15/services/s", *, query: str | None = None) -> bytes:
        """`FC key:signature`; with a query for calls through HTTP triggers, which sign it."""
        if query is None:
            return Go(self.caller).raw("GET", path, X_Fc_Other="one")
        key, date = self.caller.key, formatdate(usegmt=True)
        resource = unquote(path) + "\n" + "\n".join(sorted(query.split("&")))
        text = f"GET\n\n\n{date}\nx-fc-other:one\n{resource}"
        digest = base64.b64encode(hmac.new(key.secret.encode(), text.encode(), "sha256").digest()).decode()
        headers = {"host": self.door.host, "date": date, "x-fc-other": "one", "authorization": f"FC {key.id}:{digest}"}
        return request("GET", f"{path}?{query}", headers, b"")

    def url(self, path: str) -> bytes:
        """A signed URL."""
        key = self.caller.key
        target = older_signature.sign_url(
            "GET", path, access_key_id=key.id, secret=key.secret, token="", expires=4_000_000_000
        )
        return request("GET", target, {"host": self.door.host}, b"")


NEWEST = (b"host", b"x-fc-other", b"x-acs-date", b"x-acs-signature-nonce", b"x-acs-content-sha256", b"authorization")
FORMS: dict[str, Form] = {
    "ACS3 2023-03-30": Form(lambda b: b.acs3("/2023-03-30/functions?limit=7&prefix=f"), NEWEST, 200),
    "ACS3 2021-04-06": Form(lambda b: b.acs3(f"{OPEN}/services/s"), NEWEST, 200),
    "ACS3 2016-08-15": Form(lambda b: b.acs3("/2016-08-15/services/s"), NEWEST, 200),
    "ACS3 v1": Form(lambda b: b.acs3("/v1/isolation"), NEWEST, 200),
    "ACS3 address": Form(lambda b: b.acs3(f"/http/{b.caller.account_id}/f/x?a=1"), NEWEST, 200),
    "ROA": Form(
        lambda b: b.roa(),
        (
            b"accept",
            b"content-type",
            b"content-md5",
            b"date",
            b"x-acs-signature-nonce",
            b"x-acs-version",
            b"authorization",
        ),
        200,
    ),
    "FC": Form(lambda b: b.fc(), (b"date", b"content-type", b"x-fc-other", b"authorization"), 200),
    "FC proxy": Form(
        lambda b: b.fc("/2016-08-15/proxy/s/f/x", query="a=1&b=2"), (b"date", b"x-fc-other", b"authorization"), 200
    ),
    "URL proxy": Form(lambda b: b.url("/2016-08-15/proxy/s/f/x"), (), 200),
    "URL address": Form(lambda b: b.url(f"/http/{b.caller.account_id}/f/x"), (), 200),
    "URL code": Form(lambda b: b.url(f"/v1/code/{b.digest}"), (), 200),
}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bytes]:
    """On a server of its own."""
    directory: Path = tmp_path_factory.mktemp("bytes")
    with Door(directory) as door:
        assert door.owner
        yield Bytes(door)


def changes(raw: bytes, headers: tuple[bytes, ...]) -> Iterator[tuple[str, bytes]]:
    """The request with each byte of a signed part changed, and which part that is."""
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    for number, line in enumerate(lines):
        name, _, value = line.partition(b": ")
        if number == 0:
            places: range = range(len(line) - len(b" HTTP/1.1"))
        elif name.lower() in headers:
            places = range(len(line) - len(value), len(line))
        else:
            continue
        for place in places:
            changed = bytearray(line)
            changed[place] ^= 1
            if changed[place] in b" \t\r\n" or line[place : place + 1] in b" \t":
                continue
            part = "line" if number == 0 else name.lower().decode()
            yield part, b"\r\n".join([*lines[:number], bytes(changed), *lines[number + 1 :]]) + b"\r\n\r\n" + body


@pytest.mark.parametrize("name", FORMS)
def test_no_byte_of_what_is_signed_can_be_changed(account: Bytes, name: str) -> None:
    """403, or 400 and 404 where the changed part is none any more, or leads elsewhere."""
    form, before = FORMS[name], held(account.door)
    tried = 0
    for part, sent in changes(form.raw(account), form.headers):
        answer = heard(account.door.raw(sent))
        assert answer.headers["x-fc-request-id"]
        allowed = SYNTAX if part in ("line", "date", "x-acs-date", "authorization", "host") else ()
        assert answer.status in (403, *allowed), (part, sent, answer)
        tried += 1
    assert tried > 60
    assert heard(account.door.raw(form.raw(account))).status == form.status
    assert held(account.door) == before


def test_a_body_cannot_be_changed(account: Bytes) -> None:
    """Where it is signed: each byte of it."""
    body = b'{"description": "signed"}'
    before = held(account.door)
    raw = account.acs3(f"/2023-03-30{FUNCTION}", body, "PUT")
    for place in range(len(raw) - len(body), len(raw)):
        changed = bytearray(raw)
        changed[place] ^= 1
        answer: Heard = heard(account.door.raw(bytes(changed)))
        assert (answer.status, answer.code) == (403, "SignatureNotMatch")
    assert held(account.door) == before
