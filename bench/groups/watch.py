"""Watching: how long after it happened an event is with a watcher, and what many watchers cost.

The many watch a function of their own that nothing happens to, as open pages do; what a watcher of the busy function
costs grows with what it is told, and is not a price of watching.
"""

from __future__ import annotations

import http.client
import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from typing import NamedTuple

import msgspec
from bench.failure import NotMeasured
from bench.group import Bench, Group, Round, Seen
from bench.row import percentile
from bench.served import ALONE, Served
from bench.sojourns import PAYLOAD
from bench.wire import Line

from bench import sojourns, wire

PATH = "/v1/watch"
EVENT_SECONDS_MAX = 20.0
HEAD_SECONDS_MAX = 20.0
LAST = "Succeeded"


class Event(msgspec.Struct):
    """What is read of an event."""

    status: str
    timestamp: datetime


class Heard(NamedTuple):
    """What a watcher heard, and when; or what is wrong with it."""

    at: float
    event: Event | None
    wrong: str = ""


@contextmanager
def watch(bench: Bench) -> Iterator[Round]:
    """One server for all rounds."""
    options = bench.options
    with Served(options.directory, options.sandbox, ALONE) as served:
        for name in ("echo", "quiet"):
            served.deploy(name, reserved=options.instances if name == "echo" else None)
        served.warm("echo", options.instances)
        yield lambda: _round(bench, served)


def _round(bench: Bench, served: Served) -> Seen:
    seen = Seen()
    refusal = _refusal(served)
    if refusal:
        seen.miss(refusal, "watch.event_p99", "watch.event", "watch.cost")
        return seen
    delays = _delays(served, bench.options.watched_tasks)
    seen.add("watch.event", percentile(delays, 50), "to the millisecond")
    seen.add("watch.event_p99", percentile(delays, 99), f"{len(delays)} events")
    alone = _rate(bench, served)
    with ExitStack() as stack:
        for _ in range(bench.options.watchers):
            stack.enter_context(closing(_watcher(served)))
        watched = _rate(bench, served)
    seen.add("watch.cost", max(100 * (1 - watched / alone), 0.0), f"{bench.options.watchers} watchers")
    return seen


def _refusal(served: Served) -> str:
    """Why there is nothing to watch; "" when there is."""
    with closing(
        http.client.HTTPConnection(served.target().host, served.target().port, timeout=HEAD_SECONDS_MAX)
    ) as it:
        it.request("GET", f"{PATH}?function=quiet", headers=_headers(served, "quiet"))
        status = it.getresponse().status
    return "" if status == 200 else f"not available: the server answers {status} to GET {PATH}"


def _headers(served: Served, function: str) -> dict[str, str]:
    return wire.signed(served.target(), "GET", f"{PATH}?function={function}", {"accept": "text/event-stream"}, b"")


def _delays(served: Served, count: int) -> list[float]:
    """Milliseconds from an event's stamp to its arrival, of all events of tasks that run one after the other."""
    events: queue.SimpleQueue[Heard] = queue.SimpleQueue()
    connection = http.client.HTTPConnection(served.target().host, served.target().port, timeout=EVENT_SECONDS_MAX)
    connection.connect()
    channel = connection.sock  # the answer takes it over when the server means to close it
    connection.request("GET", f"{PATH}?function=echo", headers=_headers(served, "echo"))
    stream = connection.getresponse()
    reader = threading.Thread(target=_read, args=(stream, events), daemon=True)
    reader.start()
    found, line = [], Line(served.target())
    try:
        for _ in range(count):
            line.exchange(wire.invocation(served.target(), "echo", PAYLOAD))
            status = ""
            while status != LAST:
                heard = events.get(timeout=EVENT_SECONDS_MAX)
                if heard.event is None:
                    raise NotMeasured(f"watching ended: {heard.wrong}")
                found.append(max(heard.at - heard.event.timestamp.timestamp(), 0.0) * 1000)
                status = heard.event.status
    except queue.Empty:
        raise NotMeasured(f"a watcher heard nothing of a task for {EVENT_SECONDS_MAX:g} s") from None
    finally:
        line.close()
        channel.shutdown(socket.SHUT_RDWR)
        reader.join()
        connection.close()
    return found


def _read(stream: http.client.HTTPResponse, events: queue.SimpleQueue[Heard]) -> None:
    """Put every event into `events`, with the time at which it came."""
    try:
        while line := stream.readline():
            if line.startswith(b"data:"):
                events.put(Heard(time.time(), msgspec.json.decode(line[5:], type=Event)))
    except (OSError, http.client.HTTPException, ValueError) as error:  # a line that is no event is a ValueError too
        events.put(Heard(time.time(), None, f"{type(error).__name__}: {error}"))


def _watcher(served: Served) -> socket.socket:
    """One more watcher, which has been answered."""
    target = served.target()
    watcher = socket.create_connection((target.host, target.port), timeout=HEAD_SECONDS_MAX)
    path = f"{PATH}?function=quiet"
    watcher.sendall(wire.request(target, "GET", path, {"accept": "text/event-stream"}, b""))
    head = watcher.recv(4096)
    if b" 200 " not in head[:20]:
        watcher.close()
        raise NotMeasured(f"a watcher was answered {head[:40]!r}")
    return watcher


def _rate(bench: Bench, served: Served) -> float:
    options = bench.options
    with sojourns.submits(served, options.directory) as ammunition:
        drive = sojourns.drive(served, options, max(options.load_seconds - 1, 1))
        return sojourns.measure(served, ammunition, drive).per_second


GROUP = Group("watch", watch, seconds_max=300)
