from __future__ import annotations

import json
from pathlib import Path

import apsw

from cli.conftest import Run
from test_audit import keep


def test_a_sound_database(cli: Run, tmp_path: Path) -> None:
    """It is counted, and the exit code is 0."""
    keep(tmp_path)
    ran = cli("verify", "--data-dir", str(tmp_path))

    assert (ran.code, ran.err) == (0, "")
    assert ran.lines[1:] == ["Functions 1", "Tasks 2 (1 Enqueued, 1 Succeeded)", "Events 5", "Violations 0"]
    assert json.loads(cli("verify", "--data-dir", str(tmp_path), "-o", "json").out)["violations_count"] == 0


def test_an_unsound_database(cli: Run, tmp_path: Path) -> None:
    """Each violation is a line with its invariant and its task, and the exit code is 1."""
    keep(tmp_path)
    connection = apsw.Connection(str(tmp_path / "sojourn.db"))
    connection.execute("UPDATE task SET attempts = 3 WHERE id = 1")
    connection.close()
    ran = cli("verify", "--data-dir", str(tmp_path))

    assert ran.code == 1
    assert ran.lines[-1] == "Violations 2"
    assert ran.err.splitlines()[0].startswith("I8 task 1-00000000-00000001-")
    assert ran.err.splitlines()[0].endswith("3 attempts, 1 events Running")


def test_no_database(cli: Run, tmp_path: Path) -> None:
    """A directory without one is told, with what to do."""
    ran = cli("verify", "--data-dir", str(tmp_path))

    assert ran.code == 1
    assert "there is no database" in ran.err
