"""Requests that two readers could take for different ones, bodies cut into wrong chunks, and what follows an error.

Each is refused, or read as the one request it is; what stands behind a refused one is never carried out; whoever waits
is answered or let go of, and the next caller is served.
"""

from __future__ import annotations

import hashlib
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from api.door import VERSION, Door
from api.everything import Heard, furnish, heard, held, signed
from sojourn.api import call, protocol

TARGET = f"{VERSION}/functions/f/invocations"
BODY = b"0123456789"


class Wire:
    """A furnished account, and signed heads to which anything may be added."""

    def __init__(self, door: Door) -> None:
        self.door, self.caller = door, furnish(door.caller())

    def head(self, *lines: str, target: str = TARGET, method: str = "POST", body: bytes = BODY) -> bytes:
        """The head of a request with `body` as what was signed, and more lines."""
        headers = signed(self.caller, method, target, body, headers={"x-fc-invocation-type": "Async"})
        said = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), *lines]
        return "\r\n".join(said).encode("latin-1") + b"\r\n\r\n"

    def chunked(self, body: bytes, *, gone: bool = False) -> list[Heard]:
        """What is answered to a request whose body is sent as it stands here."""
        return answers(self.raw(self.head("transfer-encoding: chunked", "connection: close") + body, gone=gone))

    def raw(self, data: bytes, *, gone: bool = False) -> bytes:
        """Send, go when `gone` says so, and read to the end."""
        with socket.create_connection(("127.0.0.1", self.door.port), timeout=20) as wire:
            with suppress(OSError):
                wire.sendall(data)
                if gone:
                    wire.shutdown(socket.SHUT_WR)
            said = b""
            with suppress(ConnectionError):
                while piece := wire.recv(65536):
                    said += piece
            return said

    def tasks(self) -> int:
        """How many tasks there are."""
        return len(self.door.store.data.tasks)


def answers(said: bytes) -> list[Heard]:
    """The answers in a row."""
    return [heard(b"HTTP/1.1 " + part) for part in said.split(b"HTTP/1.1 ")[1:]]


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """On a server of its own."""
    directory: Path = tmp_path_factory.mktemp("smuggling")
    with Door(directory) as door:
        assert door.owner
        yield Wire(door)
        assert door.http.get(f"{door.url}/livez").status_code == 200


CHUNKS = {
    "no number": b"zz\r\n0123456789\r\n0\r\n\r\n",
    "negative": b"-a\r\n0123456789\r\n0\r\n\r\n",
    "with a sign": b"+a\r\n0123456789\r\n0\r\n\r\n",
    "with 0x": b"0xa\r\n0123456789\r\n0\r\n\r\n",
    "with a space": b" a\r\n0123456789\r\n0\r\n\r\n",
    "larger than memory": b"ffffffffffffffff\r\n0123456789\r\n0\r\n\r\n",
    "larger than a number": b"f" * 40 + b"\r\n0123456789\r\n0\r\n\r\n",
    "too short": b"5\r\n0123456789\r\n0\r\n\r\n",
    "too long": b"b\r\n0123456789\r\n0\r\n\r\n",
    "no line end": b"a0123456789\r\n0\r\n\r\n",
    "bare line feed": b"a\n0123456789\n0\n\n",
    "never ends": b"a\r\n0123456789\r\n",
    "ends in a chunk": b"a\r\n01234",
    "ends in a size": b"a",
    "empty": b"",
    "NUL in a size": b"a\0\r\n0123456789\r\n0\r\n\r\n",
    "no last line": b"a\r\n0123456789\r\n0\r\n",
    "wrong last line": b"a\r\n0123456789\r\n0\r\nX",
    "long extension": b"a;" + b"x" * 200_000 + b"\r\n0123456789\r\n0\r\n\r\n",
    "long trailer": b"a\r\n0123456789\r\n0\r\n" + b"x-t: " + b"y" * 200_000 + b"\r\n\r\n",
}


_MORE = ("no line end", "wrong last line")
UNFINISHED = ("larger than memory", "never ends", "ends in a chunk", "ends in a size", "empty", "no last line", *_MORE)
"""Those that are waited for; the caller goes away instead."""


@pytest.mark.parametrize("name", CHUNKS)
def test_chunks_that_are_none(wire: Wire, name: str) -> None:
    """No task comes of a body that is not whole; of one that is, just one, of what was signed."""
    before = wire.tasks()
    found = wire.chunked(CHUNKS[name], gone=name in UNFINISHED)
    assert bool(found) or name in UNFINISHED
    assert all(answer.status in (202, 400, 403, 408, 431) for answer in found), found
    submitted = [answer for answer in found if answer.status == 202]
    assert wire.tasks() - before == len(submitted) <= 1
    if submitted:
        assert wire.door.store.data.tasks[max(wire.door.store.data.tasks)].payload == BODY


def test_chunks_that_are_some(wire: Wire) -> None:
    """However it is cut, with an extension and a trailer: the body is what was signed."""
    for body in (
        b"a\r\n0123456789\r\n0\r\n\r\n",
        b"0000a\r\n0123456789\r\n000\r\n\r\n",
        b"A;x=y\r\n0123456789\r\n0\r\nx-trailer: 1\r\n\r\n",
        b"".join(b"1\r\n%c\r\n" % each for each in BODY) + b"0\r\n\r\n",
    ):
        (answer,) = wire.chunked(body)
        assert answer.status == 202, answer


@pytest.mark.parametrize(
    "lines",
    [
        ("content-length: 10", "transfer-encoding: chunked"),
        ("transfer-encoding: chunked", "content-length: 10"),
        ("content-length: 10", "content-length: 10"),
        ("content-length: 10", "content-length: 11"),
        ("content-length: 10, 10",),
        ("content-length: +10",),
        ("content-length: -1",),
        ("content-length: 0x0a",),
        ("content-length: 10 10",),
        ("content-length:",),
        ("content-length: 99999999999999999999999999",),
        ("transfer-encoding: chunked", "transfer-encoding: chunked"),
        ("transfer-encoding: identity", "content-length: 10"),
        ("transfer-encoding: xchunked",),
        ("transfer-encoding: chunked, gzip",),
        ("transfer-encoding: gzip, chunked",),
        ("transfer-encoding : chunked",),
        ("content-length : 10",),
        (" content-length: 10",),
        ("x: y", " folded", "content-length: 10"),
        ("x: y\0z", "content-length: 10"),
        ("x: y\rz", "content-length: 10"),
        ("x\0: y", "content-length: 10"),
        (": y", "content-length: 10"),
        ("x y: z", "content-length: 10"),
        ("x", "content-length: 10"),
        ("host: elsewhere.example", "content-length: 10"),
        ("x-fc-invocation-type: Sync", "content-length: 10"),
        ("x-acs-date: 2026-01-01T00:00:00Z", "content-length: 10"),
        ("content-type: a", "content-type: b", "content-length: 10"),
    ],
    ids=repr,
)
def test_heads_that_say_two_things(wire: Wire, lines: tuple[str, ...]) -> None:
    """Refused in JSON, whatever the rest is; what stands behind it is not carried out."""
    before = held(wire.door)
    behind = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    found = answers(wire.raw(wire.head(*lines) + BODY + behind))
    assert found[0].status in (400, 403, 431), found
    assert found[0].headers["content-type"] == "application/json"
    assert found[0].headers["x-fc-request-id"] in found[0].body.decode()
    assert all(answer.status in (200, 400) for answer in found[1:]), found
    assert held(wire.door) == before


def test_a_trailer_says_nothing(wire: Wire) -> None:
    """No header of its request, whether that is read at once or not: nobody has signed it."""
    for name, value in (("x-fc-async-task-id", "trailed"), ("x-fc-async-delay", "x"), ("host", "x"), ("expect", "x")):
        body = b"a\r\n0123456789\r\n0\r\n" + f"{name}: {value}\r\n\r\n".encode()
        (answer,) = wire.chunked(body)
        assert answer.status == 202, answer
        assert answer.headers["x-fc-async-task-id"] != "trailed"


def test_nothing_is_carried_out_behind_the_last_request(wire: Wire) -> None:
    """Its caller has said that the connection ends with it; a submit is not begun beside it either."""
    for line, version in (("connection: close", b"HTTP/1.1"), ("connection: keep-alive", b"HTTP/1.0")):
        before = wire.tasks()
        last = wire.head("content-length: 10", line) + BODY
        behind = wire.head("content-length: 10") + BODY
        found = answers(wire.raw((last + behind * 2).replace(b"HTTP/1.1", version)))
        assert [answer.status for answer in found] == [202]
        assert wire.tasks() - before == 1


def test_a_request_within_a_body_is_a_body(wire: Wire) -> None:
    """What looks like a request is the event, when it is in the bounds of one."""
    inner = wire.head("content-length: 0", body=b"") + b""
    before = wire.tasks()
    (answer,) = answers(wire.raw(wire.head(f"content-length: {len(inner)}", "connection: close", body=inner) + inner))
    assert (answer.status, wire.tasks() - before) == (202, 1)
    assert wire.door.store.data.tasks[max(wire.door.store.data.tasks)].payload == inner


UPGRADES = {
    "HTTP/2": ("connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAMAAABkAAQAAP__"),
    "a web socket": (
        "connection: upgrade",
        "upgrade: websocket",
        "sec-websocket-version: 13",
        "sec-websocket-key: AA==",
    ),
}


@pytest.mark.parametrize("pieces", [1, 2])
@pytest.mark.parametrize("name", UPGRADES)
def test_what_asks_for_another_protocol_keeps_its_body(wire: Wire, name: str, pieces: int) -> None:
    """However the body is framed and sent; it is the event, never the next request, and what follows is answered."""
    inner = wire.head("content-length: 0", body=b"")
    before = wire.tasks()
    for framing, event, body in (
        (f"content-length: {len(inner)}", inner, inner),
        ("transfer-encoding: chunked", inner, b"%x\r\n%b\r\n0\r\n\r\n" % (len(inner), inner)),
        ("content-length: 0", b"", b""),
    ):
        head = wire.head(*UPGRADES[name], framing, body=event)
        behind = wire.head(*UPGRADES[name], "content-length: 10") + BODY
        last = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        with socket.create_connection(("127.0.0.1", wire.door.port), timeout=20) as line:
            for piece in (head, body + behind + last) if pieces > 1 else (head + body + behind + last,):
                line.sendall(piece)
                assert wire.door.http.get(f"{wire.door.url}/livez").status_code == 200  # it was read meanwhile
            found = answers(b"".join(iter(lambda line=line: line.recv(65536), b"")))  # type: ignore[misc]  # bound on purpose
        assert [answer.status for answer in found] == [202, 202, 200]
        tasks = wire.door.store.data.tasks
        assert [tasks[each].payload for each in sorted(tasks)[-2:]] == [event, BODY]
    assert wire.tasks() - before == 6


@pytest.mark.parametrize("more", [b"", b"connection: upgrade\r\nupgrade: h2c\r\n"])
def test_thousands_in_a_row_are_answered(wire: Wire, more: bytes) -> None:
    """All of them sent at once, more than the head of one may hold; also when each asks for another protocol."""
    one = b"GET /livez HTTP/1.1\r\nhost: x\r\n%b\r\n" % more
    last = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    found = answers(wire.raw(one * 5000 + last))
    assert [answer.status for answer in found] == [200] * 5001


@pytest.mark.parametrize("wrong", ["signature", "digest", "path", "method", "syntax"])
def test_requests_behind_a_refused_one(wire: Wire, wrong: str) -> None:
    """The refused one leaves the connection in order, or ends it: the next is answered as itself or not at all."""
    refused = {
        "signature": wire.head("content-length: 10").replace(b"Signature=", b"Signature=0") + BODY,
        "digest": wire.head("content-length: 10") + b"9876543210",
        "path": wire.head("content-length: 10", target=f"{VERSION}/nothing/here") + BODY,
        "method": wire.head("content-length: 10", method="PATCH") + BODY,
        "syntax": b"POST / HTTP/9.9\r\n\r\n",
    }[wrong]
    before = wire.tasks()
    good = wire.head("content-length: 10", "connection: close") + BODY
    first, *rest = answers(wire.raw(refused + good))
    assert 400 <= first.status < 500
    assert re.fullmatch(r"1-[0-9a-f-]+", first.headers["x-fc-request-id"])
    assert [answer.status for answer in rest] in ([], [202])
    assert wire.tasks() - before == len(rest)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /livez HTTP/1.1\r\nhost: x\r\nx: " + b"y" * (1024 * 1024) + b"\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nhost: x\r\n" + b"x: y\r\n" * 100_000 + b"\r\n",
        b"GET /" + b"x" * (1024 * 1024) + b" HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /livez?" + b"x" * (1024 * 1024) + b" HTTP/1.1\r\nhost: x\r\n\r\n",
        b"X" * (1024 * 1024) + b" / HTTP/1.1\r\n\r\n",
    ],
    ids=["1 MiB header", "100,000 headers", "1 MiB path", "1 MiB query", "1 MiB method"],
)
def test_heads_of_a_mebibyte(wire: Wire, head: bytes) -> None:
    """Refused long before the end of it, in bounded memory; what is still on its way may tear the answer away."""
    for answer in answers(wire.raw(head)):
        assert answer.status in (400, 431)
        assert answer.headers["content-type"] == "application/json"


def test_a_body_that_comes_letter_by_letter_is_given_up(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 when its time is over, although something comes all the time; no task, and others are served meanwhile."""
    monkeypatch.setattr(call, "BODY_SECONDS_MAX", 0.5)
    before = wire.tasks()
    with socket.create_connection(("127.0.0.1", wire.door.port), timeout=20) as slow:
        slow.sendall(wire.head("content-length: 100000"))
        said = b""
        slow.settimeout(0.05)
        for _ in range(400):
            slow.sendall(b"x")
            with suppress(TimeoutError):
                said = slow.recv(65536)
                break
            assert wire.door.http.get(f"{wire.door.url}/livez").status_code == 200
    assert heard(said).status == 503
    assert heard(said).code == "ServiceUnavailable"
    assert wire.tasks() == before


def test_two_hundred_slow_heads_hold_nobody_up(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is answered with 408 when its time is over; others are served all the while."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS_MAX", 1.0)
    slow = [socket.create_connection(("127.0.0.1", wire.door.port), timeout=20) for _ in range(200)]
    try:
        for each in slow:
            each.sendall(b"POST /2023-03-30/functions HTTP/1.1\r\nhost: ")
        for _ in range(20):
            assert wire.caller("GET", "/functions").status == 200
        for each in slow:
            said = b"".join(iter(lambda each=each: each.recv(65536), b""))  # type: ignore[misc]  # bound on purpose
            assert heard(said).status == 408
    finally:
        for each in slow:
            each.close()


def test_a_body_without_end_is_refused_at_its_bound(wire: Wire) -> None:
    """A chunked body without end is refused at its bound, also when each chunk is small."""
    size = 200 * 1024
    digest = hashlib.sha256(b"x" * size).hexdigest()
    head = wire.head("transfer-encoding: chunked", "connection: close", body=b"x" * size)
    assert digest.encode() in head
    before = wire.tasks()
    answer = heard(wire.raw(head + (b"400\r\n" + b"x" * 1024 + b"\r\n") * 200 + b"0\r\n\r\n"))
    assert (answer.status, answer.code) == (400, "EntityTooLarge")
    assert wire.tasks() == before


@pytest.mark.parametrize("known", [True, False])
def test_a_trailer_without_end_is_cut_off(wire: Wire, *, known: bool) -> None:
    """In one line or in many, whether the caller is known or a stranger who was refused already."""
    for tail in (b"x-t: " + b"y" * 2_000_000, b"x-t: y\r\n" * 200_000, b"a;" + b"y" * 2_000_000):
        before = wire.tasks()
        head = wire.head("transfer-encoding: chunked")
        if not known:
            head = head.replace(b"Signature=", b"Signature=0")
        body = tail if tail.startswith(b"a;") else b"a\r\n0123456789\r\n0\r\n" + tail
        found = answers(wire.raw(head + body))  # which ends, although neither the body nor the connection does
        assert all(answer.status in (403, 431) for answer in found), found
        assert wire.tasks() == before


def test_a_body_that_is_answered_already_has_to_end_soon(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger who goes on sending, a byte at a time, does not keep the connection."""
    monkeypatch.setattr(protocol, "LATE_SECONDS_MAX", 0.3)
    head = wire.head("content-length: 1000000").replace(b"Signature=", b"Signature=0")
    with socket.create_connection(("127.0.0.1", wire.door.port), timeout=20) as slow:
        slow.sendall(head)
        assert heard(slow.recv(65536)).status == 403
        slow.settimeout(0.02)
        ended = False
        for _ in range(1000):
            try:
                slow.sendall(b"x")
                ended = not slow.recv(1)
            except TimeoutError:
                continue
            except ConnectionError:
                ended = True
            break
    assert ended
