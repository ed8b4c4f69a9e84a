"""Limits through a whole server: what a task's events tell, what /v1 tells, what a killed server leaves behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from end_to_end.functions import HANDLER, RUNTIME
from end_to_end.lives import rests
from live import LiveServer, archive, until
from sojourn.client import Status
from sojourn.sandboxes import groups

NOTES = {"durationMs", "maxMemoryUsageMB", "isColdStart"}
SOURCE = """
import os, time
def handler(event, context):
    if event == b"fail":
        raise ValueError("no")
    if event == b"crash":
        os._exit(3)
    if event == b"hang":
        time.sleep(600)
    return "done"
"""


def _directories(mark: str) -> list[Path]:
    """The control groups of a data directory, wherever on this machine its server was."""
    return [Path(path) for path, _, _ in os.walk("/sys/fs/cgroup") if Path(path).name == mark]


def test_every_attempt_tells_duration_memory_and_cold_start(server: LiveServer) -> None:
    """Success, error, crash and timeout alike; the first on an instance was a cold start, the next was not."""
    client = server.client()
    client.deploy("notes", archive(SOURCE), handler=HANDLER, runtime=RUNTIME, timeout=3, memory=128, retries=0)
    seen = []
    for event, status in (
        (b"", Status.SUCCEEDED),
        (b"fail", Status.FAILED),
        (b"crash", Status.FAILED),
        (b"hang", Status.FAILED),
    ):
        task = client.wait("notes", client.submit("notes", event).task_id, timeout=30)
        detail = task.events[-1].detail
        assert task.status is status
        assert detail.keys() >= NOTES, event
        assert float(str(detail["durationMs"])) > 0
        assert float(str(detail["maxMemoryUsageMB"])) > 0
        seen.append(detail["isColdStart"])
        rests(client, "notes")

    assert seen == [True, False, False, True]


def test_a_full_tmp_fails_the_task_with_the_error_of_the_system(server: LiveServer) -> None:
    """The document names the error and the file."""
    client = server.client()
    body = """
import os
def handler(event, context):
    path = os.environ["TMPDIR"] + "/fill"
    with open(path, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, 520 << 20)
"""
    client.deploy("full", archive(body), handler=HANDLER, runtime=RUNTIME, timeout=20, memory=1024, retries=0)
    answer = client.invoke("full")

    assert b'"errorType": "OSError"' in answer.result
    assert b"File too large" in answer.result or b"No space left on device" in answer.result


def test_what_holds_the_limits_is_told(server: LiveServer) -> None:
    """In the line of the start, in plain words."""
    assert "Limits: memory is held by " in server.ready_line


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives control groups to other users")
def test_a_killed_server_leaves_groups_and_the_next_one_removes_them() -> None:
    """SIGKILL leaves directories, a start takes them away, an orderly end leaves none."""
    if "memory" not in groups.probe().places:
        pytest.skip("no control groups here")
    with LiveServer(sandbox="bubblewrap") as server:
        mark = (server.data / "mark").read_text(encoding="utf-8").strip()
        client = server.client()
        client.deploy("here", archive(SOURCE), handler=HANDLER, runtime=RUNTIME)
        assert client.invoke("here").result == b"done"
        assert _directories(mark)
        server.kill()
        server.gone()
        assert _directories(mark)
        server.start()
        assert _directories(mark) == []
        assert server.client().invoke("here").result == b"done"
        assert _directories(mark)
        server.terminate()
        until(lambda: not _directories(mark), 10.0, "no groups are left")
