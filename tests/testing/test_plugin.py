"""The pytest plugin in a project of its own that has nothing but Sojourn and pytest."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from live import until
from sojourn.testing.local import LocalServer

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "testing.md").read_text("utf-8"), re.DOTALL)


def run_project(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a directory, with the plugins that the environment has installed and no settings of ours."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(project), "TMPDIR": str(project / "tmp")}
    (project / "tmp").mkdir(exist_ok=True)
    (project / "pytest.ini").write_text("[pytest]\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--basetemp",
        str(project / "base"),
        *words,
    ]
    return subprocess.run(command, cwd=project, env=environ, capture_output=True, text=True, check=False)


def test_the_examples_of_the_page_run(tmp_path: Path) -> None:
    """Every one of them, as it stands there; afterwards nothing is left."""
    assert EXAMPLES
    for number, example in enumerate(EXAMPLES):
        name = "conftest.py" if "def sojourn_settings" in example else f"test_example_{number}.py"
        (tmp_path / name).write_text(example)
    ran = run_project(tmp_path)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_fresh_project_needs_no_configuration(tmp_path: Path) -> None:
    """The fixtures are there, the server is one for the session, functions go with their test."""
    (tmp_path / "test_fresh.py").write_text(
        """
import pytest

SEEN = []


def test_first(sojourn_deploy, sojourn_client, sojourn_server):
    sojourn_deploy("up", source="def handler(event, context):\\n    return event.upper()\\n")
    assert sojourn_client.invoke("up", b"x").result == b"X"
    task = sojourn_client.wait("up", sojourn_client.submit("up", b"y").task_id)
    assert (task.succeeded, task.result) == (True, b"Y")
    SEEN.append(sojourn_server.endpoint)


def test_second(sojourn_client, sojourn_server):
    assert SEEN == [sojourn_server.endpoint]
    assert list(sojourn_client.iterate_functions()) == []


def test_template(sojourn_deploy, sojourn_client, tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "index.py").write_text("def handler(event, context):\\n    return 'from a file'\\n")
    (tmp_path / "s.yaml").write_text(
        "edition: 3.0.0\\nresources:\\n  a:\\n    component: fc3\\n    props:\\n      functionName: a\\n"
        "      runtime: python3.12\\n      handler: index.handler\\n      code: ./code\\n      role: x\\n"
    )
    (wanted,) = sojourn_deploy.template(tmp_path / "s.yaml", skip=["role"])
    assert sojourn_client.invoke(wanted.function).result == b"from a file"
    with pytest.raises(ValueError, match="one of them"):
        sojourn_deploy("b")
"""
    )
    ran = run_project(tmp_path)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "3 passed" in ran.stdout
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_project_without_sojourn_tests_does_not_load_it(tmp_path: Path) -> None:
    """The plugin costs such a run nothing but itself, and pytest is imported by it alone."""
    (tmp_path / "test_other.py").write_text(
        "import sys\n\ndef test_it():\n"
        "    assert sorted(m for m in sys.modules if m.startswith('sojourn')) == "
        "['sojourn', 'sojourn.testing', 'sojourn.testing.plugin']\n"
    )
    ran = run_project(tmp_path)
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, sojourn.testing.local; print('pytest' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.returncode == 0, ran.stdout
    assert loaded.stdout.strip() == "False"


def test_the_server_ends_with_its_starter() -> None:
    """Also when that is killed: its standard input has ended then."""
    code = (
        "import time; from sojourn.testing.local import LocalServer; server = LocalServer({'sandbox': 'process'}); "
        "server.start(); print(server._process.pid, server.directory, flush=True); time.sleep(600)"
    )
    starter = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    pid, directory = starter.stdout.readline().split()
    starter.kill()
    starter.wait()
    starter.stdout.close()
    until(lambda: not _runs(int(pid)), 20.0, "the server has ended")
    for path in sorted(Path(directory).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    Path(directory).rmdir()


def test_a_server_that_cannot_start_says_why() -> None:
    """And leaves nothing."""
    server = LocalServer({"port": 99999})
    with pytest.raises(RuntimeError, match="SOJOURN_PORT must be between 0 and 65535"):
        server.start()

    assert not server.directory.exists()
    server.close()


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
