"""What a function answers at its address: passed on as far as it is HTTP, and never more than its own answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import httpx
import pytest

from api.door import Caller
from api.test_addresses import ANONYMOUS, trigger
from sojourn.agent import frames
from sojourn.call import Answer
from sojourn.function import Function
from sojourn.sessions import COOKIE
from sojourn.store import Log
from sojourn.task import Success

Ask = Callable[..., httpx.Response]
CUSTOM: dict[str, Any] = {
    "runtime": "custom.debian10",
    "customRuntimeConfig": {"command": ["./serve"], "port": 9000},
}


def at(caller: Caller, name: str) -> str:
    """The address of a function, whose trigger anybody may call."""
    assert caller("POST", f"/functions/{name}/triggers", body=trigger("web", ANONYMOUS)).status == 200
    return f"{caller.door.url}/http/{caller.account_id}/{name}/x"


@pytest.fixture
def event(caller: Caller) -> str:
    """The address of a function with a built-in runtime; it answers with the event that it gets."""
    caller.create()
    return at(caller, "f")


def answers(caller: Caller, result: bytes) -> None:
    """Let every call of a function return `result`."""

    async def behaviour(function: Function, payload: bytes, request_id: str) -> Answer:
        del function, payload, request_id
        return Answer(Success(result=result), "i-1", 1_600, 9 * 1024 * 1024, Log(1, b""))

    caller.door.dispatcher.behaviour = behaviour


def in_an_event(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """The answer of a function with a built-in runtime."""
    return json.dumps({"statusCode": status, "headers": dict(headers), "body": "said"}).encode()


def by_a_program(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """The answer of a function that speaks HTTP itself."""
    return frames.pack_http({"status": status, "headers": [list(each) for each in headers]}, b"said")


@pytest.fixture(params=[in_an_event, by_a_program])
def says(request: pytest.FixtureRequest, caller: Caller) -> Iterator[Ask]:
    """Asks a function that answers with a status and headers."""
    if request.param is in_an_event:
        caller.create()
    else:
        caller.create("f", **CUSTOM)
    address = at(caller, "f")

    def ask(status: int, *headers: tuple[str, str]) -> httpx.Response:
        answers(caller, request.param(status, headers))
        return caller.door.http.get(address)

    yield ask
    caller.door.dispatcher.behaviour = caller.door.dispatcher.echo


ODD = [
    ("x(y)", "1"),
    ("x y", "1"),
    ('x"y', "1"),
    ("x/y", "1"),
    ("x[1]", "1"),
    ("x:y", "1"),
    ("", "1"),
    ("x\u00e9", "1"),
    ("x-y", "a\x01b"),
    ("x-y", "a\x7fb"),
    ("x-y", "a\r\nx-more: 1"),
    ("x-y", "\u20ac"),
    ("content-type", "text/\x02plain"),
]


@pytest.mark.parametrize("header", ODD, ids=repr)
def test_a_header_that_is_none_is_left_out(says: Ask, header: tuple[str, str]) -> None:
    """The rest of the answer is passed on: it is the function's fault, and none of the server's."""
    answer = says(200, header, ("x-good", "tab\tand \u00e9"))

    assert (answer.status_code, answer.content) == (200, b"said")
    assert answer.headers["x-good"].encode("latin-1") == "tab\tand \u00e9".encode("latin-1")
    assert header[0] == "content-type" or header[0].strip().lower() not in answer.headers
    assert "x-more" not in answer.headers


@pytest.mark.parametrize("status", [100, 101, 103, 199, 600, 999])
def test_a_status_that_ends_nothing_is_a_bad_answer(caller: Caller, status: int) -> None:
    """A program's 101 would make its caller speak another protocol, or wait for the answer that follows it."""
    caller.create("f", **CUSTOM)
    address = at(caller, "f")
    answers(caller, by_a_program(status, ()))
    try:
        answer = caller.door.http.get(address)
    finally:
        caller.door.dispatcher.behaviour = caller.door.dispatcher.echo

    assert answer.status_code == 502
    assert str(status) in answer.json()["errorMessage"]


def test_the_cookie_of_a_session_is_not_a_functions(caller: Caller, event: str) -> None:
    """Whose function it is may not be whose session it is: others of the caller's cookies go on, this one does not."""
    for given, gets in (
        (f"a=1; {COOKIE}=secret; b=2", "a=1; b=2"),
        (f"{COOKIE}=secret", None),
        (f'{COOKIE.upper()}=1;{COOKIE}="secret"', f"{COOKIE.upper()}=1"),
        (f"{COOKIE} = secret;a=1", "a=1"),
        ("a=1", "a=1"),
    ):
        answer = caller.door.http.get(event, headers={"cookie": given})
        assert answer.json()["headers"].get("Cookie") == gets
        assert "secret" not in answer.text


def test_a_function_opens_no_session(says: Ask) -> None:
    """A browser would act in the session that a function's page has put there; cookies of its own it may have."""
    answer = says(200, ("set-cookie", f"{COOKIE}=theirs; Path=/"))
    assert "set-cookie" not in answer.headers
    answer = says(200, ("Set-Cookie", f" {COOKIE} =theirs; Path=/console"))
    assert "set-cookie" not in answer.headers
    answer = says(200, ("set-cookie", "own=1"))
    assert answer.headers["set-cookie"] == "own=1"
