"""Stops on a real server: whatever a function does, PreStop has its chance, and then nothing of it is left."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from end_to_end.lives import deploy, detail, instances, log, names, path, reach, run, stopped
from end_to_end.post import Post
from live import LiveServer, until
from sojourn.client import Client, Conflict, Status

HOOKS, BRIEF = {"preStop": 30}, {"preStop": 1}
"""PreStop that returns has the time of a loaded machine, one that cannot run or does not return costs a second."""
HOSTILE = {
    "loops": "while True: pass",
    "sleeps": "time.sleep(3600)",
    "swallows": """
        while True:
            try:
                time.sleep(0.01)
            except BaseException:
                pass
        """,
    "ignores SIGTERM": """
        import signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True: time.sleep(1)
        """,
    "has children": """
        import subprocess
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        subprocess.run(["sleep", "3600"])
        """,
    "scatters its family": """
        for _ in range(3):
            if os.fork() == 0:
                os.setsid()
                if os.fork():
                    os._exit(0)
                import signal
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                while True: time.sleep(1)
        time.sleep(3600)
        """,
    "hangs in C": """
        import ctypes
        ctypes.CDLL(None).sleep(3600)
        """,
    "holds the interpreter": """
        import ctypes
        ctypes.PyDLL(None).sleep(3600)
        """,
    "breeds": """
        for _ in range(60):
            if os.fork() == 0:
                os.setsid()
                time.sleep(3600)
        time.sleep(3600)
        """,
    "closes everything": """
        os.closerange(3, 100)
        tell('closed')
        time.sleep(3600)
        """,
}
NO_HOOK = {"holds the interpreter", "closes everything"}
"""These cannot run it, or not say what it came to."""


@pytest.fixture
def client(server: LiveServer) -> Client:
    """The owner's."""
    return server.client()


def before(server: LiveServer) -> set[int]:
    """The processes that are there for other reasons: the agent, its zygotes, other instances."""
    return set(server.processes())


def no_strays(server: LiveServer, known: set[int]) -> None:
    """A walk through /proc finds nothing that was not there before, not even for a moment after Stopped."""
    found = [pid for pid in server.processes() if pid not in known]
    assert found == [], [Path(f"/proc/{pid}/status").read_text(encoding="utf-8") for pid in found]


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_handler_is_stopped(server: LiveServer, client: Client, post: Post, kind: str) -> None:
    """PreStop runs while the handler is busy; Stopped comes when the tree is gone, with the evidence."""
    run(client, deploy(client, post, "prepared", handler="return 1"))
    until(lambda: instances(client, "prepared")[0]["status"] == "Frozen", 60, "frozen")
    known = before(server)
    handler = "tell('handler')\n" + HOSTILE[kind].replace("\n        ", "\n")
    hooks = BRIEF if kind in NO_HOOK else HOOKS
    name = deploy(client, post, "hostile", hooks, handler=handler, preStop="tell('preStop')\nprint('bye')")
    task_id = client.submit(name).task_id
    post.wait("handler")
    if kind == "scatters its family":
        until(lambda: len(before(server) - known) >= 4, 60, "scattered")
    if kind == "closes everything":
        post.wait("closed")
    task = stopped(client, name, task_id)
    no_strays(server, known)

    evidence = task.events[-1].detail
    assert path(task) == ["Enqueued", "Dequeued", "Running", "Stopping", "Stopped"]
    assert evidence["processesLeft"] == 0
    assert evidence["instanceId"] == task.instance_id
    assert evidence["durationMs"] > 0
    assert evidence["isColdStart"] is True
    assert evidence["signalsSent"] or kind == "closes everything"
    assert evidence["preStop"]["ok"] is (kind not in NO_HOOK), evidence
    assert "preStop" in post.said() or kind in NO_HOOK
    text = log(client, name, task)
    assert f"FC Invoke End RequestId: {task.request_id}, Error: Invocation canceled by client (duration: " in text
    assert "maxMemoryUsage: 0.00MB" not in text
    assert reach(client, task.instance_id, "Destroyed")["status"] == "Destroyed"
    (other,) = instances(client, "prepared")
    assert other["status"] == "Frozen"


PRE_STOPS: dict[str, tuple[str, dict[str, object]]] = {
    "hangs": ("time.sleep(3600)", {"ok": False, "timedOut": True}),
    "loops": ("while True: pass", {"ok": False, "timedOut": True}),
    "raises": ("raise OSError('no')", {"ok": False, "timedOut": False, "errorType": "OSError", "errorMessage": "no"}),
    "exits": ("sys.exit(3)", {"ok": False, "timedOut": False, "errorType": "SystemExit"}),
    "ends the process": ("os._exit(3)", {"ok": False, "timedOut": False}),
    "prints 1 MB": ("print('x' * (1 << 20))", {"ok": True, "timedOut": False}),
    "forks": (
        "if os.fork() == 0:\n    os.setsid()\n    time.sleep(3600)",
        {"ok": True, "timedOut": False},
    ),
    "lets a child return": ("os.fork()", {"ok": True, "timedOut": False}),
    "frees the handler": ("free.set(); time.sleep(0.3)", {"ok": True, "timedOut": False}),
}


@pytest.mark.parametrize("kind", PRE_STOPS)
def test_a_hostile_pre_stop_does_not_block_the_stop(server: LiveServer, client: Client, post: Post, kind: str) -> None:
    """It costs its timeout at most; what it came to is in the evidence, what it wrote in its section, once."""
    body, wanted = PRE_STOPS[kind]
    run(client, deploy(client, post, "prepared", handler="return 1"))
    until(lambda: instances(client, "prepared")[0]["status"] == "Frozen", 60, "frozen")
    known = before(server)
    name = deploy(
        client,
        post,
        "rude",
        BRIEF if wanted["timedOut"] else HOOKS,
        module="import threading\nfree = threading.Event()\n",
        handler="tell('handler')\nfree.wait()\nprint('handler is free')",
        preStop="print('first words', flush=True)\n" + body,
    )
    task_id = client.submit(name).task_id
    post.wait("handler")
    task = stopped(client, name, task_id)
    no_strays(server, known)

    came = task.events[-1].detail["preStop"]
    assert came | wanted == came
    assert task.events[-1].detail["processesLeft"] == 0
    text = log(client, name, task)
    own = detail(client, task.instance_id, "preStop")["requestId"]
    assert text.count("FC PreStop Start") == text.count("FC PreStop End") == 1, text
    assert f"FC PreStop Start RequestId: {own}\nfirst words\n" in text
    assert text.count("first words") == 1
    ending = text.splitlines()[-1]
    assert ending.startswith(f"FC PreStop End RequestId: {own}")
    assert ("Error: " in ending) is not wanted["ok"]
    assert text.count("FC Invoke End") == 1
    assert len(text) < 80_000


def test_a_second_stop_and_a_stop_by_two_clients_are_one(server: LiveServer, client: Client, post: Post) -> None:
    """PreStop runs once, both callers are told yes, the history has one Stopping; afterwards: 412."""
    name = deploy(client, post, "twice", {"preStop": 60}, handler="tell('handler')\nwhile True: pass")
    post.hold("preStop")
    task_id = client.submit(name).task_id
    post.wait("handler")
    others = [server.client() for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda one: one.stop_task(name, task_id), others)) == [None] * 8
    post.wait("preStop")
    assert client.get_task(name, task_id).status is Status.STOPPING
    client.stop_task(name, task_id)
    post.let_go()
    task = client.wait(name, task_id, timeout=60)

    assert path(task) == ["Enqueued", "Dequeued", "Running", "Stopping", "Stopped"]
    assert post.said() == ["handler", "preStop"]
    assert names(client, task.instance_id).count("preStop") == 1
    with pytest.raises(Conflict):
        client.stop_task(name, task_id)


def test_a_stop_during_initializer(client: Client, post: Post) -> None:
    """No PreStop, for it was never initialized; the instance goes, the handler never runs."""
    name = deploy(client, post, "early", {"initializer": 60, "preStop": 5})
    post.hold("initializer")
    task_id = client.submit(name).task_id
    used = post.wait("initializer")
    task = stopped(client, name, task_id)

    assert path(task) == ["Enqueued", "Dequeued", "Running", "Stopping", "Stopped"]
    assert task.events[-1].detail["processesLeft"] == 0
    assert "preStop" not in task.events[-1].detail
    assert post.said() == ["initializer"]
    text = log(client, name, task)
    assert f"FC Initialize End RequestId: {task.request_id}, Error: Invocation canceled by client" in text
    assert "FC Invoke" not in text
    reach(client, used, "Destroyed")


def test_a_handler_that_answers_during_pre_stop_has_not_won(client: Client, post: Post) -> None:
    """The stop was durable first: the answer counts for nothing."""
    name = deploy(
        client,
        post,
        "answering",
        {"preStop": 60},
        handler="tell('handler')\nreturn 'too late'",
        preStop="tell('preStop')",
    )
    post.hold("handler", "preStop")
    task_id = client.submit(name).task_id
    post.wait("handler")
    client.stop_task(name, task_id)
    post.wait("preStop")
    post.let_go("handler")
    until(lambda: not instances(client, name)[0]["inFlight"], 60, "answered")
    assert client.get_task(name, task_id).status is Status.STOPPING
    post.let_go()
    task = client.wait(name, task_id, timeout=60)
    assert (task.status, task.result) == (Status.STOPPED, b"")
    assert task.events[-1].detail["preStop"]["ok"] is True


def test_a_stop_leaves_other_tasks_of_the_function_alone(client: Client, post: Post) -> None:
    """Each has its own instance."""
    name = deploy(client, post, "neighbours", HOOKS, handler="tell(event.decode())\nreturn event")
    post.hold("a", "b", "c")
    tasks = {word: client.submit(name, word).task_id for word in "abc"}
    for word in "abc":
        post.wait(word)
    stopped(client, name, tasks["b"])
    post.let_go()
    assert {client.wait(name, tasks[word], timeout=60).status for word in "ac"} == {Status.SUCCEEDED}
    assert post.said().count("preStop") == 1


def test_a_followed_log_shows_the_stop_to_its_end(client: Client, post: Post) -> None:
    """The follower gets the last words of PreStop, and then its end."""
    name = deploy(
        client,
        post,
        "followed",
        HOOKS,
        handler="print('working')\ntell('on')\nwhile True: pass",
        preStop="print('bye')",
    )
    task_id = client.submit(name).task_id
    post.wait("on")
    with ThreadPoolExecutor(1) as threads:
        pieces = client.logs(name, task_id, follow=True)
        first = next(iter(pieces))
        reading = threads.submit(lambda: first + "".join(pieces))
        task = stopped(client, name, task_id)
        text = reading.result(60)
    assert text == log(client, name, task)
    assert "working\n" in text
    assert "\nbye\n" in text
    assert "FC PreStop End" in text.splitlines()[-1]
