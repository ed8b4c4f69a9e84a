"""A load of whole sojourns: tasks are submitted for a time, then all of them are awaited and counted.

What counts is tasks per second from the first request to the last task's end. By the server's own counters every task
that it accepted must have succeeded, otherwise nothing was measured.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from . import counters, processes, wire
from .failure import NotMeasured
from .options import Options
from .served import Served
from .wrk import Ammunition, Answers, Drive

BATCH = 100
PAYLOAD = (b"0123456789abcdef" * 19)[:300]
WARM_SECONDS = 1


class Sojourns(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one load. `seconds` run to the last task's end, `load_seconds` to the last request."""

    tasks: int
    seconds: float
    load_seconds: float
    answers: Answers
    cpu_us: float
    server_cpu_us: float

    @property
    def per_second(self) -> float:
        """Tasks from submit to Succeeded, per second."""
        return self.tasks / self.seconds

    @property
    def accepted_per_second(self) -> float:
        """Tasks that were accepted, per second."""
        return self.tasks / self.load_seconds


def measure(served: Served, ammunition: Ammunition, drive: Drive) -> Sojourns:
    """Drive the load and wait for its tasks.

    Raises
    ------
    NotMeasured: the load failed, or an accepted task did not succeed.

    """
    pids = processes.tree(served.pid)
    marks: list[tuple[counters.Counts, float, float]] = []

    def mark() -> None:
        marks.append((counters.drained(served), processes.cpu_seconds(pids), processes.cpu_seconds([served.pid])))

    answers = ammunition.fire(drive, before=mark)
    ended = time.perf_counter()
    before, cpu, server_cpu = marks[-1]
    counts = counters.drained(served)
    seconds = answers.seconds + time.perf_counter() - ended
    tasks = counts.submitted - before.submitted
    succeeded = counts.succeeded - before.succeeded
    if not tasks or succeeded != tasks:
        raise NotMeasured(f"{tasks} tasks were accepted and {succeeded} of them succeeded")
    return Sojourns(
        tasks=tasks,
        seconds=seconds,
        load_seconds=answers.seconds,
        answers=answers,
        cpu_us=1e6 * (processes.cpu_seconds(pids) - cpu) / tasks,
        server_cpu_us=1e6 * (processes.cpu_seconds([served.pid]) - server_cpu) / tasks,
    )


def drive(served: Served, options: Options, seconds: int) -> Drive:
    """A load on `served`."""
    target = served.target()
    return Drive(
        host=target.host,
        port=target.port,
        connections=options.connections,
        seconds=seconds,
        delay_ms=options.pause_ms,
    )


@contextmanager
def submits(served: Served, directory: Path, payload: bytes = PAYLOAD, *functions: str) -> Iterator[Ammunition]:
    """Submits of `functions` in turn (`echo` when none is named), one task each."""
    heads = wire.submits(served.target(), functions or ("echo",), payload)
    with Ammunition(directory, heads, payload) as ammunition:
        yield ammunition


@contextmanager
def batches(served: Served, directory: Path, payload: bytes = PAYLOAD, function: str = "echo") -> Iterator[Ammunition]:
    """Submits of 100 tasks in one request."""
    body = (msgspec.json.encode({"payload": payload.decode()}) + b"\n") * BATCH
    path = f"/v1/functions/{function}/tasks:batch"
    heads = wire.heads(served.target(), "POST", [path], {"content-type": "application/jsonlines"}, body)
    with Ammunition(directory, heads, body) as ammunition:
        yield ammunition


def batch_refusal(served: Served, function: str = "echo") -> str:
    """Why batches cannot be measured: what the server answers to one; "" when it takes it."""
    line = wire.Line(served.target())
    body = msgspec.json.encode({"payload": "one"}) + b"\n"
    path = f"/v1/functions/{function}/tasks:batch"
    answer = line.exchange(wire.request(served.target(), "POST", path, {"content-type": "application/jsonlines"}, body))
    line.close()
    if 200 <= answer.status < 300:
        return ""
    return f"not available: the server answers {answer.status} to POST {path}"
