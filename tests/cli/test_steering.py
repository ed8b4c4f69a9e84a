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
import threading
from collections.abc import Iterator
from pathlib import Path

import cyclopts
import pytest

from cli.conftest import PROGRAM, Run
from end_to_end.functions import RUNTIME
from live import LiveServer, archive, until
from sojourn.cli import app
from sojourn.cli.completion import candidates
from sojourn.cli.failure import CommandFailed
from sojourn.cli.filters import fields_of
from sojourn.client import AsyncClient, Client, NewTask, Status, Unreachable

HOLD = "import time\ndef handler(event, context):\n    print('holding', flush=True)\n    time.sleep(3600)\n"
QUICK = "def handler(event, context):\n    return event\n"


@pytest.fixture(scope="module")
def live() -> Iterator[LiveServer]:
    """A real server with two functions."""
    with LiveServer() as server:
        client = server.client()
        for name, source in (("hold", HOLD), ("quick", QUICK)):
            client.deploy(name, archive(source), handler="index.handler", runtime=RUNTIME, timeout=600)
        client.put_concurrency("hold", 1)
        yield server


@pytest.fixture
def client(live: LiveServer) -> Client:
    """The owner's."""
    return live.client()


@pytest.fixture
def steer(cli: Run, live: LiveServer, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command that talks to the real server."""
    known = live.credentials
    monkeypatch.setenv("SOJOURN_ENDPOINT", known["endpoint"])
    monkeypatch.setenv("SOJOURN_ACCESS_KEY_ID", known["accessKeyId"])
    monkeypatch.setenv("SOJOURN_ACCESS_KEY_SECRET", known["accessKeySecret"])
    return cli


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


def test_a_watched_task_is_told_from_its_first_step_to_its_end(steer: Run, client: Client) -> None:
    """Every step once, whether it came before or after; the exit code is what became of the task."""
    task = client.submit("hold", b"").task_id
    until(lambda: client.get_task("hold", task).status is Status.RUNNING, 60, "runs")
    stopping = threading.Thread(target=lambda: client.stop_task("hold", task))
    stopping.start()
    ran = steer("task", "watch", "hold", task, "-o", "jsonl")
    stopping.join()
    told = [json.loads(line) for line in ran.out.splitlines()]

    assert ran.code == 1
    assert [each["status"] for each in told] == ["Enqueued", "Dequeued", "Running", "Stopping", "Stopped"]
    assert [each["eventId"] for each in told] == [1, 2, 3, 4, 5]
    assert {(each["function"], each["taskId"]) for each in told} == {("hold", task)}
    assert told[-1]["eventDetail"]["processesLeft"] == 0

    done = client.wait("quick", client.submit("quick", b"").task_id, timeout=60)
    ran = steer("task", "watch", "quick", done.task_id)
    assert ran.code == 0
    assert [line.split()[4] for line in ran.out.splitlines()] == ["Enqueued", "Dequeued", "Running", "Succeeded"]
    assert "Running attempt=1 instanceId=" in ran.lines[2]


def test_the_stream_begins_before_the_task_is_looked_at(steer: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """An end that falls between the two would else never be told; what comes twice is told once."""
    began: list[str] = []

    def stream(*_: object, **__: object) -> Iterator[dict[str, object]]:
        began.append("stream")
        yield {"id": "1-1"}
        began.append("told")
        step = {"function": "quick", "taskId": "t", "timestamp": "2026-11-24T00:00:00.000Z", "eventDetail": {}}
        for number, status in ((1, "Enqueued"), (2, "Dequeued"), (4, "Succeeded")):
            yield {**step, "eventId": number, "status": status}

    def look(*_: object) -> dict[str, object]:
        began.append("look")
        event = {"eventId": 1, "status": "Enqueued", "timestamp": "2026-11-24T00:00:00.000Z", "eventDetail": {}}
        return {"events": [event]}

    monkeypatch.setattr(Client, "watch", stream)
    monkeypatch.setattr(Client, "ask", look)
    ran = steer("task", "watch", "quick", "t")

    assert (ran.code, began) == (0, ["stream", "look", "told"])
    assert [line.split()[-1] for line in ran.lines] == ["Enqueued", "Dequeued", "Succeeded"]


def test_a_stream_that_a_server_ends_is_gone_on_with(steer: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the last event that came; a server that does not come back is unreachable, and no success."""
    step = {"function": "quick", "taskId": "t", "status": "Enqueued", "timestamp": "2026-11-24T00:00:00.000Z"}
    asked: list[str] = []

    def stream(*_: object, last_event_id: str = "") -> Iterator[dict[str, object]]:
        asked.append(last_event_id)
        if len(asked) > 2:
            raise Unreachable("nobody answers")
        yield {**step, "id": f"1-{len(asked)}"}

    monkeypatch.setattr(Client, "watch", stream)
    ran = steer("task", "watch", "quick")

    assert (ran.code, asked, len(ran.lines)) == (5, ["", "1-1", "1-2"], 2)


def test_why_a_task_waits_is_told_by_a_command(steer: Run, client: Client) -> None:
    """What blocks it, with its holders; as JSON the whole document."""
    holder = client.submit("hold", b"").task_id
    until(lambda: client.get_task("hold", holder).status is Status.RUNNING, 60, "runs")
    task = client.submit("hold", b"").task_id
    told = json.loads(steer("task", "explain", "hold", task, "-o", "json").out)
    (blocked,) = told["blockedBy"]

    assert (told["taskId"], told["status"], told["position"]) == (task, "Enqueued", 0)
    assert (blocked["code"], blocked["limit"], blocked["holders"]) == ("FunctionConcurrencyLimit", 1, [holder])
    lines = steer("task", "explain", "hold", task).lines
    assert "code FunctionConcurrencyLimit" in lines
    assert f'holders ["{holder}"]' in lines
    assert steer("task", "explain", "hold", "nothing").code == 3
    for each in (task, holder):
        client.force_stop("hold", each)


def test_who_changed_what_is_told_by_a_command(steer: Run, client: Client) -> None:
    """What was done and what was refused, newest first, over several pages; the clients read the same."""
    for _ in range(60):
        client.put_concurrency("quick", 5)
        client.delete_concurrency("quick")
    assert steer("task", "edit", "quick", "nothing", "--tags", "a=1").code == 3
    told = [json.loads(line) for line in steer("audit", "--limit", "3", "-o", "jsonl").out.splitlines()]

    assert [(each["operation"], each["status"], each["code"]) for each in told] == [
        ("EditTask", 404, "AsyncTaskNotFound"),
        ("DeleteConcurrencyConfig", 204, ""),
        ("PutConcurrencyConfig", 200, ""),
    ]
    assert told[0]["target"] == "/v1/functions/quick/tasks/nothing"
    assert {each["actor"] for each in told} == {client.connection.access_key_id}
    shown = steer("audit", "--limit", "1").lines
    assert shown[0] == "TIME ACTOR OPERATION TARGET STATUS CODE REQUEST"
    assert " EditTask PATCH /v1/functions/quick/tasks/nothing 404 AsyncTaskNotFound " in shown[1]
    every = [each.request_id for each in client.iterate_audit()]
    assert len(set(every)) == len(every) > 100
    assert json.loads(steer("audit", "--all", "-o", "json").out)[0]["requestId"] == every[0]
    assert steer("audit", "--limit", "0").code == 2
    assert steer("audit", "--account", "nobody").code != 0

    async def awaited() -> list[str]:
        async with AsyncClient(client.connection) as other:
            return [each.request_id async for each in other.iterate_audit()]

    assert asyncio.run(awaited()) == every


def test_figures_of_a_function_by_a_command(steer: Run, client: Client) -> None:
    """All windows, or one alone; JSON holds all."""
    client.wait("quick", client.submit("quick", b"").task_id, timeout=60)
    told = json.loads(steer("function", "stats", "quick", "-o", "json").out)
    one = steer("function", "stats", "quick", "--window", "1h").lines

    assert told["windows"]["1h"]["ended"]["Succeeded"] >= 1
    assert told["statuses"]["Running"] == 0
    assert "window 1h" in one
    assert not [line for line in one if line.startswith("windows.")]
    assert any(line.startswith("windows.1d.wait.p99Ms ") for line in steer("function", "stats", "quick").lines)
    assert steer("function", "stats", "quick", "--window", "2h").code == 2
