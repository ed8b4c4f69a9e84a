"""The same tests once more as an unprivileged user, where the server is what most servers are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from live_sandbox import ROOT

TESTS = Path(__file__).resolve().parent
FILES = (
    "test_calls.py",
    "test_stop.py",
    "test_hooks.py",
    "test_freeze.py",
    "test_hostile_stop.py",
    "test_reports.py",
    "test_concurrency.py",
    "test_confinement.py",
    "test_system_calls.py",
    "test_offline.py",
    "test_limits.py",
    "test_templates.py",
    "test_snapshots.py",
)
RUNTIMES = (
    "../runtimes/test_custom.py",
    "../runtimes/test_custom_start.py",
    "../runtimes/test_compiled.py",
    "../runtimes/test_node.py",
)
NOBODY, NOBODY_ELSE = 65534, 65533
"""Two, because both runs may be under way at once, and what one of them uses up (a test starts as many processes as a
user may have) would be missing in the other."""
ASKED = "import msgspec, pytest, sojourn.sandboxes.process, live_sandbox"


def _reachable_python(uid: int) -> str | None:
    """An interpreter that the other user can execute and that can load what this one loads."""
    for candidate in (sys.executable, shutil.which(f"python3.{sys.version_info[1]}", path="/usr/local/bin:/usr/bin")):
        if candidate and _as([candidate, "-c", ASKED], uid).returncode == 0:
            return candidate
    return None


def _as(command: list[str], uid: int) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(one for one in sys.path if one and Path(one).is_dir() and "lib-dynload" not in one)
    packages = [one for one in path.split(os.pathsep) if "site-packages" in one or (Path(one) / "sojourn").is_dir()]
    environment = {
        "PATH": os.defpath,
        "HOME": "/nonexistent",
        "PYTHONPATH": os.pathsep.join([*packages, str(TESTS.parent)]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    try:
        return subprocess.run(
            command,
            env=environment,
            cwd=TESTS.parent.parent,
            user=uid,
            group=uid,
            extra_groups=[],
            capture_output=True,
            text=True,
            check=False,
        )
    except PermissionError as error:
        return subprocess.CompletedProcess(command, 126, "", str(error))


@pytest.mark.root
@pytest.mark.skipif(not ROOT, reason="the other tests run as an unprivileged user already")
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("names", "uid"), [(FILES, NOBODY), (RUNTIMES, NOBODY_ELSE)], ids=["sandboxes", "runtimes"])
def test_everything_holds_without_root(names: tuple[str, ...], uid: int) -> None:
    """Both drivers start, call, stop, confine and reap when the server is not root."""
    python = _reachable_python(uid)
    if python is None:
        pytest.skip(f"no interpreter that user {uid} can execute has the tests' packages")
    files = [str(TESTS / name) for name in names]
    answer = _as([python, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-ra", "--timeout", "300", *files], uid)

    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert " passed" in answer.stdout
