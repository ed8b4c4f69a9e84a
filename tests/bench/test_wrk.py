"""What wrk sends is what was signed, each request once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

import msgspec
import pytest
from bench.failure import NotMeasured
from bench.wrk import Ammunition, Drive

from bench import wrk
from debian import missing

pytestmark = pytest.mark.skipif(bool(missing("wrk")), reason=missing("wrk"))


class Heard(ThreadingHTTPServer):
    """A server that remembers what it was asked and answers `statuses` in turn."""

    daemon_threads = True

    def __init__(self, *statuses: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses = statuses
        self.asked: Counter[str] = Counter()
        self.bodies: set[bytes] = set()
        self.lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    """One request of it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Called by the library."""
        heard = self.server
        assert isinstance(heard, Heard)
        body = self.rfile.read(int(self.headers["content-length"]))
        with heard.lock:
            status = heard.statuses[heard.asked.total() % len(heard.statuses)]
            heard.asked[self.path] += 1
            heard.bodies.add(body)
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def server(*statuses: int) -> Iterator[tuple[Heard, Drive]]:
    """The server, and a load on it."""
    with Heard(*statuses) as heard:
        thread = threading.Thread(target=heard.serve_forever)
        thread.start()
        yield heard, Drive(host="127.0.0.1", port=heard.server_address[1], connections=4, seconds=1)
        heard.shutdown()
        thread.join()


def heads() -> Iterator[bytes]:
    """Numbered requests."""
    return (b"POST /%09d HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n" % number for number in count())


def test_every_request_is_sent_once(tmp_path: Path) -> None:
    """No nonce would be used twice, every head has its body, and the files are gone afterwards."""
    with server(202) as (heard, drive), Ammunition(tmp_path, heads(), b"body") as ammunition:
        seen = ammunition.fire(drive)

    assert seen.answers > 0
    assert set(heard.asked.values()) == {1}
    assert heard.bodies == {b"body"}
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_enough_requests_is_repeated_with_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that began again at the first request is not counted."""
    monkeypatch.setattr(wrk, "RATE_GUESS", 1.0)
    begun: list[None] = []
    with server(202) as (_, drive), Ammunition(tmp_path, heads(), b"body") as ammunition:
        seen = ammunition.fire(drive, lambda: begun.append(None))

    assert not seen.ran_out
    assert len(begun) > 1


def test_answers_are_counted_by_status(tmp_path: Path) -> None:
    """Accepted, throttled and refused ones are told apart when that is asked for."""
    with server(202, 429, 500) as (heard, drive), Ammunition(tmp_path, heads(), b"body") as ammunition:
        seen = ammunition.fire(msgspec.structs.replace(drive, counts=True))

    assert min(seen.accepted, seen.throttled, seen.refused) > 0
    assert seen.accepted + seen.throttled + seen.refused == seen.answers <= heard.asked.total()
    assert seen.accepted_p99_us_max <= seen.max_us


def test_errors_that_nobody_counts_end_the_measurement(tmp_path: Path) -> None:
    """A server that refuses is not fast."""
    with (
        server(500) as (_, drive),
        Ammunition(tmp_path, heads(), b"body") as ammunition,
        pytest.raises(NotMeasured, match="were errors"),
    ):
        ammunition.fire(drive)


def test_heads_of_two_sizes_are_refused(tmp_path: Path) -> None:
    """The script cuts the file into equal pieces."""
    uneven = (b"POST / HTTP/1.1\r\nn: %d\r\n\r\n" % number for number in count(9))
    with (
        server(202) as (_, drive),
        Ammunition(tmp_path, uneven, b"") as ammunition,
        pytest.raises(NotMeasured, match="bytes"),
    ):
        ammunition.fire(drive)
