"""What comes over the wire that is no proper HTTP, or comes too slowly, or never ends."""

from __future__ import annotations

import socket
from contextlib import suppress

import orjson
import pytest

from api.door import VERSION, Caller, Door
from sojourn.api import protocol


def parts(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split()[1]), headers, body


def is_error(answer: bytes, status: int, words: str) -> None:
    """It is an error in the common form, and the connection ends with it."""
    found, headers, body = parts(answer)
    document = orjson.loads(body)
    assert (found, headers["content-type"], headers["connection"]) == (status, "application/json", "close")
    assert int(headers["content-length"]) == len(body)
    assert document["Code"] == document["ErrorCode"]
    assert document["RequestId"] == headers["x-fc-request-id"]
    assert words in document["Message"]


@pytest.mark.parametrize(
    "data",
    [
        b"garbage\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: a\0b\r\n\r\n",
    ],
)
def test_what_is_no_http_is_answered_in_json(door: Door, data: bytes) -> None:
    """400 in the common form."""
    is_error(door.raw(data), 400, "Invalid HTTP request received")


def test_a_head_without_end_is_cut_off(door: Door) -> None:
    """However it is cut into pieces: 431 after 64 KiB."""
    with socket.create_connection(("127.0.0.1", door.port), timeout=10) as wire:
        wire.sendall(b"GET / HTTP/1.1\r\n")
        answer = b""
        with suppress(ConnectionError):  # the server ends it while we are still sending
            for number in range(200):
                wire.sendall(b"x-%d: %b\r\n" % (number, b"y" * 1000))
        with suppress(ConnectionError):
            while piece := wire.recv(65536):
                answer += piece
    if answer:  # what was still on its way may have torn the answer away with it
        is_error(answer, 431, "must hold at most 65536 bytes")

    assert door.raw(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").startswith(b"HTTP/1.1 200")


def test_a_head_that_fills_its_bound_is_read(door: Door) -> None:
    """Just under the bound, in many pieces."""
    with socket.create_connection(("127.0.0.1", door.port), timeout=10) as wire:
        wire.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n")
        for number in range(60):
            wire.sendall(b"x-%d: %b\r\n" % (number, b"y" * 1000))
        wire.sendall(b"\r\n")

        assert b"".join(iter(lambda: wire.recv(65536), b"")).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("begun", [b"", b"GET /livez HTT", b"GET /livez HTTP/1.1\r\nhost: x\r\n"])
def test_a_head_that_does_not_come_is_not_waited_for(door: Door, monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    """408 when the time is up, whether nothing came or a part."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS_MAX", 0.2)
    with socket.create_connection(("127.0.0.1", door.port), timeout=10) as wire:
        wire.sendall(begun)

        is_error(b"".join(iter(lambda: wire.recv(65536), b"")), 408, "must arrive within")


def test_a_second_head_on_a_connection_has_its_own_time(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first request is answered; the half of a second one is not waited for."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS_MAX", 0.2)
    with socket.create_connection(("127.0.0.1", door.port), timeout=10) as wire:
        wire.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        assert wire.recv(65536).startswith(b"HTTP/1.1 200 ")
        wire.sendall(b"GET /livez HT")

        is_error(b"".join(iter(lambda: wire.recv(65536), b"")), 408, "must arrive within")


def test_a_slow_body_is_not_a_slow_head(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the head is there, its time does not count any more."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS_MAX", 0.05)
    caller.create()
    path = f"{VERSION}/functions/f/invocations"
    headers = caller.signed("POST", path, "", b"ab")
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection(("127.0.0.1", caller.door.port), timeout=10) as wire:
        wire.sendall(f"POST {path} HTTP/1.1\r\n{lines}content-length: 2\r\nconnection: close\r\n\r\na".encode())
        caller.door.http.get(caller.door.url + "/livez")
        wire.settimeout(0.3)
        with pytest.raises(TimeoutError):
            wire.recv(1)
        wire.settimeout(10)
        wire.sendall(b"b")

        assert b"".join(iter(lambda: wire.recv(65536), b"")).endswith(b"\r\n\r\nab")


def test_requests_in_a_row_are_answered_in_a_row(door: Door) -> None:
    """Pipelined on one connection."""
    one = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
    answer = door.raw(one * 3 + one.replace(b"host: x", b"host: x\r\nconnection: close"))

    assert answer.count(b"HTTP/1.1 200 ") == 4


def test_a_task_is_there_for_who_asks_behind_its_submit(caller: Caller) -> None:
    """Submits in a row are all accepted, each once, and a question behind them sees what they made."""
    caller.create()

    def asked(method: str, path: str, **headers: str) -> bytes:
        lines = caller.signed(method, f"{VERSION}{path}", "", b"", {k.replace("_", "-"): v for k, v in headers.items()})
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"{method} {VERSION}{path} HTTP/1.1\r\n{head}content-length: 0\r\n".encode()

    submits = [
        asked("POST", "/functions/f/invocations", x_fc_invocation_type="Async", x_fc_async_task_id=name)
        for name in ("t1", "t2", "t1", "t3")
    ]
    question = asked("GET", "/functions/f/async-tasks/t3")
    answer = caller.door.raw(b"\r\n".join([*submits, question]) + b"connection: close\r\n\r\n")
    statuses = [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]]

    assert statuses == [b"202", b"202", b"409", b"202", b"200"]
    assert orjson.loads(answer.rpartition(b"\r\n\r\n")[2])["taskId"] == "t3"


def test_a_connection_on_which_nothing_is_asked_ends(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a word, and not before its time."""
    monkeypatch.setattr(protocol, "IDLE_SECONDS_MAX", 0.3)
    with socket.create_connection(("127.0.0.1", door.port), timeout=10) as wire:
        for _ in range(3):
            wire.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
            assert wire.recv(65536).startswith(b"HTTP/1.1 200 ")

        assert wire.recv(65536) == b""


def test_an_old_client_is_answered_once(door: Door) -> None:
    """HTTP/1.0: the connection ends with the answer, and says so."""
    answer = door.raw(b"GET /livez HTTP/1.0\r\nconnection: keep-alive\r\n\r\n" * 2)

    assert answer.count(b"HTTP/1.1 200 ") == 1
    assert b"connection: close\r\n" in answer


def test_a_client_that_asks_before_it_sends_is_told_to_go_on(caller: Caller) -> None:
    """Expect: 100-continue comes after the signature is found right, and not for a stranger."""
    caller.create()
    path = f"{VERSION}/functions/f/invocations"
    headers = caller.signed("POST", path, "", b"ab")
    for signature_fits in (True, False):
        headers = caller.signed("POST", path, "", b"ab")
        if not signature_fits:
            headers["authorization"] += "0"
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        with socket.create_connection(("127.0.0.1", caller.door.port), timeout=10) as wire:
            wire.sendall(f"POST {path} HTTP/1.1\r\n{lines}content-length: 2\r\nexpect: 100-continue\r\n\r\n".encode())
            first = wire.recv(65536)

            assert first.startswith(b"HTTP/1.1 100 " if signature_fits else b"HTTP/1.1 403 ")


def test_an_old_client_is_not_told_to_go_on(caller: Caller) -> None:
    """HTTP/1.0 knows no such answer, and would take it for the one to its request."""
    caller.create()
    path = f"{VERSION}/functions/f/invocations"
    lines = "".join(f"{name}: {value}\r\n" for name, value in caller.signed("POST", path, "", b"ab").items())
    with socket.create_connection(("127.0.0.1", caller.door.port), timeout=10) as wire:
        wire.sendall(f"POST {path} HTTP/1.0\r\n{lines}content-length: 2\r\nexpect: 100-continue\r\n\r\n".encode())
        assert caller.door.http.get(f"{caller.door.url}/livez").status_code == 200  # the head was read meanwhile
        wire.sendall(b"ab")
        answer = b"".join(iter(lambda: wire.recv(65536), b""))

    assert answer.startswith(b"HTTP/1.1 200 ")
