"""`sojourn dev` as a process of its own: it serves, follows the files, tells what happens, and leaves nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from live import COMMAND, until
from sojourn.client import Client, Status, from_environment
from sojourn.development import _matters

SECONDS_MAX = 30.0
HERE = f"python{sys.version_info.major}.{sys.version_info.minor}"
SOURCE = """
def handler(event, context):
    print("heard", event.decode())
    print("half a line", end="")
    if event == b"bad":
        raise ValueError("no")
    return "first"
"""


class Dev:
    """The command at work; `said` is what it has printed."""

    def __init__(self, directory: Path, temporary: Path, *words: str) -> None:
        temporary.mkdir()
        self.temporary, self.said = temporary, ""
        home = temporary.parent / "home"
        environ = {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(temporary), "SOJOURN_PORT": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "dev", str(directory), "--sandbox", "process", *words],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def hears(self, pattern: str, count: int = 1) -> str:
        """Wait until it has said something `count` times."""
        found: list[str] = []

        def there() -> bool:
            found[:] = re.findall(pattern, self.said)
            return len(found) >= count or self.process.poll() is not None

        until(there, SECONDS_MAX, f"said {pattern}: {self.said}")
        assert len(found) >= count, self.said
        return found[-1]

    def client(self) -> Client:
        """A client by the way it has told."""
        directory = self.hears(r"export SOJOURN_DATA_DIR=(\S+)")
        return Client(from_environment({"SOJOURN_DATA_DIR": directory}))

    def end(self) -> int:
        """Interrupt it, as Ctrl-C does, and give its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        status = self.process.wait(SECONDS_MAX)
        self._listener.join(SECONDS_MAX)
        return status

    def _listen(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.said += line


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A function's directory."""
    directory = tmp_path / "greeter"
    directory.mkdir()
    (directory / "index.py").write_text(SOURCE)
    return directory


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Callable[..., Dev]]:
    """Starts the command; ended after the test, and nothing of it may be left."""
    begun: list[Dev] = []

    def start(directory: Path, *words: str) -> Dev:
        begun.append(Dev(directory, tmp_path / f"tmp{len(begun)}", *words))
        return begun[-1]

    yield start
    for each in begun:
        each.end()


def left(temporary: Path) -> list[str]:
    """Files below the directory of temporary files, and processes that know of it."""
    processes = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environ = (entry / "environ").read_bytes()
            except OSError:
                continue
            if str(temporary).encode() in environ:
                processes.append(f"process {entry.name}")
    return [str(path) for path in temporary.iterdir()] + processes


def test_it_serves_and_follows_changes_and_leaves_nothing(code: Path, dev: Callable[..., Dev]) -> None:
    """From the first call over a change to Ctrl-C."""
    running = dev(code)
    with running.client() as client:
        assert client.invoke("greeter", b"one").result == b"first"
        running.hears(r"greeter │ heard one")
        running.hears(r"greeter │ half a line\n")
        running.hears(r"greeter │ answered 5 bytes in \d")

        (code / "index.py").write_text(SOURCE.replace("first", "second"))
        running.hears(r"greeter │ deployed again \(code\)")
        assert client.invoke("greeter", b"two").result == b"second"

        client.submit("greeter", b"bad")
        running.hears(r"greeter │ failed after .* ms: ValueError: no")

    assert running.end() == 0, running.said
    assert left(running.temporary) == []


def test_s_yaml_is_honoured(code: Path, dev: Callable[..., Dev], tmp_path: Path) -> None:
    """Several functions, code beside the directory, a change of the file; a mistake is told and the old stays."""
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "main.py").write_text("def run(event, context):\n    return 'other'\n")
    text = f"""\
edition: 3.0.0
resources:
  greeter:
    component: fc3
    props: {{functionName: greeter, runtime: {HERE}, handler: index.handler, code: ., timeout: 5}}
  other:
    component: fc3
    props: {{functionName: other, runtime: {HERE}, handler: main.run, code: ../elsewhere}}
"""
    (code / "s.yaml").write_text(text)
    running = dev(code)
    with running.client() as client:
        assert client.invoke("other").result == b"other"
        assert client.get_function("greeter").timeout == 5

        (other / "main.py").write_text("def run(event, context):\n    return 'changed'\n")
        running.hears(r"other │ deployed again \(code\)")
        assert client.invoke("other").result == b"changed"

        (code / "s.yaml").write_text(text.replace("timeout: 5", "timeout: 0"))
        running.hears(r"not deployed │ \S*s.yaml:5: \S+timeout must be a whole number between 1 and 86400")
        assert client.get_function("greeter").timeout == 5

        (code / "s.yaml").write_text(text.replace("timeout: 5", "timeout: 7"))
        running.hears(r"greeter │ deployed again \((?=.*timeout)")
        assert client.get_function("greeter").timeout == 7


def test_addresses_are_told(code: Path, dev: Callable[..., Dev], tmp_path: Path) -> None:
    """At the start, also on data where it is deployed already, and when one is opened; one that is closed is not."""
    text = f"""\
edition: 3.0.0
resources:
  greeter:
    component: fc3
    props:
      functionName: greeter
      runtime: {HERE}
      handler: index.handler
      code: .
      triggers:
        - {{triggerName: web, triggerType: http, triggerConfig: {{authType: anonymous}}}}
        - {{triggerName: tick, triggerType: timer, triggerConfig: {{cronExpression: '@every 9h'}}}}
"""
    (code / "s.yaml").write_text(text)
    running = dev(code, "--data-dir", str(tmp_path / "data"))
    url = running.hears(r"greeter │ reached at (http://127\.0\.0\.1:\d+/http/\d+/greeter/)\n")
    running.hears("Files are watched")
    assert httpx.get(url, trust_env=False, timeout=SECONDS_MAX).content == b"first"
    assert running.end() == 0, running.said

    running = dev(code, "--data-dir", str(tmp_path / "data"))
    running.hears("Files are watched")
    assert running.said.count("reached at") == 1
    (code / "s.yaml").write_text(text.replace("authType: anonymous", "authType: anonymous, disableURLInternet: true"))
    running.hears(r"greeter │ deployed again \(.*triggers.web.triggerConfig.disableURLInternet\)")
    (code / "s.yaml").write_text(text.replace("anonymous", "function"))
    running.hears(r"greeter │ reached at", 2)


def test_time_can_run_faster(code: Path, dev: Callable[..., Dev]) -> None:
    """The ready line tells it, and an hour's delay does not take one."""
    running = dev(code, "--time-scale", "600")
    with running.client() as client:
        running.hears(r"ready on \S+ · time runs 600 times as fast")
        task = client.wait("greeter", client.submit("greeter", delay=3600).task_id, timeout=SECONDS_MAX)

        assert task.status is Status.SUCCEEDED


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--name", "a b"), "'a b' cannot be a function's name"),
        (("--env", "A"), "--env must be NAME=VALUE"),
        (("--time-scale", "0"), "SOJOURN_TIME_SCALE must be between 1 and 1000"),
        (("--listen", "nowhere"), "must be HOST:PORT"),
        (("--memory", "1"), "memorySize must be a whole number between 128 and 32768 MB"),
    ],
)
def test_wrong_words_end_it(code: Path, dev: Callable[..., Dev], words: tuple[str, ...], said: str) -> None:
    """A sentence, exit code 2, and nothing is left."""
    running = dev(code, *words)

    assert running.process.wait(SECONDS_MAX) == 2
    running.end()
    assert said in running.said
    assert "Traceback" not in running.said
    assert left(running.temporary) == []


def test_a_directory_without_a_function_is_told(tmp_path: Path, dev: Callable[..., Dev]) -> None:
    """And so are flags beside a file that says the same."""
    empty = tmp_path / "empty"
    empty.mkdir()
    running = dev(empty)
    assert running.process.wait(SECONDS_MAX) == 2
    running.end()
    assert "has neither s.yaml nor index.py" in running.said

    (empty / "s.yaml").write_text("edition: 3.0.0\n")
    running = dev(empty, "--handler", "index.handler")
    assert running.process.wait(SECONDS_MAX) == 2
    running.end()
    assert "s.yaml says what --handler would" in running.said


def test_only_changes_of_code_matter() -> None:
    """What an archive leaves out does not count, wherever the directory itself lies."""
    places: Any = {Path("/x/.venv/code")}

    assert _matters(Path("/x/.venv/code/index.py"), places)
    for name in ("__pycache__/a.pyc", ".git/index", ".venv/x.py", "index.py~", ".index.py.swp"):
        assert not _matters(Path("/x/.venv/code") / name, places)
