"""The benchmark itself: that it runs to its end and says what it must, never how fast anything is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLOORS = {
    "full sojourns / bare responder",
    "one connection: submit → Succeeded p50",
    "new instance, running sandbox p50",
    "idle CPU, server and children",
    "idle RSS, server process",
    "thaw: first call of a frozen one − a warm call p50",
    "memory of an idle Python instance (PSS)",
    "stop → PreStop called p99",
    "stop → Stopped beyond the hook's time p99",
    "1 → 3 instances, all running",
    "delay by the others' line",
}
MAY_BE_NONE = {
    "idle CPU, server and children",
    "thaw: first call of a frozen one − a warm call p50",
    "delay by the others' line",
}
"""Figures that are differences, or too small to be seen in a smoke run."""


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


def test_a_quick_run_measures_every_row_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """Table and document hold the same rows, each with its runs; every floor of the issue is judged."""
    latest = ROOT / "bench" / "results" / "latest.json"
    before = latest.read_bytes() if latest.exists() else None
    result = tmp_path / "result" / "quick.json"

    done = bench(tmp_path / "data", "--quick", "--no-floors", "--sandbox", "process", "--json", str(result))

    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(result.read_text())
    rows = {row["name"]: row for row in document["rows"]}
    assert {"cpu", "cores", "kernel", "python", "sqlite", "disk"} <= document["machine"].keys()
    assert "level 0" in document["isolation"]
    assert {name for name, row in rows.items() if row["kept"] is not None} == FLOORS
    for name, row in rows.items():
        assert name in done.stdout
        assert len(row["runs"]) == document["options"]["rounds"] == 1
        assert row["median"] == row["runs"][0]
    assert all(rows[name]["median"] > 0 for name in FLOORS - MAY_BE_NONE)
    assert rows["full sojourns, single POSTs"]["median"] > 0
    assert list((tmp_path / "data").iterdir()) == []
    assert (latest.read_bytes() if latest.exists() else None) == before


@pytest.mark.parametrize(
    ("flag", "text", "bound"),
    [("--tasks", "0", "from 1 up"), ("--rounds", "x", "from 1 up"), ("--idle-seconds", "nan", "above 0")],
)
def test_a_setting_out_of_bounds_is_refused_by_name(tmp_path: Path, flag: str, text: str, bound: str) -> None:
    """The message names the flag, the value and the bound; nothing is measured."""
    done = bench(tmp_path, flag, text)

    assert done.returncode == 2
    assert f"argument {flag}: must be" in done.stderr
    assert bound in done.stderr
    assert repr(text) in done.stderr
