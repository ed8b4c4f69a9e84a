"""`sojourn instance`."""

from __future__ import annotations

import json

from cli.conftest import Run
from client.fake_server import FakeServer

ONE = {
    "id": "c-1",
    "function": "f",
    "qualifier": "LATEST",
    "status": "Invoking",
    "since": "2026-11-24T01:51:00.500Z",
    "createdTime": "2026-11-24T01:50:00.000Z",
    "memorySize": 512,
    "concurrency": 1,
    "inFlight": [{"requestId": "1-2", "taskId": "mine"}],
    "invocations": 3,
    "aheadOfDemand": False,
    "coldStart": {"sandboxMs": 1.0, "runtimeMs": 2.5, "fork": 0.5},
    "memoryBytes": 12_000_000,
    "memoryPeakBytes": None,
    "cpuSeconds": 0.25,
    "processes": 1,
    "isolation": {"level": 2, "driver": "bubblewrap"},
    "node": "here",
}


def test_list(sojourn: Run, server: FakeServer) -> None:
    """One line each for people, all fields for programs."""
    server.instances.append(ONE)
    head, line = sojourn("instance", "list").lines

    assert head == "INSTANCE FUNCTION STATUS SINCE TASKS MEMORY PEAK CPU START NODE"
    assert line == "c-1 f Invoking 2026-11-24 01:51:00.500 mine 12 MB 0.25 s 3.5 ms here"
    assert json.loads(sojourn("instance", "list", "-o", "json").out) == [ONE]
    assert [json.loads(one) for one in sojourn("instance", "list", "-o", "jsonl").lines] == [ONE]


def test_list_of_one_function(sojourn: Run, server: FakeServer) -> None:
    """The server is asked for it."""
    assert sojourn("instance", "list", "--function", "f").code == 0

    assert server.requests[-1].query == {"function": "f"}
