"""Signing in, and what a request with a session must show before it is heard."""

from __future__ import annotations

import orjson
import pytest

from api.door import Caller, Door, creation
from console.visitor import CSRF, READS, WRITES, Visitor
from sojourn.access import AccessToken, Scope
from sojourn.clock import MICROSECONDS_PER_SECOND
from sojourn.errors import ScopeTooSmall
from sojourn.refusals import SignInNeeded
from sojourn.sessions import COOKIE, IDLE_SECONDS_MAX, SESSION_SECONDS_MAX, SESSIONS_MAX, Sessions

FOREIGN = ("evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example", "10.9.8.7", "")
ORIGINS = ("http://evil.example", "https://evil.example", "null", "http://localhost", "http://127.0.0.1", "file://")


class Standing:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 1_000_000_000

    def now(self) -> int:
        """Microseconds."""
        return self.at

    def monotonic(self) -> float:
        """Seconds."""
        return self.at / MICROSECONDS_PER_SECOND


def test_the_cookie_is_kept_from_scripts_and_other_sites(
    door: Door, caller: Caller, stranger: Visitor, token: str
) -> None:
    """HttpOnly, SameSite=Strict, a bounded life; behind TLS it stays there. The answer is not kept."""
    reply = stranger.sign_in(token)
    cookie = reply.headers["set-cookie"]

    assert reply.json()["accountId"] == caller.account_id
    assert set(cookie.split("; ")[1:]) == {"Path=/", f"Max-Age={SESSION_SECONDS_MAX}", "HttpOnly", "SameSite=Strict"}
    assert reply.headers["cache-control"] == "no-store"
    assert token not in reply.text
    secure = stranger.http.post(
        "/console/session",
        json={"token": token},
        headers={"origin": f"https://{door.host}"},
    )
    assert "; Secure" in secure.headers["set-cookie"]


@pytest.mark.parametrize("text", ["x", "{token}x", "x{token}", "{token} ", "sjt_", "\ud800", "{id}:{secret}"])
def test_what_opens_nothing_is_refused(caller: Caller, stranger: Visitor, token: str, text: str) -> None:
    """401 and no cookie; the pair of an access key is not for browsers either."""
    given = text.format(token=token, id=caller.key.id, secret=caller.key.secret)
    body = orjson.dumps({"token": "?"}).replace(b"?", given.encode("ascii", "backslashreplace"))
    reply = stranger.http.post("/console/session", content=body)

    assert (reply.status_code, reply.json()["Code"]) in ((401, "SignInNeeded"), (400, "InvalidArgument"))
    assert "set-cookie" not in reply.headers


def test_a_session_reaches_as_far_as_its_token(door: Door, caller: Caller, stranger: Visitor) -> None:
    """Who may only read is refused by the server, not only by a button that is not there."""
    text = door.run(door.tokens.create(caller.account_id, Scope.READ))[1]
    assert stranger.sign_in(text).json()["scope"] == "read"

    assert stranger("GET", "/v1/instances").status_code == 200
    refused = stranger("POST", "/2023-03-30/functions", json=creation("f"))
    assert (refused.status_code, refused.json()["Code"]) == (403, ScopeTooSmall.code)


def test_a_revoked_token_ends_its_sessions(door: Door, caller: Caller, visitor: Visitor) -> None:
    """At once, not when their time is over."""
    (token,) = door.tokens.of(caller.account_id)
    door.run(door.tokens.revoke(caller.account_id, token.id))

    reply = visitor("GET", "/v1/instances")
    assert (reply.status_code, reply.json()["Code"]) == (401, "SignInNeeded")
    assert visitor("GET", "/console/session").status_code == 401


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"token":5}', b'{"token":""}', b'{"other":"x"}', b"x" * 5000])
def test_a_sign_in_that_is_none_names_its_field(stranger: Visitor, body: bytes) -> None:
    """400, nothing begins."""
    reply = stranger.http.post("/console/session", content=body)

    assert reply.status_code == 400
    assert "set-cookie" not in reply.headers


def test_a_session_reads_and_changes_what_is_its_accounts(visitor: Visitor) -> None:
    """The console's own requests: the cookie, and for a change the second secret."""
    assert visitor("GET", "/v1/instances").status_code == 200
    assert visitor("POST", "/2023-03-30/functions", json=creation("made")).status_code == 200
    assert visitor("GET", "/2023-03-30/functions/made").json()["functionName"] == "made"


@pytest.mark.parametrize("given", ["", "x", "wrong-wrong-wrong-wrong-wrong-wrong-wrong-w"])
@pytest.mark.parametrize("method", WRITES)
def test_a_change_without_the_second_secret_is_refused(visitor: Visitor, method: str, given: str) -> None:
    """A page of another site can make a browser send the cookie, never this header; nothing is changed."""
    for path in ("/2023-03-30/functions", "/v1/credentials"):
        reply = visitor(method, path, json=creation("forged"), headers={CSRF: given})
        assert reply.status_code in (403, 405), (method, path, reply.text)
        assert method != "POST" or reply.json()["Code"] == "CsrfTokenMissing"
    assert visitor("DELETE", "/console/session", headers={CSRF: given}).json()["Code"] == "CsrfTokenMissing"
    assert visitor("GET", "/2023-03-30/functions/forged").status_code == 404
    assert visitor("GET", "/console/session").status_code == 200


@pytest.mark.parametrize("host", FOREIGN)
@pytest.mark.parametrize("method", [*READS, *WRITES])
def test_a_foreign_host_is_not_heard(visitor: Visitor, method: str, host: str) -> None:
    """A name that leads here by DNS rebinding gets nothing, whatever it asks and whatever it carries."""
    own = {"cookie": f"{COOKIE}={visitor.http.cookies[COOKIE]}"}
    for path in ("/console", "/console/session", "/console/assets/x/main.js", "/console/tasks"):
        reply = visitor.http.request(method, path, headers=own | {"host": host, CSRF: visitor.csrf})
        assert reply.status_code == 403
        assert method == "HEAD" or reply.json()["Code"] == "HostNotAllowed"
    api = visitor.http.request(method, "/v1/credentials", headers=own | {"host": host, CSRF: visitor.csrf})
    assert api.status_code in (403, 405)


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("method", [*READS, *WRITES])
def test_a_foreign_origin_is_not_heard(visitor: Visitor, method: str, origin: str) -> None:
    """Not even with the cookie and the second secret: such a request does not come from a page of this console."""
    for path in ("/console", "/console/session", "/v1/credentials", "/v1/instances", "/2023-03-30/functions"):
        reply = visitor(method, path, headers={"origin": origin})
        assert reply.status_code in (403, 405), (method, path)
    assert visitor("GET", "/console/session").status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site", "something"])
def test_a_page_of_another_site_is_not_heard_without_an_origin_either(visitor: Visitor, site: str) -> None:
    """Browsers leave Origin out of plain GETs; they say where those come from all the same."""
    for path in ("/console/session", "/v1/instances"):
        assert visitor("GET", path, headers={"origin": "", "sec-fetch-site": site}).status_code == 403


def test_a_session_sees_nothing_of_another_account(door: Door, visitor: Visitor) -> None:
    """Another account's names are those of nothing."""
    other = door.caller()
    other.create("theirs")
    task = other.submit("theirs", x_fc_async_task_id="t1")
    for path in (
        "/2023-03-30/functions/theirs",
        "/2023-03-30/functions/theirs/async-tasks/t1",
        "/v1/functions/theirs/tasks/t1/logs",
        "/v1/functions/theirs/tasks/t1/deliveries",
    ):
        assert visitor("GET", path).status_code == 404, path
    assert visitor("PUT", "/2023-03-30/functions/theirs/async-tasks/t1/stop").status_code == 404
    assert visitor("DELETE", "/2023-03-30/functions/theirs").status_code == 404
    hint = {"x-fc-account-id": other.account_id}
    assert visitor("GET", "/2023-03-30/functions/theirs", headers=hint).status_code == 403
    assert door.run(door.queue.find(door.catalog.function(other.account_id, "theirs"), "t1")).status == task.status


def test_signing_out_ends_the_session_itself(visitor: Visitor) -> None:
    """Not only the cookie goes: who has kept it opens nothing with it."""
    cookie = {"cookie": f"{COOKIE}={visitor.http.cookies[COOKIE]}"}
    assert visitor("DELETE", "/console/session").status_code == 204

    assert visitor.http.get("/v1/instances", headers=cookie).json()["Code"] == "SignInNeeded"
    assert visitor.http.get("/console/session", headers=cookie).status_code == 401


@pytest.mark.parametrize("cookie", ["", "x", "x" * 5000, "=;=;", '"', "\xff", "a=b; c=d"])
def test_a_cookie_that_names_nothing_opens_nothing(stranger: Visitor, cookie: str) -> None:
    """401, and no surprise."""
    raw = f"{COOKIE}={cookie}".encode("latin-1")
    reply = stranger.http.get("/console/session", headers=[(b"cookie", raw)])

    assert reply.status_code == 401


def test_the_cookie_counts_nowhere_else(visitor: Visitor) -> None:
    """Other generations and functions' own addresses are for signed requests."""
    for path in ("/2021-04-06/services", "/2016-08-15/services", "/http/a/f/x", "/metrics"):
        assert visitor("GET", path).status_code in (400, 403, 404), path


def made(account_id: str) -> AccessToken:
    """A token of an account."""
    return AccessToken(id="t", account_id=account_id, name="", scope=Scope.READ, digest="d", created_at=0)


@pytest.mark.parametrize(("steps", "seconds"), [(1, IDLE_SECONDS_MAX), (12, SESSION_SECONDS_MAX // 12)])
def test_a_session_ends_with_its_time(steps: int, seconds: int) -> None:
    """When it was not used for a while, and after its day also when it was."""
    clock = Standing()
    sessions = Sessions(clock)
    name, _ = sessions.open(made("a"))
    cookie = f"{COOKIE}={name}".encode()
    sessions.find(cookie)
    for _ in range(steps - 1):
        clock.at += seconds * MICROSECONDS_PER_SECOND
        sessions.find(cookie)
    clock.at += seconds * MICROSECONDS_PER_SECOND

    with pytest.raises(SignInNeeded):
        sessions.find(cookie)


def test_one_session_too_many_ends_the_oldest_of_its_account() -> None:
    """So many browsers have forgotten to sign out; other accounts do not notice."""
    sessions = Sessions(Standing())
    other, _ = sessions.open(made("b"))
    names = [sessions.open(made("a"))[0] for _ in range(SESSIONS_MAX + 1)]

    with pytest.raises(SignInNeeded):
        sessions.find(f"{COOKIE}={names[0]}".encode())
    for name in (names[1], names[-1], other):
        sessions.find(f"{COOKIE}={name}".encode())
