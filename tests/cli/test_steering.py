"""Commands that steer, on a real server; help on every command; names for shells; what works on this machine."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import cyclopts
import pytest

from cli.conftest import PROGRAM, Run
from live import LiveServer, until
from sojourn.cli import app
from sojourn.cli.completion import candidates
from sojourn.cli.failure import CommandFailed
from sojourn.cli.filters import fields_of
from sojourn.client import AsyncClient, Client, NewTask, Status


def commands(root: cyclopts.App, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command, by its words."""
    for name in root:
        if name.startswith(("-", "_")):
            continue
        inner = root[name]
        if inner.default_command is not None:
            yield (*before, name)
        yield from commands(inner, (*before, name))


@pytest.mark.parametrize("words", list(commands(app)), ids=" ".join)
def test_every_command_there_is_helps_with_an_example(cli: Run, words: tuple[str, ...]) -> None:
    """The walk goes over the whole tree, so that a new command without an example is found."""
    ran = cli(*words, "--help")

    assert ran.code == 0
    assert "For example: sojourn " in " ".join(ran.out.split())


def test_a_rerun_prints_the_new_id(steer: Run, client: Client) -> None:
    """With another payload."""
    first = client.wait("quick", client.submit("quick", b"one").task_id, timeout=60)
    made = steer("task", "rerun", "quick", first.task_id, "--payload", "two").out.strip()
    last = client.wait("quick", made, timeout=60)
    assert (last.result, last.rerun_of) == (b"two", first.task_id)
    shown = json.loads(steer("task", "rerun", "quick", first.task_id, "-o", "json").out)
    assert shown["rerunOf"] == first.task_id


def test_tasks_are_submitted_with_tags(steer: Run, client: Client) -> None:
    """By the option, in lines, and by either client, one and many."""
    steer("task", "submit", "quick", "--task-id", "by-option", "--tags", "way=option,n=1")
    client.submit("quick", b"", task_id="by-client", tags={"way": "client"})
    client.submit_many("quick", [NewTask(task_id="by-batch", tags={"way": "batch"})])

    async def gathered() -> None:
        async with AsyncClient(client.connection) as other:
            names = ("by-gathering-1", "by-gathering-2")
            await asyncio.gather(*(other.submit("quick", task_id=name, tags={"way": name}) for name in names))

    asyncio.run(gathered())
    for name in ("option", "client", "batch", "gathering-1", "gathering-2"):
        tag = f"way=by-{name}" if name.startswith("gathering") else f"way={name}"
        found = json.loads(steer("task", "list", "--tags", tag, "-o", "json").out)
        assert [each["taskId"] for each in found] == [f"by-{name}"]
    assert steer("task", "submit", "quick", "--tags", "nothing").code == 2


def test_a_task_gets_other_tags_by_a_command(steer: Run, client: Client) -> None:
    """It is found by them; words that are no tags, and a task that is over, are refused."""
    task = client.submit("hold", b"").task_id
    ran = steer("task", "edit", "hold", task, "--tags", "tenant=t1,kind=invoice")
    assert ran.out == f"Task {task} is tagged kind=invoice, tenant=t1.\n"
    assert [each["taskId"] for each in json.loads(steer("task", "list", "--tags", "tenant=t1", "-o", "json").out)] == [
        task
    ]
    assert json.loads(steer("task", "edit", "hold", task, "--tags", "", "-o", "json").out)["tags"] == {}
    assert steer("task", "edit", "hold", task, "--tags", "nothing").code == 2
    client.force_stop("hold", task)
    client.wait("hold", task, timeout=60)
    assert steer("task", "edit", "hold", task, "--tags", "a=1").code == 4


def test_many_are_counted_then_stopped(steer: Run, client: Client) -> None:
    """A dry run says how many; the real one waits for its end and shows it; cancelling it then is a conflict."""
    for _ in range(5):
        client.submit("hold", b"")
    words = ("task", "stop", "--filter", "function=hold status=enqueued,running,dequeued since=1h")
    assert steer(*words, "--dry-run").out == "stop would change 5 tasks.\n"
    assert json.loads(steer(*words, "--dry-run", "-o", "json").out) == {"dryRun": True, "verb": "stop", "count": 5}
    done = json.loads(steer(*words, "-o", "json").out)
    assert (done["status"], done["done"]) == ("Succeeded", 5)
    assert done["operationId"] in steer("operation", "list").out
    assert "Verb stop" in steer("operation", "show", done["operationId"]).lines
    assert steer("operation", "cancel", done["operationId"]).code == 4
    assert steer("operation", "show", "nothing").code == 3


def test_a_queue_is_paused_by_a_command(steer: Run, client: Client) -> None:
    """And resumed."""
    assert "paused since" in steer("queue", "pause", "quick").out
    assert client.get_function("quick").queue_paused_since
    assert steer("queue", "resume", "quick").out == "The queue of quick is running.\n"


def test_a_stop_may_be_forced_by_a_command(steer: Run, client: Client) -> None:
    """Its evidence says so."""
    task = client.submit("hold", b"").task_id
    until(lambda: client.get_task("hold", task).status is Status.RUNNING, 60, "runs")
    assert steer("task", "stop", "hold", task, "--force").code == 0
    assert client.wait("hold", task, timeout=60).events[-1].detail["forced"] is True


@pytest.mark.parametrize(
    "words",
    [
        ["task", "stop"],
        ["task", "stop", "hold"],
        ["task", "stop", "hold", "t", "--filter", "status=Running"],
        ["task", "stop", "--filter", ""],
        ["task", "stop", "--filter", "state=Running"],
        ["task", "stop", "--filter", "status=Processed"],
        ["task", "stop", "--filter", "status=Running status=Failed"],
        ["task", "stop", "--filter", "'"],
        ["task", "delete"],
        ["top", "--every", "0"],
    ],
    ids=" ".join,
)
def test_words_that_steer_nothing(steer: Run, words: list[str]) -> None:
    """Usage errors say what to do next."""
    ran = steer(*words)
    assert ran.code == 2
    assert "\nnext: " in ran.err


def test_a_filter_is_words() -> None:
    """Values may be quoted; statuses in any spelling."""
    found = fields_of("status=failed,EXPIRED errortext='out of ink' tags=a=1,b=2")
    assert found == {"status": "Failed,Expired", "errorText": "out of ink", "tags": "a=1,b=2"}
    with pytest.raises(CommandFailed):
        fields_of("nothing")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ta"], ["tag", "task"]),
        (["queue", ""], ["pause", "resume"]),
        (["queue", "pause", "h"], ["hold"]),
        (["task", "get", "q"], ["quick"]),
        (["task", "get", "quick", "named"], ["named-task"]),
        (["task", "stop", "--fo"], ["--force"]),
        (["completion", "f"], ["fish"]),
        (["nothing", ""], []),
    ],
    ids=" ".join,
)
def test_names_for_shells(steer: Run, client: Client, words: list[str], expected: list[str]) -> None:
    """Commands, options, choices, and what the server has."""
    if words[-1] == "named":
        client.submit("quick", b"", task_id="named-task")
    assert [each for each in candidates(app, words) if each != "doctor"] == expected
    assert steer("_complete", "--", *words).out.split() == expected


def test_a_shell_that_asks_is_never_disturbed(cli: Run) -> None:
    """Without a server there are no names, and no complaint."""
    ran = cli("_complete", "--", "queue", "pause", "")
    assert (ran.code, ran.out, ran.err) == (0, "", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_for_shells(cli: Run, shell: str) -> None:
    """Each asks `_complete`."""
    assert "sojourn _complete" in cli("completion", shell).out


def test_bash_completes_with_the_script(live: LiveServer, cli: Run, tmp_path: Path) -> None:
    """A real bash, with a live name."""
    program = tmp_path / "sojourn"
    words = " ".join(f"'{word}'" for word in PROGRAM)
    program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    program.chmod(0o755)
    script = cli("completion", "bash").out
    ask = 'COMP_WORDS=(sojourn queue pause ho); COMP_CWORD=3; _sojourn sojourn ho pause; echo "${COMPREPLY[@]}"'
    known = live.credentials
    environment = {
        "PATH": f"{tmp_path}:{os.defpath}",
        "SOJOURN_ENDPOINT": known["endpoint"],
        "SOJOURN_ACCESS_KEY_ID": known["accessKeyId"],
        "SOJOURN_ACCESS_KEY_SECRET": known["accessKeySecret"],
        "HOME": str(tmp_path),
    }
    ran = subprocess.run(
        ["bash", "-c", f"{script}\n{ask}"], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout == "hold\n", ran.stderr


def test_doctor_tries_everything(cli: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """JSON is stable; what a server needs is among it; nothing is left behind."""
    monkeypatch.setenv("SOJOURN_DATA_DIR", str(tmp_path / "not" / "there"))
    monkeypatch.setenv("SOJOURN_PORT", "0")
    ran = cli("doctor", "-o", "json")
    found = json.loads(ran.out)

    assert ran.code == (0 if found["works"] else 1)
    checks = {each["check"]: each for each in found["findings"]}
    assert {"isolation process", "isolation bubblewrap", "disk", "port", "sqlite", "files", "clock"} <= checks.keys()
    assert checks["isolation process"]["verdict"] == "ok"
    assert any(name.startswith("runtime ") for name in checks)
    assert "fdatasync" in checks["disk"]["detail"]
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".sojourn")] == []
    assert "CHECK VERDICT" in cli("doctor").lines[0]


def test_doctor_says_when_a_server_would_not_run(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit status 1: here the disk cannot be written."""
    monkeypatch.setenv("SOJOURN_DATA_DIR", "/proc/nothing")
    ran = cli("doctor", "-o", "json")
    assert (ran.code, json.loads(ran.out)["works"]) == (1, False)


def test_top_fills_a_terminal_and_ends_with_q(live: LiveServer, client: Client, tmp_path: Path) -> None:
    """In a real pseudo-terminal: the functions, what runs, then the terminal as it was."""
    task = client.submit("hold", b"").task_id
    until(lambda: client.get_task("hold", task).status is Status.RUNNING, 60, "runs")
    known = live.credentials
    environment = {
        "PATH": os.defpath,
        "TERM": "xterm",
        "HOME": str(tmp_path),
        "SOJOURN_ENDPOINT": known["endpoint"],
        "SOJOURN_ACCESS_KEY_ID": known["accessKeyId"],
        "SOJOURN_ACCESS_KEY_SECRET": known["accessKeySecret"],
    }
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
    words = [*PROGRAM, "top", "--every", "0.2"]
    process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    seen = b""
    try:
        while not (b"FUNCTION" in seen and task.encode() in seen):
            seen += os.read(ours, 65536)
        os.write(ours, b"q")
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:
                break
            if not data:
                break
            seen += data
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert b"\x1b[?1049h" in seen
    assert b"\x1b[?1049l" in seen
    client.force_stop("hold", task)


def test_top_once_is_for_scripts(steer: Run) -> None:
    """One look, without a terminal."""
    ran = steer("top", "--once")
    assert ran.code == 0
    assert "FUNCTION" in ran.out
    assert "hold" in ran.out


def test_lists_by_option_as_by_word(steer: Run, client: Client) -> None:
    """`--function f` is `f`; statuses in lower case; JSON is what it was."""
    done = client.wait("quick", client.submit("quick", b"").task_id, timeout=60)
    by_word = json.loads(steer("task", "list", "quick", "--status", "succeeded", "-o", "json").out)
    by_option = json.loads(steer("task", "list", "--function", "quick", "--status", "Succeeded", "-o", "json").out)
    assert by_word == by_option
    assert done.task_id in {each["taskId"] for each in by_word}
    assert sys.stdout is not None
