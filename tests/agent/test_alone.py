"""The agent stands alone: every interpreter runs it with `-I -S` from an empty directory."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sojourn.agent import frames
from sojourn.agent.main import bootstrap
from sojourn.runtimes.python import PythonRuntime
from sojourn.sandboxes.start import AGENT_PACKAGE

MODULES = sorted(path.stem for path in AGENT_PACKAGE.glob("*.py") if path.stem != "__init__")
INTERPRETERS = PythonRuntime().interpreters()
_IMPORT = """
import json, sys
agent = type(sys)("agent"); agent.__path__ = [{package!r}]; sys.modules["agent"] = agent
for name in {modules!r}:
    __import__("agent." + name)
print(json.dumps([sorted({{name.partition(".")[0] for name in sys.modules}})]))
"""


@pytest.mark.parametrize("interpreter", INTERPRETERS, ids=lambda one: one.version)
def test_every_module_loads_with_the_standard_library_alone(interpreter: object, tmp_path: Path) -> None:
    """No module of the agent needs site-packages, the rest of Sojourn, or asyncio, on any interpreter found."""
    program = _IMPORT.format(package=str(AGENT_PACKAGE), modules=MODULES)
    answer = subprocess.run(
        [str(interpreter.executable), "-I", "-S", "-B", "-c", program],  # type: ignore[attr-defined]  # from a table
        cwd=tmp_path,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.stderr == ""
    (loaded,) = json.loads(answer.stdout)
    assert {"sojourn", "asyncio", "msgspec", "orjson", "site"}.isdisjoint(loaded)


def test_an_agent_says_hello_answers_pings_and_goes_with_its_channel(tmp_path: Path) -> None:
    """Started by hand from an empty directory it speaks first, answers, and ends when the other side is closed."""
    ours, theirs = socket.socketpair()
    facts = {
        "namespaces": False,
        "own_user": False,
        "code": str(tmp_path),
        "temporary": str(tmp_path),
        "channel_fd": theirs.fileno(),
    }
    command = [sys.executable, "-I", "-S", "-c", bootstrap(str(AGENT_PACKAGE)), "agent", json.dumps(facts)]
    with subprocess.Popen(command, cwd=tmp_path, env={}, pass_fds=[theirs.fileno()]) as process, ours:
        theirs.close()
        parser = frames.Parser()
        heard: list[tuple[int, int, int, bytes]] = []
        ours.sendall(frames.pack(frames.PING, 1, 0) + frames.pack(77, 2, 3, b"?") + frames.pack(frames.PING, 4, 0))
        while len(heard) < 3:
            heard += parser.feed(ours.recv(4096))
        ours.close()

        assert process.wait(timeout=30) == 0
    assert [(kind, request) for kind, request, *_ in heard] == [
        (frames.HELLO, 0),
        (frames.PONG, 1),
        (frames.PONG, 4),
    ]
    assert json.loads(heard[0][3])["pid"] == process.pid
