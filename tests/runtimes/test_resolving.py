"""Which runtime names are known, and what they get here."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sojourn import engine
from sojourn.errors import InvalidArgument
from sojourn.runtimes import custom, node
from sojourn.runtimes.compiled import CompiledRuntime
from sojourn.runtimes.container import ContainerRuntime
from sojourn.runtimes.custom import CustomRuntime
from sojourn.runtimes.node import NodeRuntime


def script(path: Path, text: str) -> Path:
    """An executable file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def says(path: Path, version: str) -> Path:
    """A program that answers like Node.js of `version`."""
    return script(path, f'echo \'["{version}", "{path}"]\'')


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with Node.js 18 and 20 in nvm's places, and things that are none."""
    old = says(tmp_path / "versions" / "v18.1.0" / "bin" / "node", "18.1.0")
    new = says(tmp_path / "versions" / "v20.9.0" / "bin" / "node", "20.9.0")
    wrong, silent = script(tmp_path / "wrong", "echo hello"), script(tmp_path / "silent", "exit 1")
    monkeypatch.setattr(node, "_candidates", lambda: iter([wrong, old, silent, new, tmp_path / "missing"]))
    return tmp_path


def test_node_is_asked_for_its_version(machine: Path) -> None:
    """Newest first, with the tree that it needs; what is no Node.js is left out."""
    found = NodeRuntime().interpreters()

    assert [one.version for one in found] == ["20.9.0", "18.1.0"]
    assert found[0].prefix == machine / "versions" / "v20.9.0"


@pytest.mark.parametrize(
    ("name", "version", "exact"),
    [
        ("nodejs20", "20.9.0", True),
        ("nodejs18", "18.1.0", True),
        ("nodejs", "20.9.0", True),
        ("nodejs14", "20.9.0", False),
    ],
)
@pytest.mark.usefixtures("machine")
def test_a_function_gets_its_major_version_or_the_newest(name: str, version: str, exact: bool) -> None:  # noqa: FBT001 - a row of the table
    """And is told when it is another one."""
    resolved = NodeRuntime().resolve(name)

    assert resolved is not None
    assert resolved.program is not None
    assert (resolved.kind, resolved.program.version, resolved.exact) == ("node", version, exact)
    assert bool(resolved.note) is not exact


def test_without_node_its_names_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason, before anything is created."""
    monkeypatch.setattr(node, "_candidates", lambda: iter([]))

    with pytest.raises(InvalidArgument, match="there is no node on this server's machine"):
        NodeRuntime().resolve("nodejs20")


def test_an_image_that_is_not_here_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """On that very Debian nothing has to be said."""
    monkeypatch.setattr(custom, "_system", lambda: "debian12")
    runtimes = CustomRuntime()
    exact = {
        name: (found := runtimes.resolve(name)) and found.exact
        for name in ("custom", "custom.debian12", "custom.debian10")
    }

    assert exact == {"custom": True, "custom.debian12": True, "custom.debian10": False}


@pytest.mark.parametrize("runtime", [NodeRuntime(), CustomRuntime(), CompiledRuntime(), ContainerRuntime()])
@pytest.mark.parametrize(
    "name", ["python3.12", "nodejsx", "node20", "custom.debian9", "customs", "go2", "", "custom\n"]
)
def test_names_of_other_families_are_left_to_others(runtime: NodeRuntime, name: str) -> None:
    """None, so that the next one is asked."""
    assert runtime.resolve(name) is None


def test_compiled_programs_are_polled_for() -> None:
    """go1 needs nothing on the machine."""
    resolved = CompiledRuntime().resolve("go1")

    assert resolved is not None
    assert (resolved.kind, resolved.exact) == ("poll", True)


def test_containers_are_refused_by_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine, half of one, or one that does not work: with the engine's own words."""
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    monkeypatch.setattr(engine, "found", engine._found.__wrapped__)
    with pytest.raises(InvalidArgument, match="needs podman, and it is not on this server's machine, got"):
        ContainerRuntime().resolve("custom-container")
    monkeypatch.setattr(shutil, "which", lambda name, **_: name if name == "runc" else None)
    with pytest.raises(InvalidArgument, match="machine, whose runc alone takes no images"):
        ContainerRuntime().resolve("custom-container")


def test_an_engine_that_runs_nothing_is_refused_in_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a trial said, and not that the file is there."""
    broken = script(tmp_path / "podman", "echo 'Error: no such luck' >&2; exit 125")
    monkeypatch.setattr(shutil, "which", lambda *_, **__: str(broken))
    monkeypatch.setattr(engine, "found", engine._found.__wrapped__)
    with pytest.raises(InvalidArgument, match="podman does not run a container here: Error: no such luck"):
        ContainerRuntime().resolve("custom-container")


def test_without_bounds_an_engine_is_better_than_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As podman without root on control groups of version 1."""
    said = 'case "$*" in *--memory*) echo "limits are not supported and ignored" >&2;; esac'
    monkeypatch.setattr(shutil, "which", lambda *_, **__: str(script(tmp_path / "podman", said)))
    found = engine._found.__wrapped__()

    assert (found.works, found.limits) == (True, False)
    assert engine.limits(found, 128, 1.0) == []
