"""The benchmark itself: that every group runs to its end and says what it must, never how fast anything is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bench.figures import of_group
from bench.registry import GROUPS

from bench import processes
from debian import missing

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_WRK = {"latency", "idle", "life", "restart", "instances", "retention"}
LATER = "not available"
"""How the reason begins why a figure is not measured that the server does not offer."""


def bench(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m bench` with its data below `directory`."""
    return subprocess.run(
        [sys.executable, "-m", "bench", "--dir", str(directory), *arguments],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(400)
@pytest.mark.parametrize("group", GROUPS)
def test_a_quick_run_measures_every_row_and_leaves_nothing_behind(tmp_path: Path, group: str) -> None:
    """Every figure of the group has its value, or the server does not offer it yet, which the exit status tells."""
    if group not in WITHOUT_WRK and missing("wrk"):
        pytest.skip(missing("wrk"))
    latest = ROOT / "bench" / "results" / "latest.json"
    before = latest.read_bytes() if latest.exists() else None
    result = tmp_path / "result" / "quick.json"

    done = bench(tmp_path / "data", group, "--quick", "--sandbox", "process", "--json", str(result))

    document: dict[str, Any] = json.loads(result.read_text())
    rows = {row["key"]: row for row in document["rows"]}
    assert set(rows) == {figure.key for figure in of_group(group)}
    reasons = {key: row["missing"] for key, row in rows.items() if row["missing"]}
    wanted = [reason for reason in reasons.values() if not reason.startswith((LATER, "nginx is not installed"))]
    assert wanted == [], done.stdout + done.stderr
    assert done.returncode == (2 if reasons else 0), done.stderr
    assert all(len(row["runs"]) == 1 for key, row in rows.items() if key not in reasons)
    assert {"cpu", "cores", "memory_mb", "kernel", "python", "sqlite", "disk", "load_average"} <= set(
        document["machine"]
    )
    assert list((tmp_path / "data").iterdir()) == []
    assert (latest.read_bytes() if latest.exists() else None) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rounds", "0"], "argument --rounds: must be a whole number from 1 up, got '0'"),
        (["--store-tasks", "x"], "argument --store-tasks: must be a whole number from 1 up, got 'x'"),
        (["speed"], "'speed'"),
        (["latency", "--baseline", "nowhere.json"], "nowhere.json cannot be read"),
    ],
)
def test_a_setting_out_of_bounds_is_refused_by_name(tmp_path: Path, arguments: list[str], said: str) -> None:
    """The message names the setting, the value and the bound; nothing is measured."""
    done = bench(tmp_path / "data", *arguments)

    assert done.returncode == 2
    assert said in done.stderr
    assert "round" not in done.stdout


def test_a_run_that_is_told_to_end_leaves_nothing_behind(tmp_path: Path) -> None:
    """Servers, responders and directories go, and the exit status tells that nothing was measured."""
    data = tmp_path / "data"
    command = [sys.executable, "-m", "bench", "latency", "--quick", "--sandbox", "process", "--dir", str(data)]
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    assert any("round 1" in line for line in run.stdout)
    children = [pid for pid in processes.tree(run.pid) if pid != run.pid]
    assert children
    assert list(data.iterdir())

    run.terminate()

    run.communicate(timeout=90)
    assert run.returncode == 2
    left = processes.tree(1)
    assert not set(children) & set(left)
    assert list(data.iterdir()) == []
