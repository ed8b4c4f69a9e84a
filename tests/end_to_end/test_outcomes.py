"""Every way a function can end, as the task's record and as the synchronous answer, under both isolations."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import msgspec
import pytest

from end_to_end.functions import HANDLER, RUNTIME
from live import LiveServer, archive
from sections import said
from sojourn.client import Client, Status
from sojourn.output import HEAD_BYTES_MAX, TAIL_BYTES_MAX

UNHANDLED = "UnhandledInvocationError"


class Case(msgspec.Struct, frozen=True):
    """A handler's body, and what it comes to: bytes, or an error type and a piece of its message."""

    name: str
    body: str
    result: bytes | None = None
    error: str = ""
    message: str = ""
    memory: int = 128
    timeout: int = 20
    detail: dict[str, object] = {}


CASES = [
    Case("text", "return 'grüße'", "grüße".encode()),
    Case("bytes", "return bytes(range(256))", bytes(range(256))),
    Case("json", "return {'a': [1, None, True], 'ü': 1.5}"),
    Case("none", "return None", b"null"),
    Case("exception", "raise KeyError('missing')", error="KeyError", message="missing"),
    Case("own-exception", "class Mine(Exception): ...\nraise Mine('of my own')", error="Mine", message="of my own"),
    Case("not-serialisable", "return {object()}", error="TypeError", message="serializable"),
    Case("system-exit", "import sys\nsys.exit(3)", error="SystemExit", message="3"),
    Case("timeout", "import time\ntime.sleep(600)", error="FunctionTimeoutError", message="1 seconds", timeout=1),
    Case(
        "hung",
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass",
        error="FunctionTimeoutError",
        message="1 seconds",
        timeout=1,
    ),
    Case(
        "crash",
        "import ctypes\nctypes.string_at(0)",
        error="FunctionUnhandledError",
        message="signal 11",
        detail={"signal": 11, "processesLeft": 0},
    ),
    Case(
        "exit",
        "import os\nos._exit(3)",
        error="FunctionUnhandledError",
        message="exit status 3",
        detail={"exitStatus": 3, "processesLeft": 0},
    ),
    Case(
        "clean-exit",
        "import os\nos._exit(0)",
        error="FunctionUnhandledError",
        message="exit status 0",
        detail={"exitStatus": 0},
    ),
    Case(
        "memory",
        "kept = []\nwhile True: kept.append(bytearray(8 << 20))",
        error="FunctionOOMError",
        message="128 MB",
        detail={"memoryLimitMB": 128},
    ),
    Case(
        "memory-of-a-child",
        """
        import subprocess, sys
        done = subprocess.run([sys.executable, "-c", "k = []\\nwhile True: k.append(bytearray(8 << 20))"])
        raise SystemError(f"the child went first: {done.returncode}")
        """,
        error="FunctionOOMError",
        message="128 MB",
    ),
    Case("import-error", "", error="ImportModuleError", message="no_such_module"),
]


def deploy(client: Client, case: Case) -> str:
    """The function of a case."""
    body = textwrap.indent(textwrap.dedent(case.body).strip() or "pass", "    ")
    source = f"def handler(event, context):\n{body}\n"
    if case.name == "import-error":
        source = "import no_such_module\n" + source
    client.deploy(
        case.name,
        archive(source),
        handler=HANDLER,
        runtime=RUNTIME,
        timeout=case.timeout,
        memory=case.memory,
        retries=0,
    )
    return case.name


def check(case: Case, result: bytes) -> None:
    """The result, or the error document, is what the case says."""
    if case.error:
        document: dict[str, Any] = json.loads(result)
        assert document["errorType"] == case.error, document
        assert case.message in document["errorMessage"], document
    elif case.result is None:
        assert json.loads(result) == {"a": [1, None, True], "ü": 1.5}
    else:
        assert result == case.result


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_outcome(server: LiveServer, case: Case) -> None:
    """The record and the answer agree; the class is on the wire; the evidence is in the event."""
    client = server.client()
    name = deploy(client, case)
    submitted = client.submit(name)
    answer = client.invoke(name)
    task = client.wait(name, submitted.task_id, timeout=30)

    check(case, task.result)
    check(case, answer.result)
    assert answer.error_type == task.task_error_message == (UNHANDLED if case.error else "")
    assert task.status is (Status.FAILED if case.error else Status.SUCCEEDED)
    assert [event.status.value for event in task.events] == ["Enqueued", "Dequeued", "Running", task.status.value]
    detail = task.events[-1].detail
    if case.error:
        assert (detail["Error"], detail["errorType"]) == (UNHANDLED, case.error)
    assert detail | case.detail == detail


def test_a_flood_of_output_costs_the_bound_and_the_task_succeeds(server: LiveServer) -> None:
    """The first and the last lines are kept, the hole is counted, the answer's tail is the end of it."""
    client = server.client()
    body = """
    import sys
    for number in range(100_000):
        print("out", number)
    sys.stderr.write("the last words")
    return "done"
    """
    name = deploy(client, Case("flood", body))
    task = client.wait(name, client.submit(name).task_id, timeout=30)
    answer = client.invoke(name)
    (log,) = client.logs(name, task.task_id)

    assert (task.status, task.result, answer.result) == (Status.SUCCEEDED, b"done", b"done")
    text, hole = said(log.text), f"\n... {log.dropped} bytes dropped ...\n"
    assert text.startswith("out 0\nout 1\n")
    assert text.endswith("out 99999\nthe last words\n")
    assert len(log.text) - len(hole) == HEAD_BYTES_MAX + TAIL_BYTES_MAX
    whole = sum(len(f"out {number}\n") for number in range(100_000)) + len("the last words\n")
    assert len(text) - len(hole) + log.dropped == whole
    assert "the last words" in answer.log
    assert len(answer.log) <= 4096


def test_each_attempt_has_its_own_log(server: LiveServer) -> None:
    """Three attempts, three logs, in order, none with the words of another."""
    client = server.client()
    body = """
    print("attempt", context.retry_count, context.request_id)
    if context.retry_count < 2:
        raise ConnectionError
    """
    name = deploy(client, Case("attempts", body))
    client.put_async_config(name, retries=2)
    task = client.wait(name, client.submit(name).task_id, timeout=30)

    assert task.status is Status.SUCCEEDED
    logs = client.logs(name, task.task_id)
    assert [said(log.text) for log in logs] == [f"attempt {number} {task.request_id}\n" for number in range(3)]
    assert [log.attempt for log in logs] == [1, 2, 3]
