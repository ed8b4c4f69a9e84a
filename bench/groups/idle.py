"""A server with nothing to do: memory, CPU, and SQL statements, which are counted inside it by `counted`."""

from __future__ import annotations

import struct
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.group import Bench, Group, Round, Seen
from bench.load import ROOT
from bench.served import Served

from bench import processes

SETTLE_SECONDS = 2.0
NUMBER = struct.Struct("<Q")
COUNTED = ROOT / "bench" / "counted"


@contextmanager
def idle(bench: Bench) -> Iterator[Round]:
    """One server for all rounds, which has run one function once."""
    options = bench.options
    with tempfile.NamedTemporaryFile(prefix="bench-sql-", dir=options.directory) as file:
        file.write(bytes(NUMBER.size))
        file.flush()
        settings = {"PYTHONPATH": str(COUNTED), "BENCH_SQL_COUNT": file.name}
        with Served(options.directory, options.sandbox, settings) as served:
            served.deploy("echo")
            served.client.invoke("echo", b"")
            served.client.delete_function("echo")
            yield lambda: _round(bench, served, Path(file.name))


def _round(bench: Bench, served: Served, path: Path) -> Seen:
    seen = Seen()
    time.sleep(SETTLE_SECONDS)
    pids = processes.tree(served.pid)
    start, cpu, statements = time.perf_counter(), processes.cpu_seconds(pids), _statements(path)
    time.sleep(bench.options.idle_seconds)
    passed = time.perf_counter() - start
    seen.add("idle.cpu", 100 * (processes.cpu_seconds(pids) - cpu) / passed, "in steps of a clock tick")
    seen.add("idle.rss", processes.rss_mb(served.pid))
    seen.add("idle.pss", processes.pss_mb(pids), f"{len(pids)} processes")
    if statements:
        seen.add("idle.sql", (_statements(path) - statements) / passed)
    else:
        seen.miss("no statement was counted while the server started, so the counter does not work", "idle.sql")
    return seen


def _statements(path: Path) -> int:
    return int(NUMBER.unpack(path.read_bytes())[0])


GROUP = Group("idle", idle, seconds_max=180)
