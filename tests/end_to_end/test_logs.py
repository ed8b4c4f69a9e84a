"""Logs as users meet them: followed from a terminal, flooded, and at the end of a synchronous call."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.functions import ECHO, HANDLER, RUNTIME
from end_to_end.isolation import BRISK
from live import LiveServer, archive
from sojourn.client import Status

MEBIBYTE = 1024 * 1024
FLOOD_BYTES = 1024 * MEBIBYTE
RSS_GROWTH_BYTES_MAX = 64 * MEBIBYTE
COMMAND = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from sojourn.cli import main; sys.exit(main())"
)

WAITER = """
import socket

def handler(event, context):
    print("first")
    with socket.create_connection(("127.0.0.1", int(event))) as wire:
        wire.recv(1)
    print("second")
"""

FLOOD = """
import os

def handler(event, context):
    os.write(1, b"the beginning\\n")
    block = b"flood flood flood flood\\n" * 2730
    left = int(event)
    while left > 0:
        left -= os.write(1, block)
    os.write(1, b"the end\\n")
"""


@pytest.fixture
def gate() -> Iterator[socket.socket]:
    """A port that a function may wait at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        yield listener


def command(server: LiveServer, *words: str) -> subprocess.Popen[str]:
    """A `sojourn` command against a server, its output to be read."""
    known = server.credentials
    environment = {
        **os.environ,
        "SOJOURN_ENDPOINT": known["endpoint"],
        "SOJOURN_ACCESS_KEY_ID": known["accessKeyId"],
        "SOJOURN_ACCESS_KEY_SECRET": known["accessKeySecret"],
    }
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def deploy_waiter(server: LiveServer, gate: socket.socket, delay: int | None = None) -> str:
    """A task that waits at the gate."""
    client = server.client()
    client.deploy("waiter", archive(WAITER), handler=HANDLER, runtime=RUNTIME, timeout=60)
    return client.submit("waiter", str(gate.getsockname()[1]), delay=delay).task_id


def lines_to(process: subprocess.Popen[str], wanted: str) -> list[str]:
    """What a command prints, up to the line `wanted`."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if lines[-1] == wanted:
            return lines
    raise AssertionError(f"no line {wanted!r} in {lines}")


def test_a_terminal_follows_a_task(server: LiveServer, gate: socket.socket) -> None:
    """From before its start; the first line is there while the second is not allowed yet."""
    task_id = deploy_waiter(server, gate, delay=1)
    with command(server, "task", "logs", "-f", "waiter", task_id) as process:
        assert "second" not in lines_to(process, "first")
        wire, _ = gate.accept()
        with wire:
            assert server.client().get_task("waiter", task_id).status is Status.RUNNING
            wire.send(b"x")
        lines_to(process, "second")
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
        assert "first" not in out
    assert server.client().wait("waiter", task_id, timeout=60).succeeded


def test_an_interrupt_ends_a_terminal_that_follows(server: LiveServer, gate: socket.socket) -> None:
    """Without a traceback, and the task goes on."""
    task_id = deploy_waiter(server, gate)
    with command(server, "task", "logs", "-f", "waiter", task_id) as process:
        lines_to(process, "first")
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert process.stderr.read() == "interrupted\n"
        assert process.wait(60) == 130
    wire, _ = gate.accept()
    with wire:
        wire.send(b"x")
    assert server.client().wait("waiter", task_id, timeout=60).succeeded


def test_a_drain_ends_whoever_follows(sandbox: str, gate: socket.socket) -> None:
    """They are told that the task is not over, and the server goes without waiting for them."""
    with LiveServer(sandbox=sandbox, settings=BRISK) as server:
        stream = server.client().logs("waiter", deploy_waiter(server, gate), follow=True)
        assert "first\n" in next(stream)
        server.signal(signal.SIGTERM)
        assert "".join(stream).endswith("... the server is going down, the task is not over ...\n")
        assert server.wait() == 0, server.log()


def resident_bytes(pid: int) -> int:
    """The memory of a process; 0 when it is gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("VmRSS:")), 0)


def test_a_flood_costs_its_author_and_nobody_else(server: LiveServer) -> None:
    """1 GiB of output, followed by one who does not read: bounded memory, bounded log, other tasks as ever."""
    client = server.client()
    client.deploy("echo", archive(ECHO), handler=HANDLER, runtime=RUNTIME, memory=128)
    client.deploy("flood", archive(FLOOD), handler=HANDLER, runtime=RUNTIME, memory=128, timeout=100, retries=0)
    assert client.wait("flood", client.submit("flood", "1000").task_id, timeout=60).succeeded
    assert client.invoke("echo", "warm").succeeded
    before = {pid: resident_bytes(pid) for pid in (server.pid, *server.processes())}

    task_id = client.submit("flood", str(FLOOD_BYTES)).task_id
    reader = server.client().logs("flood", task_id, follow=True)
    begun = next(reader)
    grown = 0
    others = 0
    while not client.get_task("flood", task_id).over:
        waits = [("echo", client.submit("echo", f"{number}").task_id) for number in range(10)]
        assert all(task.succeeded for task in client.wait_all(waits, timeout=60))
        others += len(waits)
        grown = max(grown, *(resident_bytes(pid) - was for pid, was in before.items()))

    task = client.get_task("flood", task_id)
    assert task.succeeded, task
    assert others
    assert grown < RSS_GROWTH_BYTES_MAX
    (log,) = client.logs("flood", task_id)
    assert "the beginning\nflood" in log.text
    assert f"\n... {log.dropped} bytes dropped ...\n" in log.text
    assert "flood\nthe end\n" in log.text
    assert len(log.text) + log.dropped > FLOOD_BYTES
    assert len(log.text) < 70_000
    followed = begun + "".join(reader)
    assert "bytes dropped" in followed
    assert "the end\n" in followed


def test_a_synchronous_call_gives_the_end_of_its_log_when_asked(server: LiveServer) -> None:
    """In its section; our client always asks."""
    client = server.client()
    client.deploy("flood", archive(FLOOD), handler=HANDLER, runtime=RUNTIME, memory=128, timeout=100)
    answer = client.invoke("flood", "10000")
    assert answer.succeeded
    assert answer.log.endswith(f"the end\nFC Invoke End RequestId: {answer.request_id}\n")
    assert len(answer.log) == 4096
