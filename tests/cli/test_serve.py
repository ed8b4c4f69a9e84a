from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

import sojourn
from cli.conftest import Run
from sojourn.config import Settings
from sojourn.errors import DataDirectoryLocked


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings that a server was started with; it ends at once with code 7."""
    settings: list[Settings] = []
    server = ModuleType("sojourn.server")

    def serve(given: Settings) -> int:
        settings.append(given)
        return 7

    server.serve = serve  # type: ignore[attr-defined]  # a stand-in module
    monkeypatch.setitem(sys.modules, "sojourn.server", server)
    monkeypatch.setattr(sojourn, "server", server, raising=False)
    return settings


def test_flags_become_settings(cli: Run, served: list[Settings], tmp_path: Path) -> None:
    """Every flag reaches its setting, and the server's exit code is the command's."""
    ran = cli(
        *("serve", "--data-dir", str(tmp_path), "--listen", "[::1]:0", "--sandbox", "process", "--network", "none"),
        *("--network-others", "host", "--allow-unisolated", "--memory-mb", "256", "--log-level", "debug"),
    )
    (settings,) = served

    assert ran.code == 7
    assert settings.data_dir == tmp_path
    assert (settings.host, settings.port) == ("::1", 0)
    assert (settings.sandbox, settings.network, settings.network_others) == ("process", "none", "host")
    assert (settings.allow_unisolated, settings.memory_mb, settings.log_level) == (True, 256, "debug")


def test_the_environment_fills_in(
    cli: Run, served: list[Settings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A flag beats a variable beats the default."""
    monkeypatch.setenv("SOJOURN_PORT", "9100")
    monkeypatch.setenv("SOJOURN_LOG_LEVEL", "warning")
    monkeypatch.setenv("SOJOURN_ALLOW_UNISOLATED", "true")
    cli("serve", "--log-level", "error")
    (settings,) = served

    assert (settings.port, settings.log_level, settings.allow_unisolated) == (9100, "error", True)
    assert settings.data_dir == tmp_path / "data" / "sojourn"
    assert settings.network_others == "none"


@pytest.mark.parametrize(
    "words",
    [["--listen", "9000"], ["--listen", "127.0.0.1:70000"], ["--memory-mb", "1"], ["--sandbox", "x"], ["extra"]],
    ids=" ".join,
)
def test_bad_flags(cli: Run, served: list[Settings], words: list[str]) -> None:
    """A bad flag ends with 2 before a server is begun."""
    ran = cli("serve", *words)

    assert ran.code == 2
    assert ran.err.startswith("error: ")
    assert served == []


def test_a_server_that_cannot_start_says_why(cli: Run, served: list[Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    """An expected error is a sentence, not a traceback."""

    def locked(_: Settings) -> int:
        raise DataDirectoryLocked("here")

    monkeypatch.setattr(sys.modules["sojourn.server"], "serve", locked)
    ran = cli("serve")

    assert ran.code == 1
    assert "another server holds the data directory here" in ran.err
    assert served == []
