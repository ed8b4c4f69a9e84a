"""Keys for a time in every generation: good until their end by the server's clock, never without their token."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any, cast

import pytest

from api.door import Caller, Door
from api.everything import FUNCTION, MEMBER, OPEN, Heard, furnish, heard, held, request, signed
from api.test_go_wire import Go
from sojourn import older_signature
from sojourn.clock import MICROSECONDS_PER_SECOND, SystemClock
from sojourn.function import AccessKey

SECONDS = 900


class MovedClock(SystemClock):
    """The machine's clock, set forward as a test likes."""

    def __init__(self) -> None:
        self.ahead_seconds = 0

    def now(self) -> int:
        """Microseconds since 1970."""
        return super().now() + self.ahead_seconds * MICROSECONDS_PER_SECOND


class Temporary:
    """A server with a clock of its own, a furnished account, and ways to ask with a key for a time."""

    def __init__(self, door: Door, clock: MovedClock) -> None:
        self.door, self.clock = door, clock
        self.caller = furnish(door.caller())
        web = {"triggerName": "web", "triggerType": "http", "triggerConfig": '{"authType": "function"}'}
        for path in (FUNCTION, MEMBER):
            assert self.caller("POST", f"{path}/triggers", body=web).status == 200

    def issue(self, **body: Any) -> AccessKey:
        """A key as a caller gets it."""
        reply = self.caller("POST", "/v1/credentials", body=body or {"durationSeconds": SECONDS})
        assert reply.status == 201
        return AccessKey(
            id=reply.json["accessKeyId"],
            secret=reply.json["accessKeySecret"],
            token=reply.json["securityToken"],
            account_id=self.caller.account_id,
            created_at=0,
        )

    def acs3(self, target: str, key: AccessKey, token: str | None, method: str = "GET", body: bytes = b"") -> Heard:
        """Signed as the clients of the newer generations do."""
        changes = {"key_id": key.id, "secret": key.secret, "now_seconds": time.time() + self.clock.ahead_seconds}
        headers = {} if token is None else {"x-acs-security-token": token}
        made = signed(self.caller, method, target, body, headers=headers, **changes)
        return heard(self.door.raw(request(method, target, made, body)))

    def fc(self, key: AccessKey, token: str | None) -> Heard:
        """Signed as the clients of the oldest generation do."""
        caller = Caller(self.door, key)
        date = formatdate(time.time() + self.clock.ahead_seconds, usegmt=True)
        more = {} if token is None else {"X_Fc_Security_Token": token}
        return heard(self.door.raw(Go(caller).raw("GET", "/2016-08-15/services/s", b"", Date=date, **more)))

    def url(self, path: str, key: AccessKey, token: str | None) -> Heard:
        """A signed URL."""
        target = older_signature.sign_url(
            "GET", path, access_key_id=key.id, secret=key.secret, token=token or "", expires=4_000_000_000
        )
        return heard(self.door.raw(request("GET", target, {"host": self.door.host}, b"")))


@pytest.fixture
def temporary(tmp_path: Path) -> Iterator[Temporary]:
    """With a clock that nobody else reads."""
    clock = MovedClock()
    with Door(tmp_path, clock) as door:
        assert door.owner
        yield Temporary(door, clock)


WAYS: dict[str, Callable[[Temporary, AccessKey, str | None], Heard]] = {
    "2023-03-30": lambda it, key, token: it.acs3("/2023-03-30/functions/f", key, token),
    "2021-04-06": lambda it, key, token: it.acs3(f"{OPEN}/services/s", key, token),
    "2016-08-15": lambda it, key, token: it.fc(key, token),
    "v1": lambda it, key, token: it.acs3("/v1/isolation", key, token),
    "signed URL of an address": lambda it, key, token: it.url(f"/http/{it.caller.account_id}/f/", key, token),
    "signed URL of 2016-08-15": lambda it, key, token: it.url("/2016-08-15/proxy/s/f/", key, token),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_key_is_good_until_its_end_and_not_after(temporary: Temporary, way: str) -> None:
    """Before it, with its token; after it 403, also with it."""
    ask, key = WAYS[way], temporary.issue()
    assert ask(temporary, key, key.token).status == 200
    temporary.clock.ahead_seconds = SECONDS - 5
    assert ask(temporary, key, key.token).status == 200
    temporary.clock.ahead_seconds = SECONDS + 5
    answer = ask(temporary, key, key.token)
    assert (answer.status, answer.code) == (403, "SecurityTokenExpired")
    temporary.issue()  # which forgets those that are over
    answer = ask(temporary, key, key.token)
    assert (answer.status, answer.code) == (403, "InvalidAccessKeyID")


@pytest.mark.parametrize("way", WAYS)
def test_a_key_needs_its_own_token(temporary: Temporary, way: str) -> None:
    """Without it, with another one's, with one byte more or less: 403."""
    ask, key, other = WAYS[way], temporary.issue(), temporary.issue()
    for token in (None, "", other.token, key.token[:-1], f"{key.token}x", key.token.swapcase()):
        answer = ask(temporary, key, token)
        assert (answer.status, answer.code) == (403, "SecurityTokenInvalid"), token
    lasting = temporary.caller.key
    assert ask(temporary, lasting, None).status == 200
    answer = ask(temporary, lasting, key.token)
    assert (answer.status, answer.code) == (403, "SecurityTokenInvalid")


def test_a_key_for_a_time_cannot_outlive_itself(temporary: Temporary) -> None:
    """It makes no other key, and what it signed is not good for longer than it."""
    key = temporary.issue()
    before = held(temporary.door)
    answer = temporary.acs3("/v1/credentials", key, key.token, "POST", b"{}")
    assert (answer.status, answer.code) == (403, "AccessDenied")
    answer = temporary.acs3("/v1/accounts", key, key.token, "POST", b'{"accountId":"third"}')
    assert answer.status == 403
    assert held(temporary.door) == before
    code = temporary.acs3("/2023-03-30/functions/f/code", key, key.token)
    path = code.body.decode().split('"url":"', 1)[1].split('"', 1)[0].partition(temporary.door.host)[2]
    ask = request("GET", path, {"host": temporary.door.host}, b"")
    temporary.clock.ahead_seconds = 590
    assert heard(temporary.door.raw(ask)).status == 200
    temporary.clock.ahead_seconds = SECONDS + 5
    assert heard(temporary.door.raw(ask)).status == 403


def test_a_key_for_a_time_is_its_accounts_and_no_more(temporary: Temporary) -> None:
    """What it may is what the account may; a request is taken once, as with any key."""
    key = temporary.issue()
    assert temporary.acs3("/2023-03-30/functions/f", key, key.token).status == 200
    assert temporary.acs3("/v1/integrity", key, key.token).status == 403
    changes = {"key_id": key.id, "secret": key.secret, "headers": {"x-acs-security-token": key.token}}
    once = request("GET", "/v1/isolation", signed(temporary.caller, "GET", "/v1/isolation", b"", **changes), b"")
    assert [heard(temporary.door.raw(once)).status for _ in range(2)] == [200, 403]


@pytest.mark.parametrize("seconds", [899, 43_201, 0, -1, "900", 900.5, True, [], {}])
def test_a_time_out_of_bounds(temporary: Temporary, seconds: object) -> None:
    """Between 15 minutes and 12 hours; nothing is made."""
    before = held(temporary.door)
    reply = temporary.caller("POST", "/v1/credentials", body={"durationSeconds": seconds})
    reply.refused(400, "InvalidArgument", "durationSeconds")
    assert held(temporary.door) == before


def test_nonces_of_keys_that_are_over_are_forgotten(temporary: Temporary) -> None:
    """What is remembered of a key for a time goes with it."""
    for _ in range(3):
        key = temporary.issue()
        assert temporary.acs3("/v1/isolation", key, key.token).status == 200
    temporary.clock.ahead_seconds = SECONDS + 5
    key = temporary.issue()
    assert temporary.acs3("/v1/isolation", key, key.token).status == 200
    operation = next(cast(Any, route.endpoint) for route in temporary.door.app.routes if route.path == "/v1/isolation")
    assert set(operation._authentication._nonces) <= {temporary.caller.key.id, key.id}
