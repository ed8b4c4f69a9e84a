"""Who gets in: over real HTTP, with the message each refusal gives."""

from __future__ import annotations

import hashlib
import secrets
import socket
import time

import httpx
import pytest

from api.door import VERSION, Caller, Door, Reply
from sojourn import signature

PATH = f"{VERSION}/functions"
EMPTY = hashlib.sha256(b"").hexdigest()


def send(door: Door, headers: dict[str, str], body: bytes = b"", method: str = "GET", path: str = PATH) -> Reply:
    return Reply(door.http.send(httpx.Request(method, door.url + path, headers=headers, content=body)))


def signed_at(caller: Caller, seconds: float, **headers: str) -> dict[str, str]:
    return signature.sign(
        "GET",
        PATH,
        "",
        {"host": caller.door.host, **headers},
        body_sha256=EMPTY,
        access_key_id=caller.key.id,
        access_key_secret=caller.key.secret,
        now_seconds=seconds,
        nonce=secrets.token_hex(16),
    )


def test_a_signed_request_gets_in_once(caller: Caller) -> None:
    """The same bytes again are a replay."""
    headers = caller.signed("GET", PATH, "", b"")

    assert send(caller.door, headers).status == 200
    send(caller.door, headers).refused(403, "SignatureNotMatch", "x-acs-signature-nonce was used before")


def test_nobody_gets_in_without_a_signature(door: Door) -> None:
    """The header that is missing is named."""
    send(door, {}).refused(400, "MissingRequiredHeader", "Authorization")
    send(door, {"authorization": "Digest x"}).refused(400, "InvalidArgument", "Authorization must read")


@pytest.mark.parametrize("name", ["x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"])
def test_what_protects_a_request_must_be_there(caller: Caller, name: str) -> None:
    """A header of the four that is missing is named."""
    headers = caller.signed("GET", PATH, "", b"")
    del headers[name]

    send(caller.door, headers).refused(400, "MissingRequiredHeader", name)


def test_an_unknown_key_and_a_wrong_secret_are_refused(caller: Caller) -> None:
    """Each with its own code, as Function Compute has them."""
    headers = caller.signed("GET", PATH, "", b"")
    unknown = headers["authorization"].replace(caller.key.id, "SJNOBODY")
    send(caller.door, headers | {"authorization": unknown}).refused(403, "InvalidAccessKeyID", "'SJNOBODY'")
    flipped = headers["authorization"][:-1] + ("0" if headers["authorization"][-1] != "0" else "1")
    send(caller.door, headers | {"authorization": flipped}).refused(403, "SignatureNotMatch", "does not match")


def test_a_refused_nonce_is_not_used_up(caller: Caller) -> None:
    """Somebody who cannot sign cannot spoil the nonces of somebody who can."""
    headers = caller.signed("GET", PATH, "", b"")
    bad = headers["authorization"].replace("Signature=", "Signature=0")
    send(caller.door, headers | {"authorization": bad}).refused(403, "SignatureNotMatch")

    assert send(caller.door, headers).status == 200


@pytest.mark.parametrize("offset", [-800, 800])
def test_a_clock_that_is_a_little_off_is_fine(caller: Caller, offset: int) -> None:
    """Within the 15 minutes, either way."""
    assert send(caller.door, signed_at(caller, time.time() + offset)).status == 200


@pytest.mark.parametrize("offset", [-1000, 1000])
def test_a_clock_that_is_far_off_is_told(caller: Caller, offset: int) -> None:
    """The message says by how much it may be off, and what time the server has."""
    reply = send(caller.door, signed_at(caller, time.time() + offset))
    reply.refused(403, "SignatureNotMatch", "more than 900 seconds away from the server's time 20")


def test_a_body_that_was_not_signed_is_refused(caller: Caller) -> None:
    """The signature covers the digest, and the digest must be the body's."""
    headers = caller.signed("POST", PATH, "", b'{"a": 1}')
    reply = send(caller.door, headers, b'{"a": 2}', "POST")
    reply.refused(403, "SignatureNotMatch", "x-acs-content-sha256 is not the SHA-256 of the body")


def test_another_method_path_or_query_is_refused(caller: Caller) -> None:
    """What was signed for one thing does no other."""
    headers = caller.signed("GET", PATH, "", b"")
    for method, path in [("DELETE", PATH + "/f"), ("GET", PATH + "/f"), ("GET", PATH + "?limit=1"), ("POST", PATH)]:
        send(caller.door, headers, b"", method, path).refused(403, "SignatureNotMatch")

    assert send(caller.door, headers).status == 200


def test_the_account_hint_is_checked(caller: Caller) -> None:
    """Old clients name the account in a header: it must be the key's."""
    own = signed_at(caller, time.time(), **{"x-fc-account-id": caller.account_id})
    assert send(caller.door, own).status == 200
    empty = signed_at(caller, time.time(), **{"x-fc-account-id": ""})
    assert send(caller.door, empty).status == 200
    other = signed_at(caller, time.time(), **{"x-fc-account-id": "somebody"})
    send(caller.door, other).refused(403, "AccessDenied", "x-fc-account-id")


@pytest.mark.parametrize("name", ["Host", "Authorization", "X-Acs-Date", "X-Fc-Async-Task-Id", "Content-Type"])
def test_a_header_that_decides_must_come_once(caller: Caller, name: str) -> None:
    """Two readers must not believe two different ones."""
    headers = caller.signed("GET", PATH, "", b"", {"content-type": "x", "x-fc-async-task-id": "t"})
    pairs = [*headers.items(), (name, headers[name.lower()]), ("connection", "close")]
    lines = "".join(f"{key}: {value}\r\n" for key, value in pairs)
    answer = caller.door.raw(f"GET {PATH} HTTP/1.1\r\n{lines}\r\n".encode())

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert f"{name.lower()} must be given once".encode() in answer


def test_other_headers_may_come_twice(caller: Caller) -> None:
    """Proxies add to `Via` and to `X-Forwarded-For`."""
    pairs = [*caller.signed("GET", PATH, "", b"").items(), ("via", "a"), ("via", "b")]

    assert Reply(caller.door.http.send(httpx.Request("GET", caller.door.url + PATH, headers=pairs))).status == 200


@pytest.mark.parametrize("known", [True, False])
def test_a_stranger_is_refused_before_its_body_is_read(caller: Caller, *, known: bool) -> None:
    """The answer comes while not one byte of the announced 100 MB has been sent."""
    headers = caller.signed("POST", PATH, "", b"")
    if not known:
        headers["authorization"] = headers["authorization"].replace(caller.key.id, "SJNOBODY")
    else:
        headers["authorization"] = headers["authorization"][:-1] + "x"
    head = f"POST {PATH} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection(("127.0.0.1", caller.door.port), timeout=10) as wire:
        wire.sendall(f"{head}content-length: 104857600\r\n\r\n".encode())

        assert wire.recv(65536).startswith(b"HTTP/1.1 403 ")


def test_accounts_do_not_see_each_other(door: Door, caller: Caller) -> None:
    """Every operation on another account's function or task answers as if it were not there."""
    caller.create("mine")
    task = caller.submit("mine", x_fc_async_task_id="t1")
    stranger = door.caller()
    calls: list[tuple[str, str, object]] = [
        ("GET", "/functions/mine", b""),
        ("PUT", "/functions/mine", {"timeout": 9}),
        ("DELETE", "/functions/mine", b""),
        ("POST", "/functions/mine/invocations", b""),
        ("GET", "/functions/mine/async-tasks", b""),
        ("GET", "/functions/mine/async-tasks/t1", b""),
        ("PUT", "/functions/mine/async-tasks/t1/stop", b""),
        ("PUT", "/functions/mine/async-invoke-config", {}),
        ("GET", "/functions/mine/async-invoke-config", b""),
        ("DELETE", "/functions/mine/async-invoke-config", b""),
        ("PUT", "/functions/mine/concurrency", {"reservedConcurrency": 1}),
        ("GET", "/functions/mine/concurrency", b""),
        ("DELETE", "/functions/mine/concurrency", b""),
        ("GET", "/v1/functions/mine/tasks/t1/logs", b""),
    ]
    before = door.catalog.function(caller.account_id, "mine")
    for method, path, body in calls:
        stranger(method, path, body=body).refused(404, "FunctionNotFound", "function 'mine' does not exist")
    for path in ("/functions", "/async-invoke-configs", "/concurrency-configs"):
        listed = stranger("GET", path).json
        assert listed.get("functions", listed.get("configs")) == []

    assert door.catalog.function(caller.account_id, "mine") == before
    assert door.run(door.queue.find(before, "t1")) == task


def test_a_token_of_another_account_opens_nothing(door: Door, caller: Caller) -> None:
    """A page token says where to go on, not in whose list."""
    caller.create("f1")
    caller.create("f2")
    token = caller("GET", "/functions", {"limit": "1"}).json["nextToken"]
    stranger = door.caller()

    assert stranger("GET", "/functions", {"nextToken": token}).json == {"functions": [], "nextToken": ""}
