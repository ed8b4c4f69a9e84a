"""Reading bodies, JSON, flags and page tokens: without a server."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.api import answer, call, errors, paging
from sojourn.api.authentication import single_headers
from sojourn.api.call import boolean, decode_object, read_body
from sojourn.api.request import ClientGone, Request
from sojourn.errors import (
    IllegalFact,
    InvalidArgument,
    PayloadTooLarge,
    ResourceExhausted,
    ServiceUnavailable,
    SignatureMismatch,
)


class Message(NamedTuple):
    """What the wire brings: a part of a body, maybe the last one, or the caller's end."""

    body: bytes
    more: bool = False
    gone: bool = False


def request(body: bytes, *, more: bool = False) -> Message:
    return Message(body, more)


GONE = Message(b"", gone=True)


class Script:
    """A wire that brings `messages`, no sooner than they are asked for."""

    def __init__(self, messages: list[Message]) -> None:
        self.messages, self.asked = messages, 0

    def wanted(self, request: Request) -> None:
        """Bring the next one that says something."""
        while self.asked < len(self.messages):
            message = self.messages[self.asked]
            self.asked += 1
            if message.gone:
                request.leave()
                return
            if message.body:
                request.feed(message.body)
            if not message.more:
                request.end()
            if message.body or not message.more:
                return


def read(messages: list[Message], *, limit: int = 10, of: bytes | None = None, **headers: str) -> tuple[bytes, int]:
    """What is read of `messages`, and how many of them were asked for."""
    script = Script(messages)
    whole = of if of is not None else b"".join(message.body for message in messages)
    sent = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    digest = hashlib.sha256(whole).hexdigest().encode()
    asked = Request(script, "POST", "/", [], raw_path=b"/")
    return asyncio.run(read_body(sent, asked, "the body", limit, digest)), script.asked


@pytest.mark.parametrize("pieces", [[b""], [b"abc"], [b"", b"abc", b"", b"defghij"], [b"a"] * 10])
def test_a_body_is_read_whole_however_it_is_cut(pieces: list[bytes]) -> None:
    """Up to and including its bound."""
    messages = [request(piece, more=number < len(pieces) - 1) for number, piece in enumerate(pieces)]

    assert read(messages) == (b"".join(pieces), len(pieces))


def test_a_body_over_its_bound_is_not_read_on() -> None:
    """It ends with the piece that is too much; nothing is asked for after it."""
    messages = [request(b"abcde", more=True)] * 1000
    with pytest.raises(PayloadTooLarge, match=r"\(10 bytes\): the body has 15 bytes"):
        read(messages)
    with pytest.raises(PayloadTooLarge, match="the body has 11 bytes"):
        read([request(b"x" * 11)])


def test_a_length_over_the_bound_is_refused_unread() -> None:
    """Content-Length is believed when it says too much."""
    with pytest.raises(PayloadTooLarge, match="the body has 11 bytes"):
        read([], of=b"", content_length="11")
    with pytest.raises(PayloadTooLarge):
        read([], of=b"", content_length="9" * 400)


def test_a_length_that_is_no_number_decides_nothing() -> None:
    """The body itself is counted anyway."""
    assert read([request(b"abc")], content_length="three") == (b"abc", 1)


def test_another_body_than_the_signed_one_is_refused() -> None:
    """Short or long."""
    with pytest.raises(SignatureMismatch, match="x-acs-content-sha256"):
        read([request(b"abc")], of=b"abd")
    with pytest.raises(SignatureMismatch):
        read([request(b"a" * 2_000_000)], of=b"abd", limit=3_000_000)


@pytest.mark.parametrize("messages", [[GONE], [request(b"abc", more=True), GONE]])
def test_a_caller_that_goes_away_is_noticed(messages: list[Message]) -> None:
    """Before the body, or within it."""
    with pytest.raises(ClientGone):
        read(messages)


def test_a_body_that_stalls_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """503 after a bounded time."""
    monkeypatch.setattr(call, "BODY_SECONDS_MAX", 0.01)

    asked = Request(Script([request(b"abc", more=True)]), "POST", "/", [], raw_path=b"/")
    with pytest.raises(ServiceUnavailable, match=r"the body did not arrive within 0\.01 seconds"):
        asyncio.run(read_body({}, asked, "the body", 10, b""))


@given(st.binary(max_size=300))
def test_bytes_become_an_object_or_a_refusal(data: bytes) -> None:
    """There is no third way."""
    with suppress(InvalidArgument):
        assert isinstance(decode_object(data), dict)


@pytest.mark.parametrize(("text", "value"), [("true", True), ("True", True), ("FALSE", False), (None, False)])
def test_flags(text: str | None, *, value: bool) -> None:
    """In any case; absent is the default."""
    assert boolean("f", text) is value


@pytest.mark.parametrize("text", ["1", "yes", "on", "truee"])
def test_what_is_no_flag(text: str) -> None:
    """The field is named."""
    with pytest.raises(InvalidArgument, match="f must be true or false"):
        boolean("f", text)


@given(st.sampled_from(["tasks", "functions"]), st.text(max_size=100))
def test_a_token_leads_back_to_its_position(kind: str, position: str) -> None:
    """And to no other list."""
    try:
        text = paging.token(kind, position)
    except UnicodeEncodeError:
        return
    assert paging.position_of(kind, {"nextToken": text}) == position
    with pytest.raises(InvalidArgument, match="nextToken"):
        paging.position_of("others", {"nextToken": text})


def test_a_changed_token_is_refused() -> None:
    """Every character counts, and none may be added."""
    text = paging.token("tasks", "123456")
    for at in range(len(text)):
        other = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
        with pytest.raises(InvalidArgument):
            paging.position_of("tasks", {"nextToken": other})
    for other in (text + "=", text + "A", text[:-1], " " + text, text + "\n", text + "!"):
        with pytest.raises(InvalidArgument):
            paging.position_of("tasks", {"nextToken": other})


def test_an_absent_token_is_the_first_page() -> None:
    """And the default page has 20 items."""
    assert paging.position_of("tasks", {}) is None
    assert paging.limit_of({}) == 20
    assert paging.limit_of({"limit": "100"}) == 100


def test_headers_that_come_twice() -> None:
    """Joined where nobody is misled, refused where somebody could be."""
    assert single_headers([(b"via", b"a"), (b"host", b"h"), (b"via", b"b")]) == {b"via": b"a, b", b"host": b"h"}
    with pytest.raises(InvalidArgument, match="host must be given once"):
        single_headers([(b"host", b"a"), (b"host", b"b")])


def test_an_empty_answer_has_no_content_type() -> None:
    """A client that parses whatever is labelled JSON would fail on it."""
    names = [name for name, _ in answer.headers_of(answer.Answer(202), "r")]
    assert names == [b"x-fc-request-id", b"content-length"]
    assert answer.headers_of(answer.EMPTY, "r") == [(b"x-fc-request-id", b"r")]


def test_an_error_of_ours_is_logged_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets the general sentence."""
    told = errors.of_error(IllegalFact("Running", object()), "r-1")

    assert told.status == 500
    assert b"Running" not in told.body
    assert "r-1" in caplog.text
    assert "no transition from Running" in caplog.text


def test_an_error_that_passes_says_when_to_come_back() -> None:
    """In whole seconds."""
    assert (b"retry-after", b"7") in errors.of_error(ResourceExhausted("full", 7), "r").headers


def test_a_message_that_is_no_unicode_is_still_json() -> None:
    """What a caller sent may be repeated, whatever it was."""
    assert b"f is wrong, got '?'" in errors.of_error(InvalidArgument("f", "\ud800", "is wrong"), "r").body or (
        b"ud800" in errors.of_error(InvalidArgument("f", "\ud800", "is wrong"), "r").body
    )
    assert errors.of_error(ResourceExhausted("lone \ud800"), "r").body.count(b"lone ?") == 2
