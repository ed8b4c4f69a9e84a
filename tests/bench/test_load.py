"""What the benchmark sends, and that it stops when figures would mean nothing."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest
from bench.failure import NotMeasured
from bench.load import Plan
from bench.served import Served
from bench.wire import Target

from bench import load, responders, wire, yardsticks
from sojourn import signature


@contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[Target]:
    """A server that treats one connection as `answer` does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        host, port = listener.getsockname()
        yield Target(host, port, "key", "secret")
        thread.join()


def plan(target: Target, requests: int = 1) -> Plan:
    """One connection's worth of load."""
    return Plan(target=target, function="echo", payload=b"event", requests=requests, connections=1)


@pytest.mark.parametrize(
    "request_",
    [
        wire.invocation(Target("127.0.0.1", 9000, "key", "secret"), "echo", b"event", task_id="one"),
        wire.task_lookup(Target("127.0.0.1", 9000, "key", "secret"), "echo", "one"),
        wire.request(Target("127.0.0.1", 9000, "key", "secret"), "GET", "/tasks?limit=50&status=Failed", {}, b""),
        next(wire.submits(Target("127.0.0.1", 9000, "key", "secret"), ["echo"], b"event")) + b"event",
    ],
    ids=["submit", "lookup", "query", "head"],
)
def test_requests_are_signed_as_the_server_wants_them(request_: bytes) -> None:
    """The bytes prepared in advance carry a signature that verifies, over the path and headers as they are sent."""
    head, _, body = request_.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    method, whole, _ = first.split(b" ")
    path, _, query = whole.partition(b"?")
    headers = dict(line.split(b": ", 1) for line in lines)

    credential = signature.parse_authorization(headers)
    signature.verify(credential, "secret", headers, method=method, raw_path=path, query=query)
    assert int(headers[b"content-length"]) == len(body)


def test_no_two_requests_share_a_nonce() -> None:
    """The server refuses a nonce that it has seen, so every request needs its own."""
    target = Target("127.0.0.1", 9000, "key", "secret")

    assert len({wire.invocation(target, "echo", b"") for _ in range(100)}) == 100


def test_heads_have_one_size_and_go_round() -> None:
    """What wrk reads from a file in equal pieces: each function in turn, each head with a nonce of its own."""
    target = Target("127.0.0.1", 9000, "key", "secret")

    heads = list(islice(wire.submits(target, ["one", "two"], b"event"), 50))

    assert len(set(heads)) == 50
    assert {len(head) for head in heads} == {len(heads[0])}
    assert [b"/one/" in head for head in heads] == [True, False] * 25


def test_the_load_counts_what_the_responder_answers() -> None:
    """More requests than connections: each is sent once and answered 202."""
    with responders.responder() as running:
        report = load.run(plan(Target(running.host, running.port, "key", "secret"), requests=50))

    assert report.statuses == {202: 50}
    assert report.accepted == len(report.latencies_us) == 50


def test_a_lost_connection_ends_the_load() -> None:
    """A server that hangs up makes the run fail; it does not make it wait."""
    with server(lambda connection: connection.close()) as target, pytest.raises(RuntimeError, match="closed"):
        load.run(plan(target))


def test_an_answer_in_pieces_is_one_answer() -> None:
    """Head and body may arrive apart."""

    def answer(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        for piece in (b"HTTP/1.1 200 OK\r\nContent-", b"Length: 4\r\nx-a: b\r\n\r\n", b"do", b"ne"):
            connection.sendall(piece)

    with server(answer) as target:
        line = wire.Line(target)
        found = line.exchange(b"GET / HTTP/1.1\r\n\r\n")
        line.close()

    assert (found.status, found.body, found.headers[b"x-a"]) == (200, b"done", b"b")


def test_a_server_that_does_not_start_is_told_with_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be measured ends with the reason, and leaves nothing behind."""
    launcher = tmp_path / "bin" / "sojourn"
    launcher.parent.mkdir()
    launcher.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('the disk is full')\n")
    launcher.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(launcher.with_name("python")))
    (tmp_path / "data").mkdir()

    with pytest.raises(NotMeasured, match="the disk is full"), Served(tmp_path / "data", "process"):
        pass
    assert list((tmp_path / "data").iterdir()) == []


def test_memory_is_told_from_a_disk() -> None:
    """The file system of a directory is that of its nearest mount."""
    assert yardsticks.file_system(Path("/proc/self")) == "proc"
    assert yardsticks.file_system(Path("/")) not in ("", "proc")
