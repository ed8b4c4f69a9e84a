"""`sojourn task submit --lines`."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.conftest import Run
from client.fake_server import FakeServer, Reply, error
from sojourn.cli import lines


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Five lines: good, empty, broken, good, taken."""
    path = tmp_path / "tasks.jsonl"
    path.write_bytes(b'{"taskId": "a"}\n\n{"taskId"\n{"taskId": "b", "payload": 1}\r\n{"taskId": "a"}\n')
    return path


def test_good_lines_are_submitted_and_bad_ones_told(sojourn: Run, server: FakeServer, file: Path) -> None:
    """Ids on standard output, each refusal with its line on standard error, exit code 1."""
    ran = sojourn("task", "submit", "hello", "--lines", str(file))

    assert (ran.code, ran.out) == (1, "a\nb\n")
    assert ran.err.splitlines() == [
        "line 3: line must be a JSON object (InvalidArgument)",
        "line 5: async task 'a' already exists (AsyncTaskAlreadyExists)",
        "2 submitted, 2 refused",
    ]
    assert [name for _, name in server.tasks] == ["a", "b"]
    assert server.requests[0].body.splitlines()[2] == b'{"taskId": "b", "payload": 1}'


def test_all_good_is_success(sojourn: Run, tmp_path: Path) -> None:
    """Exit code 0, in every form of output."""
    path = tmp_path / "tasks"
    path.write_text('{"taskId": "a"}\n{"taskId": "b"}')
    assert json.loads(sojourn("task", "submit", "hello", "--lines", str(path), "-o", "json").out)[1]["taskId"] == "b"
    path.write_text('{"taskId": "c"}\n')
    ran = sojourn("task", "submit", "hello", "--lines", str(path), "-o", "jsonl")
    assert (ran.code, json.loads(ran.out)["taskId"], ran.err) == (0, "c", "")


def test_lines_from_standard_input(server: FakeServer, spawn: Callable[..., subprocess.Popen[bytes]]) -> None:
    """`-`."""
    with spawn("task", "submit", "hello", "--lines", "-", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        out, _ = process.communicate(b'{"taskId": "a"}\n' * 2, timeout=30)

    assert (process.returncode, out, len(server.tasks)) == (1, b"a\n", 1)


def test_a_server_without_room_is_waited_for(sojourn: Run, server: FakeServer, file: Path) -> None:
    """The same lines are sent again."""
    server.faults["SubmitTasks"].append(error(429, "ResourceExhausted", "full", Retry_After="0"))
    assert sojourn("task", "submit", "hello", "--lines", str(file)).out == "a\nb\n"
    assert server.requests[0].body == server.requests[1].body


def test_what_breaks_off_says_where_to_go_on(
    sojourn: Run, server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And does so from there; a line before is not sent again."""
    monkeypatch.setattr(lines, "LINES_AT_ONCE", 2)
    path = tmp_path / "tasks"
    path.write_text("".join(f'{{"taskId": "t{number}"}}\n' for number in range(1, 6)))
    server.on_request = lambda seen: server.faults["SubmitTasks"].append(Reply(0)) if b"t3" in seen.body else None
    ran = sojourn("task", "submit", "hello", "--lines", str(path))

    assert (ran.code, ran.out) == (5, "t1\nt2\n")
    assert "2 submitted, 0 refused. lines 3 to 4 may be submitted" in ran.err
    assert "Go on with --from-line 3" in ran.err
    server.on_request = lambda _: None
    assert sojourn("task", "submit", "hello", "--lines", str(path), "--from-line", "3").out == "t3\nt4\nt5\n"


def test_an_interruption_says_where_to_go_on(spawn: Callable[..., subprocess.Popen[bytes]]) -> None:
    """In the middle of a file that goes on."""
    words = ("task", "submit", "hello", "--lines", "-")
    with spawn(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"".join(b'{"taskId": "t%d"}\n' % number for number in range(lines.LINES_AT_ONCE + 1)))
        process.stdin.flush()
        assert process.stdout.readline() == b"t0\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)

    assert process.returncode == 130
    assert (
        f"{lines.LINES_AT_ONCE} submitted, 0 refused. Go on with --from-line {lines.LINES_AT_ONCE + 1}" in err.decode()
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--lines", "none"), "the file of lines 'none' cannot be read (No such file or directory)"),
        (("--lines", "x", "--wait"), "--lines says everything in its lines"),
        (("--from-line", "2"), "--from-line counts the lines of --lines from 1, got 2"),
        (("--lines", "x", "--from-line", "0"), "got 0"),
    ],
)
def test_what_cannot_be_meant_is_refused(sojourn: Run, server: FakeServer, words: tuple[str, ...], said: str) -> None:
    """Before anything is sent."""
    ran = sojourn("task", "submit", "hello", *words)

    assert (ran.code, server.requests) == (2, [])
    assert said in ran.err
