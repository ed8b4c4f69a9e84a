"""Which interpreter a function gets."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sojourn.runtimes import python
from sojourn.runtimes.python import PythonRuntime

OWN = f"{sys.version_info[0]}.{sys.version_info[1]}"


def test_the_servers_own_version_is_found_and_is_a_real_binary() -> None:
    """Its executable is no symbolic link and no virtual environment, and lies below its prefix."""
    found = PythonRuntime().resolve(f"python{OWN}")

    assert found is not None
    assert found.exact
    assert found.interpreter.version.startswith(OWN + ".")
    executable = found.interpreter.executable
    assert executable == executable.resolve()
    assert executable.is_relative_to(found.interpreter.prefix)
    assert not (found.interpreter.prefix / "pyvenv.cfg").exists()


def test_interpreters_are_newest_first_and_each_version_once() -> None:
    """The order is by version as numbers, without doubles, nothing before 3.8."""
    minors = [int(one.version.split(".")[1]) for one in PythonRuntime().interpreters()]

    assert minors == sorted(set(minors), reverse=True)
    assert min(minors) >= 8


def test_every_interpreter_found_is_what_its_runtime_gets() -> None:
    """`python3.N` gets version 3.N wherever there is one."""
    runtime = PythonRuntime()
    for interpreter in runtime.interpreters():
        found = runtime.resolve("python" + interpreter.version.rpartition(".")[0])

        assert found is not None
        assert (found.interpreter, found.exact, found.note) == (interpreter, True, "")


@pytest.mark.parametrize("name", ["python3.7", "python3.99", "python2.7"])
def test_a_version_that_is_not_there_is_said_plainly(name: str) -> None:
    """It gets the server's own interpreter, and the note names both."""
    found = PythonRuntime().resolve(name)

    assert found is not None
    assert not found.exact
    assert found.interpreter.version.startswith(OWN + ".")
    assert name in found.note
    assert found.interpreter.version in found.note


def test_python3_is_the_servers_own() -> None:
    """No version asked for is no version missed."""
    found = PythonRuntime().resolve("python3")

    assert found is not None
    assert (found.exact, found.note) == (True, "")
    assert found.interpreter.version.startswith(OWN + ".")


@pytest.mark.parametrize("name", ["nodejs20", "python", "python3.", "python3.10.1", "xpython3.10", "python3.10\n", ""])
def test_other_names_are_other_drivers_business(name: str) -> None:
    """What is not spelled like a Python runtime is not ours."""
    assert PythonRuntime().resolve(name) is None


def test_what_only_looks_like_an_interpreter_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that answers nonsense, one that fails, one too old and a file without the right to run are not taken."""
    answers = {
        "python3.20": "echo nonsense",
        "python3.21": "exit 3",
        "python3.22": """echo '[[3, 7, 1], "/x", "/bin/sh", "cpython"]'""",
        "python3.23": """echo '[[3, 23, 1], "/x", "/bin/sh", "pypy"]'""",
        "python3.24": """echo '[[3, 24, 1], "/x", "/bin/sh", "cpython"]'""",
    }
    for name, line in answers.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "python3.25").write_text("#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(python, "_ASK_SECONDS_MAX", 30.0)
    versions = [one.version for one in PythonRuntime().interpreters()]

    assert versions[0] == "3.24.1"
    assert not {"3.7.1", "3.23.1"} & set(versions)
