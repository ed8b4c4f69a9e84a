from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.conftest import PROGRAM, Run
from client.fake_server import FakeServer, Reply, error
from sojourn import __version__

COMMANDS = [
    ["serve"],
    ["version"],
    ["openapi"],
    *[["function", verb] for verb in ("deploy", "list", "get", "delete")],
    *[["task", verb] for verb in ("submit", "get", "list", "stop", "logs")],
    *[["account", verb] for verb in ("create", "list")],
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_helps_with_an_example(cli: Run, words: list[str]) -> None:
    """Help ends well, needs no server, and shows the command as one would type it."""
    ran = cli(*words, "--help")

    assert ran.code == 0
    assert f"For example: sojourn {' '.join(words)}" in " ".join(ran.out.split())


def test_help_names_every_command(cli: Run) -> None:
    """The first page shows the nouns, the exit codes and how to begin; no words mean help."""
    ran = cli("--help")

    for word in ("serve", "function", "task", "account", "version", "124", "SOJOURN_ENDPOINT", "sojourn task submit"):
        assert word in ran.out
    assert cli().out == ran.out


def test_help_loads_neither_the_client_nor_the_server() -> None:
    """What makes a start slow is loaded by the commands that need it."""
    code = (
        "import sys; from sojourn.cli import main; main(['--help']); "
        "sys.exit(bool({'httpx', 'asyncio', 'uvicorn', 'apsw', 'sojourn.server', 'sojourn.client'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0


def test_the_version_of_this_command(cli: Run) -> None:
    """`--version` needs no server."""
    assert cli("--version").out.strip() == __version__


def test_the_version_of_the_server(cli: Run, server: FakeServer) -> None:
    """`version` needs no key; both forms name command and server."""
    table = cli("version", "--endpoint", server.endpoint)
    shown = json.loads(cli("version", "--endpoint", server.endpoint, "-o", "json").out)

    assert table.lines == [f"Client {__version__}", f"Server 9.9.9 at {server.endpoint}"]
    assert shown == {"client": __version__, "server": "9.9.9", "endpoint": server.endpoint}


def test_the_endpoint_may_stand_first(cli: Run, server: FakeServer) -> None:
    """It is an option of the whole program, wherever it is put."""
    for words in (["--endpoint", server.endpoint, "version"], [f"--endpoint={server.endpoint}", "version"]):
        assert cli(*words).code == 0


def test_a_local_server_needs_no_options(cli: Run, server: FakeServer, tmp_path: Path) -> None:
    """The credentials file of the data directory is enough."""
    (tmp_path / "data" / "sojourn").mkdir(parents=True)
    document = {
        "endpoint": server.endpoint,
        "accountId": "1",
        "accessKeyId": "test-key",
        "accessKeySecret": "test-secret",
    }
    (tmp_path / "data" / "sojourn" / "credentials.json").write_text(json.dumps(document))

    assert cli("function", "get", "hello").code == 0


@pytest.mark.parametrize(
    "words",
    [
        ["bogus"],
        ["function", "bogus"],
        ["task", "get", "hello"],
        ["task", "get", "hello", "t", "more"],
        ["task", "get", "hello", "t", "--bogus"],
        ["task", "list", "hello", "-o", "yaml"],
        ["task", "list", "hello", "--limit", "x"],
        ["task", "list", "hello", "--limit", "0"],
        ["task", "list", "hello", "--status", "Processed"],
        ["task", "list", "hello", "--since", "yesterday"],
        ["task", "submit", "hello", "--count", "0"],
        ["task", "submit", "hello", "--timeout", "1"],
        ["task", "submit", "hello", "--payload", "@no/such/file"],
        ["task", "submit", "hello", "--task-id", "ä"],
        ["function", "deploy", "hello"],
        ["function", "deploy", "hello", "--code", "no/such/directory"],
        ["function", "deploy", "hello", "--code", ".", "--env", "NAME"],
        ["function", "get", ".."],
        ["function", "list", "--endpoint", "ftp://x"],
    ],
    ids=" ".join,
)
def test_usage_errors(sojourn: Run, server: FakeServer, words: list[str]) -> None:
    """What is wrong with the words is said in a sentence, with what to do, before anything is sent: exit code 2."""
    ran = sojourn(*words)

    assert ran.code == 2
    assert ran.out == ""
    said, after, *more = ran.err.splitlines()
    assert said.startswith("error: ")
    assert after.startswith("next: ")
    assert more == []
    assert server.requests == []


@pytest.mark.parametrize(
    ("reply", "code", "next_step"),
    [
        (error(400, "InvalidArgument", "memorySize must be between 128 and 32768 MB, got 1"), 2, "--help"),
        (error(400, "EntityTooLarge", "payload size exceeds maximum allowed size"), 2, "send less"),
        (error(403, "InvalidAccessKeyID", "invalid access key ID 'x'"), 1, "check that the access key"),
        (error(404, "FunctionNotFound", "function 'x' does not exist"), 3, "sojourn function list"),
        (error(404, "AsyncTaskNotFound", "async task 'x' does not exist"), 3, "sojourn task list"),
        (error(409, "ConcurrentUpdateError", "changed"), 4, "try again"),
        (error(412, "AsyncTaskAlreadyCompleted", "is already completed with status Stopped"), 4, "nothing is left"),
        (error(429, "ResourceExhausted", "too many", Retry_After="7"), 1, "try again in 7 s"),
        (error(503, "ServiceUnavailable", "draining", Retry_After="2"), 1, "try again in 2 s"),
        (error(500, "InternalServerError", "an internal error has occurred"), 1, "the server's log"),
        (Reply(200, b"<html>"), 1, "the server's log"),
        (Reply(0), 5, "sojourn serve"),
    ],
    ids=lambda item: str(item.status) if isinstance(item, Reply) else None,
)
def test_errors_of_the_server(sojourn: Run, server: FakeServer, reply: Reply, code: int, next_step: str) -> None:
    """Each kind has its exit code; the sentence carries the server's words, its code and the request id."""
    server.faults["GetFunction"].extend([reply] * 3)
    ran = sojourn("function", "get", "hello")

    assert ran.code == code
    assert ran.out == ""
    said, after = ran.err.splitlines()
    assert next_step in after
    if reply.status >= 400:
        assert reply.body["Message"] in said
        assert said.endswith(f"({reply.body['Code']}, request 1-req)")


def test_no_server(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody at the address is exit code 5, and says how to start one."""
    monkeypatch.setenv("SOJOURN_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("SOJOURN_ACCESS_KEY_SECRET", "s")
    ran = cli("function", "list", "--endpoint", "127.0.0.1:1")

    assert ran.code == 5
    assert ran.err.startswith("error: no server answers at http://127.0.0.1:1 (")
    assert "sojourn serve" in ran.err


def test_no_key(cli: Run) -> None:
    """Without a key the message says where one is looked for."""
    ran = cli("function", "list")

    assert ran.code == 2
    assert "credentials.json" in ran.err


def test_a_fault_of_ours_is_not_hidden(sojourn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only expected errors become sentences; a bug keeps its traceback."""
    monkeypatch.setattr("sojourn.cli.listing.milliseconds_of", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        sojourn("task", "list", "hello", "--since", "1h")


def test_an_interrupt_has_its_code(server: FakeServer, spawn: Callable[..., subprocess.Popen[bytes]]) -> None:
    """Ctrl-C while waiting ends with 130 and says that the task goes on; there is no traceback."""
    server.lives = ("Running",)
    waiting = threading.Event()
    server.on_request = lambda seen: waiting.set() if seen.action == "GetAsyncTask" else None
    words = ("task", "submit", "hello", "--task-id", "t", "--wait")
    with spawn(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert waiting.wait(30)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)

    assert process.returncode == 130
    assert err.decode() == "submitted: sojourn task get hello t\ninterrupted\n"


def test_a_reader_that_leaves_is_no_error(server: FakeServer, spawn: Callable[..., subprocess.Popen[bytes]]) -> None:
    """`| head` ends the command quietly."""
    for number in range(3):
        server.add_task("hello", f"t-{number}")
    reading, writing = os.pipe()
    os.close(reading)
    with spawn("task", "list", "hello", "-o", "jsonl", stdout=writing, stderr=subprocess.PIPE) as process:
        os.close(writing)
        _, err = process.communicate(timeout=30)

    assert (process.returncode, err) == (1, b"")


def terminal_output(spawn: Callable[..., subprocess.Popen[bytes]], *words: str, **environ: str) -> tuple[int, str]:
    """Run a command whose stdout and stderr are a terminal; its exit code and what the terminal got."""
    mine, theirs = pty.openpty()
    environ = {"TERM": "xterm-256color", "COLUMNS": "120"} | environ
    with spawn(*words, stdout=theirs, stderr=theirs, environ=environ) as process:
        os.close(theirs)
        written = b""
        while True:
            try:
                piece = os.read(mine, 65536)
            except OSError:  # the last one to hold the other end has closed it
                break
            if not piece:
                break
            written += piece
    os.close(mine)
    return process.returncode, written.decode()


def test_colours_are_for_terminals(server: FakeServer, spawn: Callable[..., subprocess.Popen[bytes]]) -> None:
    """A terminal gets colours unless NO_COLOR is set; either way the status is a word."""
    server.add_task("hello", "t")
    code, coloured = terminal_output(spawn, "task", "list", "hello")
    _, plain = terminal_output(spawn, "task", "list", "hello", NO_COLOR="1")

    assert code == 0
    assert "\x1b[32mSucceeded" in coloured
    assert "Succeeded" in plain
    assert "\x1b[32m" not in plain


def test_uploads_and_waits_show_progress(spawn: Callable[..., subprocess.Popen[bytes]], tmp_path: Path) -> None:
    """A terminal sees the bytes of an upload and the count of tasks that are over."""
    (tmp_path / "index.py").write_bytes(os.urandom(300_000))
    code, shown = terminal_output(spawn, "function", "deploy", "hello", "--code", str(tmp_path))
    _, waited = terminal_output(spawn, "task", "submit", "hello", "--count", "3", "--wait")

    assert code == 0
    assert "Uploading hello" in shown
    assert "kB" in shown
    assert "Waiting" in waited
    assert "3/3" in waited


def test_the_console_script_passes_the_code_on() -> None:
    """The process ends with what `main` returns."""
    assert subprocess.run([*PROGRAM, "bogus"], capture_output=True, check=False).returncode == 2


@pytest.mark.parametrize("api", ["v1", "2023-03-30", "2021-04-06", "2016-08-15"])
def test_a_description_needs_no_server(cli: Run, api: str) -> None:
    """`sojourn openapi` prints what is committed."""
    copy = Path(__file__).resolve().parents[2] / "docs" / "openapi" / f"{api}.json"

    assert cli("openapi", "--api", api).out == copy.read_text(encoding="utf-8")
