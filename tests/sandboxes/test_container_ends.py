"""How containers end: by a stop, by themselves, frozen, over their memory, with their sandbox, after their server."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator

import msgspec
import pytest

from images import containers, image, make, podman
from live_sandbox import ROOT, Live, run
from sojourn import engine
from sojourn.function import CustomContainer
from sojourn.sandbox import InstanceDied

GROWS = """\
import os, time
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        megabytes = int(self.rfile.read(int(self.headers["content-length"])))
        kept = []
        for _ in range(megabytes // 10):
            kept.append(b"x" * 10_000_000)
            time.sleep(0.02)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass

HTTPServer(("0.0.0.0", int(os.environ["FC_SERVER_PORT"])), Handler).serve_forever()
"""
"""Grows by as many megabytes as it is told: too many for its instance, and few for a machine."""
SPINS = """\
import os, threading
from http.server import BaseHTTPRequestHandler, HTTPServer

count = 0

def spin():
    global count
    while True:
        count += 1

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        before, more = count, self.rfile.read(int(self.headers["content-length"]))
        while more and count == before:
            pass
        body = str(count).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

threading.Thread(target=spin, daemon=True).start()
HTTPServer(("0.0.0.0", int(os.environ["FC_SERVER_PORT"])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """An image of the program that the custom runtime's tests run."""
    with image() as name:
        yield name


def test_a_program_that_takes_sigterm_ends_in_its_own_way(server: str) -> None:
    """It is the first process of the container, so only a handler of its own takes the signal."""
    program = ["-c", "import signal, sys, http.server as h\nsignal.signal(15, lambda *_: sys.exit(0))\n"]
    program[1] += "h.HTTPServer(('', 9000), h.SimpleHTTPRequestHandler).serve_forever()"
    wanted = CustomContainer(image=server, entrypoint=["/usr/bin/python3"], command=program)

    async def body() -> None:
        async with Live("container", network="none") as live:
            name = await make(live, server, container=wanted)
            exit_ = await live.stop(name, 30.0)
            assert (exit_.code, exit_.signals_sent) == (0, ("SIGTERM",))
            assert containers(live.mark) == []

    run(body)


def test_a_frozen_container_uses_no_cpu() -> None:
    """A busy thread stands still until the thaw."""
    with image("\n" + SPINS) as name:

        async def body() -> None:
            async with Live("container", network="none") as live:
                spins = await make(live, name)
                await live.freeze(spins)
                before = (await live.sandbox.usage(spins)).cpu_seconds
                await asyncio.sleep(0.3)
                assert (await live.sandbox.usage(spins)).cpu_seconds == pytest.approx(before, abs=0.02)
                live.sandbox.thaw(spins)
                first = int((await live.call(spins)).payload)
                assert int((await live.call(spins, b"more")).payload) > first
                await live.freeze(spins)
                exit_ = await live.stop(spins, 0.0)
                assert exit_.processes_left == 0

        run(body)


def test_a_crash_is_told_with_its_code(server: str) -> None:
    """The container is forgotten by then."""

    async def body() -> None:
        async with Live("container", network="none") as live:
            name = await make(live, server)
            with pytest.raises(InstanceDied) as caught:
                await live.call(name, b"exit")
            assert (caught.value.exit.code, caught.value.exit.oom, caught.value.lost) == (7, False, False)
            assert containers(live.mark) == []
            assert [one for one, _ in live.exits] == [name]

    run(body)


@pytest.mark.parametrize("holder", ["engine", "guard"])
def test_too_much_memory_is_told_as_that(server: str, holder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the limit and what was used, whoever holds it."""
    found = engine.found()
    if holder == "guard":
        monkeypatch.setattr(engine, "found", lambda: msgspec.structs.replace(found, limits=False))
    elif not found.limits:
        pytest.skip("the engine cannot hold limits here")
    wanted = CustomContainer(image=server, entrypoint=["/usr/bin/python3"], command=["-c", GROWS])

    async def body() -> None:
        async with Live("container", network="none") as live:
            name = await make(live, server, container=wanted, memory_mb=128)
            with pytest.raises(InstanceDied) as caught:
                await live.call(name, b"400")
            exit_ = caught.value.exit
            assert exit_.oom
            assert exit_.memory_limit_bytes == 128 << 20
            assert 100 << 20 < exit_.memory_peak_bytes < 400 << 20
            assert containers(live.mark) == []

    run(body)


def test_a_create_that_is_given_up_leaves_no_container(server: str) -> None:
    """At whatever moment of it."""

    async def body() -> None:
        async with Live("container", network="none") as live:
            for seconds in (0.0, 0.05, 0.15, 0.3, 0.45):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(make(live, server), seconds)
            name = await make(live, server)
            await live.sandbox.close()
            assert (containers(live.mark), live.processes()) == ([], {})
            assert live.names[-1] == name

    run(body)


@pytest.mark.skipif(not ROOT, reason="the agent hides from its own user")
def test_the_end_of_the_sandbox_is_the_end_of_its_containers(server: str) -> None:
    """Also when its agent is killed; other containers stay."""

    async def body() -> None:
        async with Live("container", network="none") as live, Live("container", network="none") as other:
            await make(live, server)
            kept = await make(other, server)
            os.kill(live.pid_of("agent"), 9)
            await asyncio.wait_for(live.lost.wait(), 60)
            assert (live.processes(), containers(live.mark)) == ({}, [])
            assert len(containers(other.mark)) == 1
            assert (await other.call(kept, b"x")).payload == b"x"

    run(body)


def test_what_a_killed_server_left_is_reaped(server: str) -> None:
    """By its mark, as the next server does when it starts."""

    async def body() -> None:
        async with Live("container", network="none") as live:
            root = live.root / "sandboxes"
            (root / "account.containers").mkdir(parents=True)
            podman(
                "create",
                "--pull=never",
                "--label=sojourn.mark=another",
                "--name=sojourn-kept",
                "--network=none",
                server,
            )
            try:
                await live.driver.reap(root, live.mark)
                assert (containers(live.mark), containers("another")) == ([], ["sojourn-kept"])
            finally:
                podman("rm", "--force", "sojourn-kept")

    run(body)


def test_two_servers_may_call_an_instance_the_same(server: str) -> None:
    """They name instances by the clock, so one day they will: each has a container of its own."""

    async def body() -> None:
        async with Live("container", network="none") as live, Live("container", network="none") as other:
            for each in (live, other):
                await make(each, server, instance_id="c-same")
            await other.stop("c-same", 0.0)
            assert (await live.call("c-same", b"x")).payload == b"x"

    run(body)
