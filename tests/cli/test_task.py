from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.conftest import Run
from client.fake_server import BEGAN_MS, FakeServer, error
from sojourn.cli import submission
from sojourn.cli.failure import CommandFailed
from sojourn.cli.payload import milliseconds_of, payload_of


def test_submit_prints_the_id(sojourn: Run, server: FakeServer) -> None:
    """The id and nothing else, so that a script can keep it; JSON has the request id beside it."""
    assert sojourn("task", "submit", "hello", "--payload", "world", "--task-id", "t", "--delay", "5").out == "t\n"
    assert server.requests[0].body == b"world"
    assert server.requests[0].headers["x-fc-async-delay"] == "5"
    shown = json.loads(sojourn("task", "submit", "hello", "-o", "json").out)
    assert shown == {"taskId": "1-made-001", "requestId": "1-req", "existed": False}


@pytest.mark.parametrize("payload", ["-1", "--wait", "", "größe", "a b"])
def test_a_literal_payload_is_sent_as_it_is(sojourn: Run, server: FakeServer, payload: str) -> None:
    """Also when it looks like an option."""
    assert sojourn("task", "submit", "hello", "--payload", payload).code == 0
    assert server.requests[0].body == payload.encode()


def test_a_payload_from_a_file(sojourn: Run, server: FakeServer, tmp_path: Path) -> None:
    """Byte for byte."""
    (tmp_path / "event").write_bytes(b"\x00\xff\r\n")
    assert sojourn("task", "submit", "hello", "--payload", f"@{tmp_path / 'event'}").code == 0

    assert server.requests[0].body == b"\x00\xff\r\n"


def test_a_payload_from_standard_input(server: FakeServer, spawn: Callable[..., subprocess.Popen[bytes]]) -> None:
    """Byte for byte, to its end."""
    words = ("task", "submit", "hello", "--payload", "-")
    with spawn(*words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        process.communicate(b"\x00\xff\r\n" * 1000, timeout=30)

    assert process.returncode == 0
    assert server.requests[0].body == b"\x00\xff\r\n" * 1000


def test_submit_and_wait(sojourn: Run) -> None:
    """The task is shown as it ended, with its history; success is exit code 0."""
    ran = sojourn("task", "submit", "hello", "--task-id", "t", "--payload", "in", "--wait")

    assert ran.code == 0
    assert {"Task t", "Status Succeeded", "Payload in", "Result done"} <= set(ran.lines)
    assert ran.lines[-1] == "4 2026-11-18 11:06:40.144 21 ms Succeeded"


@pytest.mark.parametrize("status", ["Failed", "Stopped", "Expired", "Invalid"])
def test_a_task_that_does_not_succeed(sojourn: Run, server: FakeServer, status: str) -> None:
    """Any other end is exit code 1, and still shown."""
    server.lives = ("Enqueued", status)
    ran = sojourn("task", "submit", "hello", "--wait", "-o", "json")

    assert ran.code == 1
    assert json.loads(ran.out)["status"] == status


def test_a_wait_that_ends_too_early(sojourn: Run, server: FakeServer) -> None:
    """Exit code 124; the task goes on, and the message says how to look again."""
    server.lives = ("Running",)
    ran = sojourn("task", "submit", "hello", "--task-id", "t", "--wait", "--timeout", "0.01")

    assert ran.code == 124
    assert "error: task 't' of function 'hello' is still Running after 0.01 s" in ran.err
    assert "sojourn task get hello t" in ran.err


def test_many_tasks(sojourn: Run, server: FakeServer) -> None:
    """Each gets its number behind the id; the ids are printed in order."""
    assert sojourn("task", "submit", "hello", "--task-id", "t", "--count", "40").lines == [
        f"t-{n}" for n in range(1, 41)
    ]
    assert len(server.tasks) == 40
    shown = json.loads(sojourn("task", "submit", "hello", "--count", "2", "-o", "json").out)
    assert {one["taskId"] for one in shown} == {"1-made-040", "1-made-041"}  # submits overlap: which is which is open


def test_waiting_for_many_tasks(sojourn: Run, server: FakeServer) -> None:
    """All are shown in order with a summary; one that fails makes the exit code 1."""
    server.lives = ("Running", "Succeeded")
    ran = sojourn("task", "submit", "hello", "--task-id", "t", "--count", "3", "--wait")

    assert ran.code == 0
    assert [line.split()[0] for line in ran.lines] == ["TASK", "t-1", "t-2", "t-3", "3"]
    assert ran.lines[-1] == "3 tasks: 3 Succeeded"
    server.lives = ("Failed",)
    lines = sojourn("task", "submit", "hello", "--count", "2", "--wait", "-o", "jsonl")
    assert lines.code == 1
    assert [json.loads(line)["status"] for line in lines.out.splitlines()] == ["Failed", "Failed"]


def test_submits_that_stop_halfway_are_told(sojourn: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the server has no room for the rest, the command says how many are in."""
    monkeypatch.setattr(submission, "AT_ONCE", 12)
    full = error(429, "ResourceExhausted", "too many", Retry_After="3")
    server.on_request = lambda _: server.faults["SubmitTasks"].append(full) if server.tasks else None
    ran = sojourn("task", "submit", "hello", "--count", "16")

    assert ran.code == 1
    assert ran.err.startswith("12 of 16 submitted: sojourn task list hello\nerror: too many (ResourceExhausted")


def test_a_taken_id_is_a_conflict(sojourn: Run, server: FakeServer) -> None:
    """Exit code 4, and the way to look at the task that has it."""
    server.add_task("hello", "t")
    ran = sojourn("task", "submit", "hello", "--task-id", "t")

    assert ran.code == 4
    assert "sojourn task get" in ran.err


def test_get_shows_the_history(sojourn: Run, server: FakeServer) -> None:
    """Events with milliseconds, their distance from the first, and details as words."""
    server.lives = ("Enqueued", "Running", "Failed")
    assert sojourn("task", "submit", "hello", "--task-id", "t", "--wait").code == 1
    lines = sojourn("task", "get", "hello", "t").lines

    assert lines[lines.index("") + 1 :] == [
        "# TIME (UTC) AFTER STATUS DETAIL",
        "1 2026-11-18 11:06:40.123 0 ms Enqueued",
        "2 2026-11-18 11:06:40.130 7 ms Running attempt=1 instanceId=i-1",
        "3 2026-11-18 11:06:40.137 14 ms Failed",
    ]
    assert "Error UnhandledInvocationError" in lines


def test_get_as_json(sojourn: Run, server: FakeServer) -> None:
    """The wire's names, on one line for jsonl."""
    server.add_task("hello", "t", returnPayload="ü")
    shown = sojourn("task", "get", "hello", "t", "-o", "jsonl").out

    assert shown.count("\n") == 1
    assert "taskPayloadEncoding" not in shown
    assert json.loads(shown) | {"taskId": "t", "returnPayload": "ü", "endTime": BEGAN_MS + 21} == json.loads(shown)
    assert json.loads(sojourn("task", "get", "hello", "t", "-o", "json").out) == json.loads(shown)


def test_a_payload_cannot_steer_the_terminal(sojourn: Run, server: FakeServer) -> None:
    """Control characters of a task are spelled out in tables; markup is not markup."""
    server.add_task("hello", "t", taskPayload="\x1b[2J\x9b1m\nx", returnPayload="[red]r[/red]")
    out = sojourn("task", "get", "hello", "t").out

    assert "\\x1b[2J\\x9b1m\\nx" in out
    assert "[red]r[/red]" in out
    assert "\x1b" not in out


def test_a_long_result_is_cut_in_the_table(sojourn: Run, server: FakeServer) -> None:
    """And says so; JSON has all of it."""
    server.add_task("hello", "t", returnPayload="x" * 5000)

    assert "(5000 characters, -o json shows all)" in sojourn("task", "get", "hello", "t").out
    assert len(json.loads(sojourn("task", "get", "hello", "t", "-o", "json").out)["returnPayload"]) == 5000


def test_list(sojourn: Run, server: FakeServer) -> None:
    """Newest first, twenty unless told otherwise; --limit and --all go over pages."""
    for number in range(250):
        server.add_task("hello", f"t-{number:03d}")
    names = [f"t-{number:03d}" for number in range(249, -1, -1)]

    table = sojourn("task", "list", "hello")
    assert table.lines[0] == "TASK STATUS STARTED DURATION RETRIES ERROR"
    assert table.lines[1] == "t-249 Succeeded 2026-11-18 11:06:40.123 21 ms 0"
    assert [line.split()[0] for line in table.lines[1:]] == names[:20]
    for words, count in ((["--limit", "3"], 3), (["--limit", "130"], 130), (["--all"], 250)):
        shown = json.loads(sojourn("task", "list", "hello", "-o", "json", *words).out)
        assert [task["taskId"] for task in shown] == names[:count]


def test_list_filters(sojourn: Run, server: FakeServer) -> None:
    """Status in any case, prefix and time travel to the server."""
    server.add_task("hello", "a-1", "Failed")
    server.add_task("hello", "a-2")
    server.add_task("hello", "b-1", "Failed")
    words = ("--status", "failed", "--prefix", "a", "--since", str(BEGAN_MS), "-o", "jsonl")
    lines = sojourn("task", "list", "hello", *words).out.splitlines()

    assert [json.loads(line)["taskId"] for line in lines] == ["a-1"]
    assert server.requests[-1].query["status"] == "Failed"
    assert sojourn("task", "list", "hello", "--since", str(BEGAN_MS + 1), "-o", "json").out == "[]\n"


def test_stop(sojourn: Run, server: FakeServer) -> None:
    """The answer is the status after the stop; a second stop is a conflict."""
    server.add_task("hello", "t", "Running")
    server.add_task("hello", "u", "Running")

    assert sojourn("task", "stop", "hello", "t").out == "Task t is Stopping.\n"
    assert json.loads(sojourn("task", "stop", "hello", "u", "-o", "json").out)["taskId"] == "u"
    server.add_task("hello", "t", "Stopped")
    assert sojourn("task", "stop", "hello", "t").code == 4
    assert sojourn("task", "stop", "hello", "none").code == 3


def test_logs(sojourn: Run, server: FakeServer) -> None:
    """One attempt's text stands alone, several have heads; JSON has them apart."""
    server.add_task("hello", "t")
    assert sojourn("task", "logs", "hello", "t").out == "hello\n"
    server.logs.append({"attempt": 2, "text": "no newline", "dropped": 3})
    assert sojourn("task", "logs", "hello", "t").out == "==> attempt 1 <==\nhello\n==> attempt 2 <==\nno newline\n"
    assert json.loads(sojourn("task", "logs", "hello", "t", "-o", "json").out) == server.logs
    assert sojourn("task", "logs", "hello", "none").code == 3


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("30s", 1_795_000_000_000 - 30_000),
        ("10m", 1_795_000_000_000 - 600_000),
        ("2h", 1_795_000_000_000 - 7_200_000),
        ("1d", 1_795_000_000_000 - 86_400_000),
        ("1795000000123", 1_795_000_000_123),
        ("2026-11-18T11:06:40.123Z", 1_795_000_000_123),
        ("2026-11-18 12:06:40+01:00", 1_795_000_000_000),
    ],
)
def test_times(text: str, milliseconds: int) -> None:
    """Ago, a date, or milliseconds."""
    assert milliseconds_of(text, 1_795_000_000_000) == milliseconds


@pytest.mark.parametrize("text", ["", "10", "10x", "-5m", "2026-13-01", "99999-01-01"])
def test_no_times(text: str) -> None:
    """Anything else is refused with the forms that are known."""
    with pytest.raises(CommandFailed, match="--since must be a time"):
        milliseconds_of(text, 0)


def test_bytes_that_are_no_text_survive_the_command_line() -> None:
    """What the shell passes is what is sent."""
    assert payload_of("\udcff") == b"\xff"


@pytest.mark.parametrize("option", ["-f", "--follow"])
def test_logs_are_followed(sojourn: Run, server: FakeServer, option: str) -> None:
    """As they come, and success at the end; JSON is no form of them."""
    server.add_task("hello", "t", "Running")
    ran = sojourn("task", "logs", option, "hello", "t")
    assert (ran.code, ran.out) == (0, "hello\ngrö\ufffde\n")
    refused = sojourn("task", "logs", option, "hello", "t", "-o", "json")
    assert (refused.code, refused.out) == (2, "")
    assert "--follow prints text" in refused.err
    assert sojourn("task", "logs", option, "hello", "none").code == 3


def test_deliveries(sojourn: Run, server: FakeServer) -> None:
    """Where the record went and why not; --resend begins another round."""
    server.add_task("hello", "t", destinationStatus="Failed")
    ran = sojourn("task", "deliveries", "hello", "t")

    assert ran.lines[0] == "DESTINATION STATUS ROUND ATTEMPTS NEXT ERROR"
    assert ran.lines[1] == "https://hook.example/ Failed 1 3 the target answered 404, which is final"
    again = json.loads(sojourn("task", "deliveries", "hello", "t", "--resend", "-o", "json").out)
    assert [(one["status"], one["round"]) for one in again] == [("Pending", 2)]
    assert "Delivery Failed" in sojourn("task", "get", "hello", "t").lines
    assert sojourn("task", "deliveries", "hello", "none").code == 3
