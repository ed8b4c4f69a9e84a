"""Crash points: where they stand, what one costs that is not wanted, and that a store that cheats is found out.

The faults are planted into real servers, which die for real; the whole of it is `python -m proof crash-points`.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from proof.crash import machine, workload
from proof.crash.cases import CONTAINERS, FRESH, GROUPS, NAMES, STARTS, TASKS, Case
from proof.crash.part import Trip, travel, trips
from proof.crash.stores import HOMES, installed, points_of

from live import COMMAND, ROOT
from sojourn import crashpoint
from sojourn.crashpoint import POINTS, STATUS
from sojourn.errors import InvalidArgument
from sojourn.sandboxes import groups

EARLY = """
import asyncio, time
from sojourn.stores.sqlite import writer
write, transact = writer.Writer.write, writer.Writer._transact
async def early(self, run, size_bytes=0, *, starts_a_task=False, **more):
    kept = asyncio.ensure_future(write(self, run, size_bytes, starts_a_task=starts_a_task, **more))
    return True if starts_a_task else await kept
def late(self, batch, run):
    if any(each.starts_a_task for each in batch):
        time.sleep(0.3)
    return transact(self, batch, run)
writer.Writer.write, writer.Writer._transact = early, late
"""
NAMED_FIRST = """
import hashlib, threading
from sojourn import code
put = code.CodeStore.put
def later(self, account_id, archive):
    threading.Timer(0.3, put, (self, account_id, archive)).start()
    digest = hashlib.sha256(archive).hexdigest()
    return code.Code(digest=digest, size=len(archive), checksum=code.checksum(archive))
code.CodeStore.put = later
"""
NOBODY_JUDGES = """
from sojourn import dispatcher
async def recover(self, orphans):
    pass
dispatcher.Dispatcher.recover = recover
"""
NOT_COLLECTED = """
from sojourn import code
code.CodeStore.collect = lambda *_: None
"""
OUTLIVES = """
import subprocess
from sojourn.sandboxes import process, records
start = process.start
async def leaving(spec, *arguments, **more):
    if not spec.mark.startswith("trial"):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.Popen(["sleep", "60"], env={records.VARIABLE: spec.mark}, start_new_session=True, **quiet)
    return await start(spec, *arguments, **more)
process.start = leaving
"""
PLANTED = {
    "acknowledged before the commit": (EARLY, Case("store.commit.before", 1, workload.BURST), "lost t"),
    "a function is named before its code": (NAMED_FIRST, Case("code.tree.synced", 1, workload.DEPLOY), "lost the code"),
    "nobody judges what was running": (NOBODY_JUDGES, Case("task.start.durable", 1, workload.BURST), "lost after"),
    "half a tree is not collected": (NOT_COLLECTED, Case("code.tree.written", 1, workload.DEPLOY), "illegal code that"),
    "a process outlives its server": (OUTLIVES, Case("task.settle.before", 1, workload.BURST), "orphan"),
    "a point that is not passed": ("", Case("timer.fire.over", 1, workload.CALL), "unvisited"),
}


def called() -> Counter[str]:
    """How often the source stands at each point, by the literal name that it gives."""
    found: Counter[str] = Counter()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and "crashpoint" in (
                getattr(node.func, "id", ""),
                getattr(node.func, "attr", ""),
            ):
                (name,) = node.args
                assert isinstance(name, ast.Constant), f"{path}:{node.lineno}: a point is named by a literal"
                found[str(name.value)] += 1
    return found


def test_the_table_and_the_source_know_the_same_points() -> None:
    """No point without a line that says what is true there, and no line without a point; at least 60 of them."""
    assert set(called()) == set(POINTS)
    assert len(POINTS) >= 60
    assert all(text and not text.endswith(".") for text in POINTS.values())
    assert len(set(POINTS.values())) == len(POINTS)


def test_a_point_that_is_not_wanted_does_nothing() -> None:
    """It is the empty function."""
    assert crashpoint.crashpoint is crashpoint._pass


def test_every_point_is_visited_on_every_store() -> None:
    """By some case; and each store that is installed has its way to make a database."""
    cases = {case.point for case in (*FRESH, *STARTS, *TASKS, *NAMES, *GROUPS, *CONTAINERS)}

    assert set(installed()) <= set(HOMES)
    assert cases == set(POINTS)
    for store in installed():
        assert {case.point for trip in trips(store) for case in trip.cases} == {
            point for point in points_of(store) if not machine.unmet(point)
        }


def test_a_point_dies_at_its_pass(tmp_path: Path) -> None:
    """At the n-th pass of this point and no other, and only those count at which the file is there."""
    died: list[int] = []
    crash = crashpoint.armed("store.commit.after:2", str(tmp_path / "now"), lambda: died.append(1))
    crash("store.commit.after")
    (tmp_path / "now").touch()
    for name in ("store.commit.after", "store.commit.before"):
        crash(name)
    assert died == []
    crash("store.commit.after")
    crash("store.commit.after")
    assert died == [1]


@pytest.mark.parametrize("wanted", ["nonsense:1", "store.commit.after", "store.commit.after:0", "store.commit.after:x"])
def test_a_point_that_is_not_there_is_refused(wanted: str) -> None:
    """With the variable, its value and what it must be."""
    with pytest.raises(InvalidArgument, match=f"SOJOURN_CRASH.*{wanted.partition(':')[0]}|{wanted}"):
        crashpoint.armed(wanted, "", lambda: None)


def test_a_server_says_where_it_dies(tmp_path: Path) -> None:
    """Exit status 137, and the name; a name that is not there ends the start with a message."""

    def serve(wanted: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.defpath, "SOJOURN_DATA_DIR": str(tmp_path / "data"), "SOJOURN_PORT": "0"}
        command = [sys.executable, "-c", COMMAND, "serve", "--sandbox", "process"]
        return subprocess.run(
            command, env={**environment, "SOJOURN_CRASH": wanted}, capture_output=True, text=True, check=False
        )

    died, refused = serve("store.start.counted:1"), serve("store.start.forgotten:1")
    assert (died.returncode, died.stdout) == (STATUS, "")
    assert "crash point store.start.counted:1" in died.stderr
    assert refused.returncode not in (0, STATUS)
    assert "SOJOURN_CRASH" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_deaths_are_made_good(tmp_path: Path) -> None:
    """A few of each kind: while tasks run, while code comes, on the way up."""
    cases = [
        Case("task.start.durable", 2, workload.BURST),
        Case("code.tree.named", 1, workload.DEPLOY),
        Case("server.recover.before", 2, leave=workload.leave_running),
        Case("delivery.sent", 1, workload.DELIVER),
    ]
    visited, wrong = travel(Trip("sqlite", "process", cases), tmp_path / "lane")

    assert wrong == []
    assert visited == cases


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(tmp_path: Path, fault: str) -> None:
    """The same judge, and it is not content."""
    prelude, case, finding = PLANTED[fault]
    _, wrong = travel(Trip("sqlite", "process", [case]), tmp_path / "lane", prelude=prelude, patience_seconds=4.0)

    assert any(text.startswith(finding) for text in wrong), wrong


def test_a_control_group_that_is_left_is_found(tmp_path: Path) -> None:
    """A start that does not remove what the death before left: the end of the lane tells it."""
    if why := machine.unmet("groups."):
        pytest.skip(why)
    prelude = "from sojourn.sandboxes import groups\ngroups.reap = lambda *_: None\n"
    case = Case("groups.made", 1, workload.STRANGER)
    visited, wrong = travel(Trip("sqlite", "bubblewrap", [case]), tmp_path / "lane", prelude=prelude)

    assert visited == [case]
    assert any(text.startswith("orphan control group ") for text in wrong), wrong
    for path in {Path(text.split()[3]) for text in wrong if text.startswith("orphan control group ")}:
        groups.remove([path])
