"""Containers of a real engine: what is asked of them, what holds them, and that nothing of them is left."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from images import containers, image, make, need
from live_sandbox import ROOT, Live, Output, run
from sojourn.errors import InstanceStartFailed
from sojourn.function import CustomContainer, CustomRuntime, HealthCheck
from sojourn.sandbox import InstanceDied

PROBE = """\
import json, os, socket
from http.server import BaseHTTPRequestHandler, HTTPServer

def reached(place):
    try:
        socket.create_connection(place, timeout=2).close()
        return True
    except OSError:
        return False

def writes(path):
    try:
        open(path, "w").close()
        return True
    except OSError:
        return False

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
        body = json.dumps({
            "user": os.getuid(), "pid": os.getpid(), "processes": sum(one.isdigit() for one in os.listdir("/proc")),
            "rights": int(status["CapEff"], 16), "no_new": status["NoNewPrivs"], "filter": status["Seccomp"],
            "root": writes("/x"), "tmp": writes("/tmp/x"), "code": os.path.exists("/code/index.py"),
            "variables": dict(os.environ), "reached": reached(tuple(asked)),
            "interfaces": sorted(name for _, name in socket.if_nameindex()),
        }).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

HTTPServer(("0.0.0.0", int(os.environ["FC_SERVER_PORT"])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """An image of the program that the custom runtime's tests run."""
    with image() as name:
        yield name


@pytest.fixture(scope="module")
def probe() -> Iterator[str]:
    """An image that says what it sees."""
    with image("\n" + PROBE) as name:
        yield name


def test_an_invocation_goes_in_and_its_output_comes_out(server: str) -> None:
    """With nothing left afterwards, in the engine's books or among the processes."""

    async def body() -> None:
        async with Live("container", network="none") as live:
            name = await make(live, server)
            log = Output()
            reply = await live.call(name, b"hello", log)
            assert (reply.ok, reply.payload) == (True, b"hello")
            assert log.text == "1-test got hello\n"
            assert (await live.call(name, b"fail")).type == "InkError"
            usage = await live.sandbox.usage(name)
            assert 1 << 20 < usage.memory_bytes < 64 << 20
            assert usage.processes >= 1
            exit_ = await live.stop(name, 0.0)
            assert (exit_.signals_sent, exit_.processes_left) == (("SIGKILL",), 0)
            assert containers(live.mark) == []
            assert live.strays() == []

    run(body)


def test_a_container_has_no_rights_and_sees_itself_only(probe: str) -> None:
    """Its own user as root, its own processes, a root it cannot write to, no network, the code where there is some."""

    async def body() -> None:
        async with Live("container", network="none") as live:
            with_break = "one\ntwo"
            name = await make(
                live, probe, {"GREETING": "hello there", "LINES": with_break, "LD_PRELOAD": "/nowhere.so"}
            )
            reply = await live.call(name, json.dumps(["127.0.0.1", 22]).encode())
            seen = json.loads(reply.payload)
            assert seen["user"] == (live.uid if ROOT else 0)
            assert (seen["pid"], seen["processes"], seen["rights"]) == (1, 1, 0)
            assert (seen["no_new"], seen["filter"]) == ("1", "2")
            assert (seen["root"], seen["tmp"], seen["code"]) == (False, True, True)
            assert (seen["reached"], seen["interfaces"]) == (False, ["lo"])
            variables = seen["variables"]
            assert variables["FROM_IMAGE"] == "yes"
            assert (variables["GREETING"], variables["LINES"]) == ("hello there", with_break)
            assert (variables["FC_SERVER_PORT"], variables["FC_FUNC_CODE_PATH"]) == ("9000", "/code")

    run(body)


def test_the_host_s_network_gives_each_its_own_port(probe: str) -> None:
    """And what listens on the machine can be reached."""

    async def body() -> None:
        async with Live("container", network="host") as live:
            first, second = await make(live, probe), await make(live, probe)
            heard = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
            place = json.dumps(heard.sockets[0].getsockname()).encode()
            seen = [json.loads((await live.call(name, place)).payload) for name in (first, second)]
            heard.close()
            assert [one["reached"] for one in seen] == [True, True]
            assert len({one["variables"]["PORT"] for one in seen}) == 2
            offline = await make(live, probe, offline=True)
            assert json.loads((await live.call(offline, place)).payload)["interfaces"] == ["lo"]

    run(body)


def test_entrypoint_and_command_replace_the_image_s(server: str) -> None:
    """Words are passed on as they are."""
    words = ["-c", "import sys; print(sys.argv[1:]); sys.exit(3)", "a b", "$HOME", "--x"]
    wanted = CustomContainer(image=server, entrypoint=["/usr/bin/python3"], command=words)

    async def body() -> None:
        async with Live("container", network="none") as live:
            with pytest.raises(InstanceStartFailed) as caught:
                await make(live, server, container=wanted)
            assert caught.value.cause == "CAExited"
            assert "exited unexpectedly(code 3" in caught.value.message
            assert "['a b', '$HOME', '--x']" in caught.value.message
            assert containers(live.mark) == []

    run(body)


@pytest.mark.parametrize(
    ("container", "cause", "words"),
    [
        (
            CustomContainer(image="localhost/not-there:1"),
            "ImageMissing",
            "/not-there:1 is not on this server",
        ),
        (CustomContainer(image="", entrypoint=["/nothing"]), "CAFileNotFound", "/nothing' cannot be executed"),
    ],
)
def test_a_container_that_does_not_start_says_why(
    server: str, container: CustomContainer, cause: str, words: str
) -> None:
    """And nothing is left of it."""
    wanted = CustomContainer(image=container.image or server, entrypoint=container.entrypoint)

    async def body() -> None:
        async with Live("container", network="none") as live:
            with pytest.raises(InstanceStartFailed) as caught:
                await make(live, server, container=wanted)
            assert (caught.value.cause, caught.value.lost) == (cause, False)
            assert words in caught.value.message
            assert containers(live.mark) == []

    run(body)


def test_hooks_are_asked_for_over_http(server: str) -> None:
    """Initializer before the first invocation, PreFreeze before a freeze, PreStop while an invocation runs."""

    async def body() -> None:
        async with Live("container", network="none") as live:
            name = await make(live, server, hooks={"initializer": 5, "pre_freeze": 5, "pre_stop": 5})
            log = Output()
            assert (await live.initialize(name, log)).ok
            frozen = await live.freeze(name, log)
            assert frozen is not None
            assert frozen.ok
            live.sandbox.thaw(name)
            busy = asyncio.ensure_future(live.call(name, b"wait", log))
            await log.until("waits")
            exit_ = await live.stop(name, 0.2, log, task_id="t1")
            with pytest.raises(InstanceDied):
                await busy
            assert exit_.pre_stop is not None
            assert exit_.pre_stop.ok
            assert exit_.signals_sent == ("SIGTERM", "SIGKILL")
            assert "initializing" in log.text
            assert "/pre-freeze /pre-freeze" in log.text
            assert "/pre-stop /pre-stop stop t1 5000" in log.text
            assert containers(live.mark) == []

    run(body)


def test_an_initializer_that_fails_says_so(server: str) -> None:
    """As the custom runtime's does."""

    async def body() -> None:
        async with Live("container", network="none") as live:
            name = await make(live, server, {"INITIALIZE_STATUS": "404"}, hooks={"initializer": 5})
            outcome = await live.initialize(name)
            assert (outcome.ok, outcome.message) == (False, "no database")

    run(body)


def test_several_invocations_share_a_container(server: str) -> None:
    """And one of them can be given up."""

    async def body() -> None:
        async with Live("container", network="none") as live:
            name = await make(live, server, concurrency=3)
            log = Output()
            waiting = [asyncio.ensure_future(live.call(name, b"wait", log, request_id=f"1-{n}")) for n in range(2)]
            await log.until("1-0 waits")
            await log.until("1-1 waits")
            assert await live.sandbox.cancel(name, "1-0", 5.0)
            assert not (await waiting[0]).ok
            assert (await live.call(name, b"more")).payload == b"more"
            await live.stop(name, 0.0)
            with pytest.raises(InstanceDied):
                await waiting[1]

    run(body)


def test_the_health_check_must_hold_before_the_first_invocation(server: str) -> None:
    """As it is configured."""
    health = HealthCheck(http_get_url="/health", period_seconds=1, failure_threshold=1)

    async def body() -> None:
        async with Live("container", network="none") as live:
            custom = CustomRuntime(health_check_config=health)
            await make(live, server, {"HEALTHY": "yes"}, custom=custom)
            with pytest.raises(InstanceStartFailed, match="health check failed on port 9000: GET /health"):
                await make(live, server, custom=custom)

    run(body)


def test_a_driver_says_what_it_found() -> None:
    """Where it works, at least that."""
    need()

    async def body() -> None:
        async with Live("container") as live:
            found = await live.driver.probe()
            assert (found.works, found.reason, found.multi_account) == (True, "", True)

    run(body)
