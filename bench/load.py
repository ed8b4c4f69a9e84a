"""The load generator: many keep-alive connections, one request in flight on each, in a process of its own.

All requests are signed and serialised before the first one leaves, and of an answer only status and length are read, so
that what is measured is the server. The same generator drives Sojourn and the bare responder: only the port differs.

`run` starts it and gives back what it saw; `python -m bench.load` is that process: a `Plan` comes in on standard input,
a `Report` goes out on standard output.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import cast

import msgspec
import uvloop

from . import wire
from .wire import Target

ROOT = Path(__file__).resolve().parent.parent
RUN_SECONDS_MAX = 120.0
START_SECONDS_MAX = 60.0
"""For signing and connecting."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`requests` asynchronous invocations of `function` over `connections` connections."""

    target: Target
    function: str
    payload: bytes
    requests: int
    connections: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen: wall clock of the first request, seconds until the last answer, answers by status, latencies.

    Latencies are microseconds from a request's write to its answer, in the order in which answers came.
    """

    begun_at: float
    seconds: float
    statuses: dict[int, int]
    latencies_us: list[int]

    @property
    def accepted(self) -> int:
        """How many requests got a 202."""
        return self.statuses.get(202, 0)

    @property
    def accepted_per_second(self) -> float:
        """Accepted requests per second, first request to last answer."""
        return self.accepted / self.seconds


def run(plan: Plan) -> Report:
    """Run the generator in a process of its own and wait for it.

    Raises
    ------
    RuntimeError: it failed; the message is what it said.

    """
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        cwd=ROOT,
        input=msgspec.json.encode(plan),
        capture_output=True,
        timeout=START_SECONDS_MAX + RUN_SECONDS_MAX,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the load generator failed: {done.stderr.decode(errors='replace').strip()}")
    return msgspec.json.decode(done.stdout, type=Report, strict=False)


class Load:
    """One run: the requests still to send, and what has come back."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.requests = [wire.invocation(plan.target, plan.function, plan.payload) for _ in range(plan.requests)]
        self.expected = len(self.requests)
        self.statuses: Counter[int] = Counter()
        self.latencies_ns: list[int] = []
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def drive(self) -> Report:
        """Connect, send everything, wait for the last answer."""
        loop, to = asyncio.get_running_loop(), self.plan.target
        callers = [
            (await loop.create_connection(lambda: Caller(self), to.host, to.port))[1]
            for _ in range(self.plan.connections)
        ]
        begun_at, start = time.time(), time.perf_counter()
        for caller in callers:
            caller.send()
        async with asyncio.timeout(RUN_SECONDS_MAX):
            await self.over
        seconds = time.perf_counter() - start
        return Report(
            begun_at=begun_at,
            seconds=seconds,
            statuses=dict(self.statuses),
            latencies_us=[each // 1000 for each in self.latencies_ns],
        )

    def note(self, status: int, latency_ns: int) -> None:
        """An answer came."""
        self.statuses[status] += 1
        self.latencies_ns.append(latency_ns)
        if len(self.latencies_ns) == self.expected and not self.over.done():
            self.over.set_result(None)

    def fail(self, error: Exception) -> None:
        """Something happened after which the figures would mean nothing."""
        if not self.over.done():
            self.over.set_exception(error)


class Caller(asyncio.Protocol):
    """One connection of the load."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._transport: asyncio.WriteTransport | None = None
        self._received = b""
        self._sent_ns = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def send(self) -> None:
        """Send the next request, if there is one left."""
        if self._load.requests and self._transport is not None:
            request = self._load.requests.pop()
            self._sent_ns = time.perf_counter_ns()
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Called by the loop: bytes of the answer in flight."""
        self._received = data = self._received + data if self._received else data
        try:
            size = wire.answer_size(data)
        except wire.Unanswered as error:
            self._load.fail(error)
            return
        if size is None or len(data) < size:
            return
        self._load.note(int(data[9:12]), time.perf_counter_ns() - self._sent_ns)
        self._received = b""
        self.send()

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the loop."""
        self._load.fail(wire.Unanswered(f"the server closed a connection: {error or 'end of stream'}"))


async def _drive(plan: Plan) -> Report:
    return await Load(plan).drive()


def main() -> int:
    """Be the load generator's process."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        report = runner.run(_drive(plan))
    sys.stdout.buffer.write(msgspec.json.encode(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
