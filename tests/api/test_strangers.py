"""Every route of the server against everybody who may not ask there: refused as documented, and nothing has changed.

The routes are read from the descriptions, which have exactly those of the router: a new one is here as soon as it is
there.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.door import Caller, Door
from api.everything import FUNCTION, MEMBER, NAMES, ROUTES, WAYS, Way, furnish, heard, held, is_refusal, request, signed
from sojourn.api import health
from sojourn.function import AccessKey

WINDOW_SECONDS = 15 * 60
MISMATCH = (403, "SignatureNotMatch")


class Stranger:
    """Makes requests of an account that has one of everything, each spoiled in one way."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.caller = furnish(door.caller())
        self.other = door.caller()
        web = {"triggerName": "web", "triggerType": "http", "triggerConfig": '{"authType": "function"}'}
        for path in (FUNCTION, MEMBER):
            assert self.caller("POST", f"{path}/triggers", body=web).status == 200
        self.temporary = self._temporary(self.caller)
        self.expired = self._temporary(self.caller)
        keys = door.catalog._keys
        keys[self.expired.id] = self.expired = msgspec.structs.replace(self.expired, expires_at=1)
        self.names = dict(NAMES) | {"account": self.caller.account_id}

    def _temporary(self, caller: Caller) -> AccessKey:
        return self.door.run(self.door.catalog.create_temporary_key(caller.account_id, 900))

    def used_nonce(self) -> dict[str, Any]:
        """A nonce that came with an earlier request of the same second."""
        used = {"nonce": secrets.token_hex(16), "now_seconds": time.time()}
        headers = signed(self.caller, "GET", "/v1/isolation", b"", **used)
        assert heard(self.door.raw(request("GET", "/v1/isolation", headers, b""))).status == 200
        return used


def key(of: Callable[[Stranger], AccessKey], *, token: bool = True, wrong: str = "") -> Callable[[Stranger], Any]:
    """Sign with this key, with its token or without."""

    def changes(stranger: Stranger) -> dict[str, Any]:
        found = of(stranger)
        headers = {"x-acs-security-token": wrong or found.token} if token else {}
        return {"key_id": found.id, "secret": found.secret, "headers": headers}

    return changes


SIGNED: dict[str, tuple[Callable[[Stranger], dict[str, Any]], tuple[int, str]]] = {
    "an unknown key": (lambda _: {"key_id": "nobody"}, (403, "InvalidAccessKeyID")),
    "a wrong secret": (lambda _: {"secret": "x" * 40}, MISMATCH),
    "the secret of another account": (lambda stranger: {"secret": stranger.other.key.secret}, MISMATCH),
    "the hint of another account": (
        lambda stranger: {"headers": {"x-fc-account-id": stranger.other.account_id}},
        (403, "AccessDenied"),
    ),
    "an expired key": (key(lambda stranger: stranger.expired), (403, "SecurityTokenExpired")),
    "a key for a time without its token": (
        key(lambda stranger: stranger.temporary, token=False),
        (403, "SecurityTokenInvalid"),
    ),
    "a key for a time with another token": (
        key(lambda stranger: stranger.temporary, wrong="x" * 43),
        (403, "SecurityTokenInvalid"),
    ),
    "a token for a lasting key": (
        key(lambda stranger: stranger.caller.key, wrong="x" * 43),
        (403, "SecurityTokenInvalid"),
    ),
    "a nonce that was used": (Stranger.used_nonce, MISMATCH),
    "an old date": (lambda _: {"now_seconds": time.time() - WINDOW_SECONDS - 60}, MISMATCH),
    "a date to come": (lambda _: {"now_seconds": time.time() + WINDOW_SECONDS + 60}, MISMATCH),
    "another body": (lambda _: {"signed_body": b"another"}, MISMATCH),
    "another query": (lambda _: {"query": "limit=1"}, MISMATCH),
    "another path": (lambda _: {"path": "/v1/isolation/x"}, MISMATCH),
    "another method": (lambda _: {"method": "TRACE"}, MISMATCH),
    "another host": (lambda _: {"headers": {"host": "elsewhere.example"}}, MISMATCH),
}
"""What is signed wrongly, and how it is refused."""
UNSIGNED: dict[str, tuple[Callable[[dict[str, str]], dict[str, str]], tuple[int, str]]] = {
    "no signature": (lambda _: {}, (400, "MissingRequiredHeader")),
    "a signature without a nonce": (
        lambda headers: {name: value for name, value in headers.items() if name != "x-acs-signature-nonce"},
        (400, "MissingRequiredHeader"),
    ),
    "a word": (lambda headers: headers | {"authorization": "Digest x"}, (400, "InvalidArgument")),
    "basic authentication": (lambda headers: headers | {"authorization": "Basic eDp5"}, (400, "InvalidArgument")),
    "a header of another value": (lambda headers: headers | {"x-acs-date": "2026-01-01T00:00:00Z"}, MISMATCH),
    "a digest of another body": (lambda headers: headers | {"x-acs-content-sha256": "0" * 64}, MISMATCH),
    "a date that is none": (lambda headers: headers | {"x-acs-date": "soon"}, (400, "InvalidArgument")),
}
"""What is sent instead of what was signed, and how it is refused."""


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stranger]:
    """On a server of its own, so that nobody else changes what it holds."""
    directory: Path = tmp_path_factory.mktemp("strangers")
    with Door(directory) as door:
        assert door.owner
        yield Stranger(door)


def test_only_the_health_paths_need_no_key() -> None:
    """Everything else is in the matrix below."""
    assert {way.path for way in ROUTES} - {way.path for way in WAYS} == set(health.PATHS)
    assert len(WAYS) > 200


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_nobody_gets_in_who_may_not(stranger: Stranger, way: Way) -> None:
    """Each kind of stranger, with the status and the code that are documented; the server holds what it held."""
    door, before = stranger.door, held(stranger.door)
    target, body = way.at(stranger.names), way.body()
    tried = [
        (name, signed(stranger.caller, way.method, target, body, **changes(stranger)), expected)
        for name, (changes, expected) in SIGNED.items()
    ]
    right = signed(stranger.caller, way.method, target, body)
    tried += [(name, changes(right), expected) for name, (changes, expected) in UNSIGNED.items()]
    for name, headers, (status, code) in tried:
        sent = {"host": door.host} | headers
        if name == "another host":
            sent["host"] = door.host
        answer = heard(door.raw(request(way.method, target, sent, body)))
        is_refusal(answer, native=way.native, bodiless=way.method == "HEAD")
        assert answer.status == status, (name, answer)
        assert way.method == "HEAD" or answer.code == code, (name, answer)
    assert held(door) == before
