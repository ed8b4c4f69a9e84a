"""The tutorial, typed as a reader types it: into real shells, and what comes back is what the page shows."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO, Self

import httpx
import msgspec
import pytest

from live import until

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
STEP = re.compile(r"`([\w./-]+)`:\n\n```python\n(.*?)^```$|^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LOOKS = ("sojourn task get ", "sojourn task list ", "sojourn task explain ", "sojourn function stats ")
PATIENCE_SECONDS = 60.0
INSTALLED = (ROOT / ".venv" / ".runtime").exists()


class Typed(msgspec.Struct, frozen=True):
    """A command, and the lines that the page shows below it."""

    command: str
    shown: tuple[str, ...]


class Written(msgspec.Struct, frozen=True):
    """A file that the reader writes."""

    path: str
    content: str


def steps() -> list[Typed | Written]:
    """What the page asks for, in its order."""
    found: list[Typed | Written] = []
    for path, content, block in STEP.findall(PAGE):
        if path:
            found.append(Written(path, content))
            continue
        commands = re.split(r"^\$ ", block, flags=re.MULTILINE)
        assert commands[0] == "", "output without a command"
        for each in commands[1:]:
            command, *shown = each.splitlines()
            found.append(Typed(command, tuple(shown)))
    return found


def pattern(shown: tuple[str, ...]) -> re.Pattern[str]:
    """What output agrees with the page: `…` is any text of a line, alone any lines; blanks that align count as one."""
    lines = ["(?:.*\n)*?" if line == "…" else " +".join(words(line.split())) + " *\n" for line in shown if line.strip()]
    return re.compile("".join(lines))


def words(line: list[str]) -> Iterator[str]:
    """Each word of a line as a pattern."""
    return (".*".join(re.escape(part) for part in word.split("…")) for word in line)


class Terminal:
    """A shell that is typed into; what its commands print, on either stream, is what is seen."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self._shell = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._seen: list[str] = []
        self._marks = itertools.count()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGINT, signal.SIGKILL):  # a server gets the time to end its sandboxes
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._shell.pid, number)
            with contextlib.suppress(BrokenPipeError):
                self._input.close()
            self._reader.join(PATIENCE_SECONDS)
        self._shell.wait()

    def begin(self, text: str) -> None:
        """Type and do not wait."""
        self._input.write(f"{text}\n")
        self._input.flush()

    def run(self, command: str) -> str:
        """Type a command; what it printed once it is over."""
        before, mark = len(self._seen), f"-- over {next(self._marks)} --"
        self.begin(f"{command}\necho '{mark}'")
        until(lambda: f"{mark}\n" in self._seen[before:], PATIENCE_SECONDS, f"over: {command}")
        return "".join(self._seen[before:]).partition(mark)[0]

    @property
    def seen(self) -> str:
        """Everything on its screen."""
        return "".join(self._seen)

    def end(self) -> None:
        """Ctrl-C and closing it; returns when everything that ran in it has gone."""
        os.killpg(self._shell.pid, signal.SIGINT)
        with contextlib.suppress(BrokenPipeError):
            self._input.close()
        self._reader.join(PATIENCE_SECONDS)
        assert not self._reader.is_alive()

    @property
    def _input(self) -> IO[str]:
        assert self._shell.stdin is not None
        return self._shell.stdin

    def _read(self) -> None:
        assert self._shell.stdout is not None
        with self._shell.stdout as lines:
            self._seen.extend(lines)


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    """A reader's: a home without anything, and no variable that leads to this machine's own things."""
    home = tmp_path / "home"
    home.mkdir()
    known = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    # A port of its own: the page's may be taken. And temporary directories where the test removes them.
    return MappingProxyType({**known, "HOME": str(home), "TMPDIR": str(tmp_path), "TZ": "UTC", "SOJOURN_PORT": "0"})


def agrees(terminal: Terminal, step: Typed) -> None:
    """Type a command and compare. Who looks too early looks again, as a reader would."""
    wanted, out = pattern(step.shown), ""

    def once() -> bool:
        nonlocal out
        out = terminal.run(step.command)
        return wanted.fullmatch("".join(f"{line}\n" for line in out.splitlines() if line.strip())) is not None

    try:
        until(once, PATIENCE_SECONDS if step.command.startswith(LOOKS) else 0, "as shown")
    except AssertionError:
        pytest.fail(f"$ {step.command}\n{out}\nis not\n" + "\n".join(step.shown))


def write(terminal: Terminal, step: Written) -> None:
    """Write a file where the terminal is."""
    end = "END OF FILE"
    assert (
        terminal.run(f"mkdir -p '{Path(step.path).parent}' && cat > '{step.path}' <<'{end}'\n{step.content}{end}") == ""
    )


@pytest.mark.skipif(not INSTALLED or shutil.which("make") is None, reason="needs make, and a .venv made by it")
def test_the_tutorial_works_as_printed(environment: Mapping[str, str]) -> None:
    """From the start of the server to its end, in two terminals; the token that is printed opens the console."""
    serve, *rest = steps()
    assert isinstance(serve, Typed)
    with Terminal(ROOT, environment) as first, Terminal(ROOT, environment) as second:
        first.begin(serve.command)
        until(lambda: pattern(serve.shown).match(first.seen) is not None, PATIENCE_SECONDS, "as shown")
        for step in rest:
            if isinstance(step, Written):
                write(second, step)
            else:
                agrees(second, step)
        (address,) = re.findall(r"^Console +(.+)$", second.seen, re.MULTILINE)
        (token,) = re.findall(r"sjt_\S+", second.seen)
        reply = httpx.post(f"{address}/session", json={"token": token}, trust_env=False)
        assert reply.status_code == httpx.codes.OK
        first.end()
        assert "Traceback" not in first.seen


def test_what_the_page_does_not_show_is_noticed() -> None:
    """The comparison is one: other words, lines too many or too few do not agree."""
    shown = pattern(("Task  …", "…", "Status  Failed", "…  Running  attempt=1"))

    assert shown.fullmatch("Task one\nx\ny\nStatus Failed\n1 2 Running attempt=1\n")
    assert shown.fullmatch("Task one\nStatus    Failed\n1 Running attempt=1\n")
    assert not shown.fullmatch("Task one\nStatus Succeeded\n1 Running attempt=1\n")
    assert not shown.fullmatch("Task one\nStatus Failed\n1 Running attempt=1\nmore\n")
    assert not shown.fullmatch("Task one\nStatus Failed\n")


def test_every_part_of_the_page_is_followed() -> None:
    """No block is passed over, and the page names what it was asked to show."""
    assert PAGE.count("```") == 2 * len(STEP.findall(PAGE))
    typed = "\n".join(step.command for step in steps() if isinstance(step, Typed))
    for each in ("serve", "deploy", "submit", "watch", "logs", "explain", "stop", "--filter", "rerun", "console"):
        assert each in typed
