"""The same short life as root, as whoever runs the tests, and as a user without any rights; under both isolations."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from debian import missing
from end_to_end.functions import HANDLER, RUNTIME, SLEEPER
from end_to_end.isolation import BRISK
from live import LiveServer, archive, until
from other_user import UID, interpreter
from sojourn.client import Status

WHO = """
import os, tempfile

def handler(event, context):
    tempfile.TemporaryFile().write(b"a place of its own")
    groups = os.getgroups()
    try:
        os.setuid(0)
        became_root = os.getuid() == 0
    except OSError:
        became_root = False
    return {"uid": os.getuid(), "gid": os.getgid(), "groups": groups, "root": became_root}
"""


@pytest.fixture(params=["ourselves", pytest.param("another", marks=pytest.mark.root)])
def live(request: pytest.FixtureRequest, sandbox: str) -> Iterator[LiveServer]:
    """A server run by ourselves (root, where the tests are) or by a user that owns nothing but its data directory."""
    if request.param == "ourselves":
        server = LiveServer(sandbox=sandbox, settings=BRISK)
    else:
        reason = ("" if os.getuid() == 0 else "only root can become another user") or missing("setpriv")
        if reason or not interpreter():
            pytest.skip(reason or f"no interpreter for {RUNTIME} that every user can run")
        server = LiveServer(sandbox=sandbox, uid=UID, python=request.getfixturevalue("other_python"), settings=BRISK)
    with server:
        yield server


def test_a_short_life(live: LiveServer) -> None:
    """Deploy, run, fail over a SIGKILL, stop, end: nothing is left, and no function ever was root."""
    owner = live.data.stat().st_uid
    assert Path(f"/proc/{live.pid}").stat().st_uid == owner
    client = live.client()
    client.deploy("who", archive(WHO), handler=HANDLER, runtime=RUNTIME)
    client.deploy("sleeper", archive(SLEEPER), handler=HANDLER, runtime=RUNTIME, timeout=600)

    task = client.wait("who", client.submit("who").task_id, timeout=30)
    assert task.status is Status.SUCCEEDED, task
    seen = json.loads(task.return_payload)
    assert (seen["uid"] != 0, seen["gid"] != 0, seen["root"]) == (True, True, False), seen
    assert 0 not in seen["groups"]

    sleeping = client.submit("sleeper", "600").task_id
    until(lambda: client.get_task("sleeper", sleeping).status is Status.RUNNING, 30, "running")
    owners = {Path(f"/proc/{pid}").stat().st_uid for pid in live.processes()}
    assert owners
    assert owner != 0 or live.sandbox != "process" or 0 not in owners, "root's process sandbox runs as root"
    live.kill()
    live.gone()
    live.start()
    client = live.client()
    until(lambda: len(client.get_task("sleeper", sleeping).events) == 5, 30, "running again")
    client.stop_task("sleeper", sleeping)
    task = client.wait("sleeper", sleeping, timeout=30)
    assert [event.status.value for event in task.events] == [
        "Enqueued",
        "Dequeued",
        "Running",
        "Retrying",
        "Running",
        "Stopping",
        "Stopped",
    ]
    assert task.events[-1].detail["processesLeft"] == 0
    assert live.terminate() == 0, live.log()
    assert live.processes() == []


def test_secrets_are_for_the_owner_only(live: LiveServer) -> None:
    """Data directory, key and database cannot be read by anybody else, and the key stands in no log."""
    for name in ("credentials.json", *(path.name for path in live.data.glob("*.db*"))):
        path = live.data / name
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, name
        assert path.stat().st_uid == live.data.stat().st_uid
    assert live.credentials["accessKeySecret"] not in live.log()
