"""Programs that are not Python and mean no good: stopped, timed out, exited, and nothing of them is left."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from end_to_end.isolation import BRISK
from end_to_end.lives import detail, instances, log, path, reach, run, stopped
from end_to_end.post import PRELUDE, Post
from live import LiveServer, until
from programs import SHEBANG
from sojourn.client import Client, Status
from sojourn.runtimes.node import NodeRuntime

needs_node = pytest.mark.skipif(not NodeRuntime().interpreters(), reason="needs Node.js")

NODE = """
const net = require('net');
function tell(word) {
    return new Promise((resolve) => {
        const wire = net.connect(Number(process.env.POST), '127.0.0.1', () => {
            wire.write(process.env.FC_INSTANCE_ID + ' ' + word + '\\n');
        });
        wire.on('data', () => { wire.end(); resolve(); });
    });
}
exports.preStop = async (context) => { await tell('preStop ' + context.stopReason); PRE_STOP };
exports.preFreeze = async (context) => { await tell('preFreeze'); PRE_FREEZE };
exports.handler = async (event, context) => {
    await tell('handler');
    if (event.length === 0) return 1;
    HANDLER
};
"""
NODE_HANDLERS = {
    "awaits": ("await new Promise(() => setTimeout(() => {}, 1e9));", True),
    "computes": ("while (true) {}", False),
    "swallows": (
        """
        for (const one of ['SIGTERM', 'uncaughtException']) process.on(one, () => {});
        await new Promise(() => setTimeout(() => {}, 1e9));
        """,
        True,
    ),
    "has children": (
        """
        const { spawn } = require('child_process');
        spawn('sleep', ['3600'], {detached: true}).unref();
        spawn('sh', ['-c', 'trap "" TERM; while :; do sleep 1; done'], {detached: true});
        await new Promise(() => setTimeout(() => {}, 1e9));
        """,
        True,
    ),
}

SERVER = (
    SHEBANG
    + PRELUDE
    + """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
given_up = threading.Event()

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body=b""):
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        event = self.rfile.read(int(self.headers["content-length"]))
        if event:
            tell("handler " + event.decode())
            exec(os.environ["HANDLER"])
        else:
            tell("handler")
        self.answer(event)

    def do_GET(self):
        tell(self.path)
        exec(os.environ.get("HOOK", "pass"))
        self.answer()

    def do_DELETE(self):
        tell("DELETE")
        exec(os.environ.get("DELETE", "given_up.set()"))
        self.answer()

    def log_message(self, *_):
        pass

ThreadingHTTPServer(("0.0.0.0", int(os.environ["FC_SERVER_PORT"])), Handler).serve_forever()
"""
)
PROGRAMS = {
    "waits": "time.sleep(3600)",
    "ignores SIGTERM": "import subprocess; subprocess.run(['sh', '-c', 'trap \"\" TERM; while :; do sleep 1; done'])",
    "scatters its family": (
        "for _ in range(3):\n    if os.fork() == 0:\n        os.setsid()\n        time.sleep(3600)\ntime.sleep(3600)"
    ),
    "sends half an answer": r"""
self.wfile.write(b'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf')
time.sleep(3600)
""",
    "sends a head without end": r"""
self.wfile.write(b'HTTP/1.1 200 OK\r\nx: ' + b'y' * 4000)
time.sleep(3600)
""",
}


@pytest.fixture
def client(server: LiveServer) -> Client:
    """The owner's."""
    return server.client()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where code is put."""
    return tmp_path


def deploy(client: Client, post: Post, directory: Path, name: str, files: dict[str, str], **settings: Any) -> str:
    """A function of `files`, which are executable."""
    for place, text in files.items():
        (directory / place).write_text(text)
        (directory / place).chmod(0o755)
    variables = {**post.env, **settings.pop("env", {})}
    client.deploy(
        name,
        directory,
        retries=0,
        env=variables,
        settings={"timeout": 600, "memorySize": 256, "diskSize": 512, **settings},
    )
    return name


def program(client: Client, post: Post, directory: Path, name: str, **settings: Any) -> str:
    """A custom function with PreStop."""
    hooks = {"preStop": {"handler": "preStop", "timeout": 30}, "preFreeze": {"handler": "preFreeze", "timeout": 30}}
    hooks.update(settings.pop("hooks", {}))
    more = {"runtime": "custom", "handler": "index.handler", "instanceLifecycleConfig": hooks, **settings}
    return deploy(client, post, directory, name, {"bootstrap": SERVER}, **more)


@needs_node
@pytest.mark.parametrize("kind", NODE_HANDLERS)
def test_a_hostile_node_function_is_stopped(
    server: LiveServer, client: Client, post: Post, directory: Path, kind: str
) -> None:
    """PreStop runs while it awaits and cannot while it computes; then nothing of it is left."""
    handler, hooked = NODE_HANDLERS[kind]
    source = NODE.replace("HANDLER", handler).replace("PRE_STOP", "").replace("PRE_FREEZE", "")
    name = deploy(
        client,
        post,
        directory,
        "hostile",
        {"index.js": source},
        runtime="nodejs20",
        handler="index.handler",
        instanceLifecycleConfig={"preStop": {"handler": "index.preStop", "timeout": 30 if hooked else 1}},
        idleTimeout=0,
    )
    run(client, name)
    until(lambda: not instances(client, name), 60, "gone")
    known = set(server.processes())
    task_id = client.submit(name, "x").task_id
    post.wait("handler", 2)
    task = stopped(client, name, task_id)
    assert set(server.processes()) <= known
    assert task.events[-1].detail["processesLeft"] == 0
    assert task.events[-1].detail["preStop"]["ok"] is hooked
    assert ("preStop stop" in post.said(task.instance_id)) is hooked


@needs_node
def test_a_node_function_whose_hooks_hang_goes_on(client: Client, post: Post, directory: Path) -> None:
    """PreFreeze that never ends costs the instance and no task; PreStop that never ends costs its time."""
    hangs = "await new Promise(() => setTimeout(() => {}, 1e9));"
    source = NODE.replace("HANDLER", "").replace("PRE_STOP", hangs).replace("PRE_FREEZE", hangs)
    hooks = {name: {"handler": f"index.{name}", "timeout": 1} for name in ("preFreeze", "preStop")}
    name = deploy(
        client,
        post,
        directory,
        "hanging",
        {"index.js": source},
        runtime="nodejs20",
        handler="index.handler",
        instanceLifecycleConfig=hooks,
    )
    first = run(client, name)
    reach(client, first.instance_id, "Destroyed")
    assert detail(client, first.instance_id, "preStop")["timedOut"] is True
    assert run(client, name).succeeded


@pytest.mark.parametrize("kind", PROGRAMS)
def test_a_hostile_program_is_stopped(
    server: LiveServer, client: Client, post: Post, directory: Path, kind: str
) -> None:
    """PreStop runs while the program is busy; then nothing of it is left."""
    name = program(client, post, directory, "hostile", env={"HANDLER": PROGRAMS[kind]}, idleTimeout=0)
    run(client, name)
    until(lambda: not instances(client, name), 60, "gone")
    known = set(server.processes())
    task_id = client.submit(name, "x").task_id
    post.wait("handler x")
    task = stopped(client, name, task_id)
    assert set(server.processes()) <= known
    assert path(task) == ["Enqueued", "Dequeued", "Running", "Stopping", "Stopped"]
    assert task.events[-1].detail["processesLeft"] == 0
    assert task.events[-1].detail["preStop"]["ok"] is True
    assert post.said(task.instance_id)[-1] == "/pre-stop"


@pytest.mark.parametrize("hook", ["time.sleep(3600)", "os._exit(3)", "self.wfile.write(b'nonsense'); return"])
def test_a_program_whose_pre_stop_is_hostile_is_stopped(
    server: LiveServer, client: Client, post: Post, directory: Path, hook: str
) -> None:
    """It costs its time at most."""
    only = {"preFreeze": {"handler": ""}, "preStop": {"handler": "preStop", "timeout": 1}}
    variables = {"HANDLER": "time.sleep(3600)", "HOOK": hook}
    name = program(client, post, directory, "rude", hooks=only, env=variables, idleTimeout=0)
    task_id = client.submit(name, "x").task_id
    post.wait("handler x")
    task = stopped(client, name, task_id)
    assert task.events[-1].detail["processesLeft"] == 0
    assert task.events[-1].detail["preStop"]["ok"] is False
    until(lambda: not instances(client, name), 60, "gone")
    assert "/pre-stop" in post.said()
    assert "FC PreStop End RequestId: " in log(client, name, task).splitlines()[-1]
    assert server.log().count("Traceback") == 0


def test_a_program_that_exits_in_the_middle(client: Client, post: Post, directory: Path) -> None:
    """The task says so; the next one gets another instance."""
    name = program(client, post, directory, "exiting", env={"HANDLER": "os._exit(4)"})
    task = run(client, name, "x")
    assert task.status is Status.FAILED
    assert json.loads(task.result)["errorType"] == "FunctionUnhandledError"
    assert "exit status 4" in json.loads(task.result)["errorMessage"]
    assert run(client, name).succeeded


def test_a_program_that_takes_too_long(client: Client, post: Post, directory: Path) -> None:
    """It is timed out, through PreStop."""
    name = program(client, post, directory, "slow", env={"HANDLER": "time.sleep(3600)"}, timeout=1)
    task = run(client, name, "x")
    assert json.loads(task.result)["errorType"] == "FunctionTimeoutError"
    assert task.events[-1].detail["preStop"]["ok"] is True


def test_one_of_several_is_stopped_and_the_others_go_on(client: Client, post: Post, directory: Path) -> None:
    """The program is asked with DELETE and gives it up: the instance stays, and takes another."""
    handler = "given_up.wait() if event == b'a' else tell('end ' + event.decode())"
    name = program(client, post, directory, "shared", env={"HANDLER": handler}, instanceConcurrency=4)
    reach(client, run(client, name).instance_id, "Frozen")  # so that all that follow meet in it
    post.hold("end b", "end c")
    tasks = {word: client.submit(name, word).task_id for word in "abc"}
    for word in "abc":
        post.wait(f"handler {word}")
    assert len(instances(client, name)) == 1
    task = stopped(client, name, tasks["a"])
    assert task.events[-1].detail["cancelled"] is True
    assert post.said().count("DELETE") == 1
    post.let_go()
    ended = [client.wait(name, tasks[word], timeout=60) for word in "bc"]
    assert [(one.status, one.instance_id) for one in ended] == [(Status.SUCCEEDED, task.instance_id)] * 2
    assert "/pre-stop" not in post.said()


def test_one_of_several_that_is_not_given_up_takes_the_instance_along(
    client: Client, post: Post, directory: Path
) -> None:
    """After the grace; the others are lost through our doing, and are tried again without a retry being allowed."""
    handler = "tell('end ' + event.decode())"
    name = program(
        client,
        post,
        directory,
        "stubborn",
        env={"HANDLER": handler, "DELETE": "time.sleep(3600)"},
        instanceConcurrency=4,
    )
    reach(client, run(client, name).instance_id, "Frozen")  # so that all that follow meet in it
    post.hold("end a", "end b")
    tasks = {word: client.submit(name, word).task_id for word in "ab"}
    for word in "ab":
        post.wait(f"handler {word}")
    task = stopped(client, name, tasks["a"])
    assert task.events[-1].detail["processesLeft"] == 0
    assert "cancelled" not in task.events[-1].detail
    post.let_go()
    other = client.wait(name, tasks["b"], timeout=60)
    assert path(other) == ["Enqueued", "Dequeued", "Running", "Retrying", "Running", "Succeeded"]
    assert other.already_retried_times == 0
    assert other.events[3].detail["errorType"] == "InstanceLost"


def test_a_caller_who_leaves_one_of_several_calls(
    server: LiveServer, client: Client, post: Post, directory: Path
) -> None:
    """The program is asked to give that one up; places that are taken stay taken, and nobody gets an error for it."""
    handler = "given_up.wait() if event == b'a' else tell('end ' + event.decode())"
    name = program(client, post, directory, "left", env={"HANDLER": handler}, instanceConcurrency=2)
    reach(client, run(client, name).instance_id, "Frozen")  # so that all that follow meet in it
    post.hold("end b")
    other = client.submit(name, "b").task_id
    post.wait("handler b")
    with pytest.raises(Exception, match="did not answer in time"):
        client.invoke(name, "a", timeout=5)
    post.wait("DELETE")
    with ThreadPoolExecutor(4) as threads:
        others = [server.client() for _ in range(4)]
        results = list(threads.map(lambda one: one.invoke(name, b"", timeout=60).result, others))
    assert results == [b""] * 4
    post.let_go()
    assert client.wait(name, other, timeout=60).succeeded


NEVER_SERVES = SHEBANG + PRELUDE + "\ntell('up')\ntime.sleep(3600)\n"


def test_a_program_that_never_serves_is_ended_by_an_update_and_a_deletion(
    client: Client, post: Post, directory: Path
) -> None:
    """Its start is cut short; the task that waited for it runs on the new code, the one of no function is Invalid."""
    name = deploy(client, post, directory, "asleep", {"bootstrap": NEVER_SERVES}, runtime="custom")
    task_id = client.submit(name).task_id
    used = post.wait("up")
    program(client, post, directory, name)
    task = client.wait(name, task_id, timeout=60)
    assert (task.status, task.already_retried_times) == (Status.SUCCEEDED, 0)
    assert detail(client, used, "StopBegun") == {"reason": "update"}
    deploy(
        client, post, directory, name, {"bootstrap": NEVER_SERVES}, instanceLifecycleConfig={"preStop": {"handler": ""}}
    )
    task_id = client.submit(name).task_id
    post.wait("up", 2)
    client.delete_function(name)
    assert client.wait(name, task_id, timeout=60).status is Status.INVALID
    until(lambda: not instances(client, name), 60, "gone")


def test_a_program_that_never_serves_does_not_hold_up_a_drain(sandbox: str, post: Post, directory: Path) -> None:
    """Its task waits for the next start of the server."""
    with LiveServer(sandbox=sandbox, settings=BRISK) as server:
        client = server.client()
        name = deploy(client, post, directory, "asleep", {"bootstrap": NEVER_SERVES}, runtime="custom")
        task_id = client.submit(name).task_id
        post.wait("up")
        assert server.terminate() == 0, server.log()
        assert server.processes() == []
        server.start()
        post.wait("up", 2)
        assert not server.client().get_task(name, task_id).over
