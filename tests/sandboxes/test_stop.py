"""Ends: of hostile handlers, of memory hogs, of agents and zygotes, of a whole server. Nothing is ever left."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from live_sandbox import BOTH, ROOT, Live, Output, driver, run
from sojourn.errors import InstanceStartFailed
from sojourn.sandbox import InstanceDied
from sojourn.sandboxes.groups import probe

FAMILY = """
    import hashlib, os, re, signal, sys, threading, time
    def spawn():
        if os.fork() == 0:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    while True:
                        time.sleep(1)
                while True:
                    time.sleep(1)
            os._exit(0)
        os.wait()
    def on():
        print("on", flush=True)
    def sleepers():
        [threading.Thread(target=time.sleep, args=(1000,)).start() for _ in range(8)]
    def used():
        with open(f"/proc/self/task/{os.getpid()}/stat") as file:
            return sum(map(int, file.read().rpartition(")")[2].split()[11:13]))
    def when_busy():
        began = used()
        while used() < began + 10:
            time.sleep(0.01)
        on()
    def derive():
        threading.Thread(target=when_busy).start()
        hashlib.pbkdf2_hmac("sha512", b"x", b"y", 2**31 - 1)
"""
BUSY = {
    "sleep": "on(); time.sleep(1000)",
    "loop": "on()\n        while True: pass",
    "ignores": "signal.signal(signal.SIGTERM, signal.SIG_IGN); on(); time.sleep(1000)",
    "blocks": "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()); on(); time.sleep(1000)",
    "power": "on(); pow(3, 10**9)",
    "regex": "on(); re.match(r'(a+)+$', 'a' * 64 + 'b')",
    "hash": "derive()",
    "family": "spawn(); spawn(); on(); time.sleep(1000)",
    "stopped family": "spawn(); signal.signal(signal.SIGTERM, lambda *_: spawn()); on(); time.sleep(1000)",
    "threads": "sleepers(); on(); time.sleep(1000)",
}
GRACE_SECONDS = 0.2
PATIENT_SECONDS = 20.0
"""The grace of what ends by SIGTERM: how long a loaded machine may take to deliver it."""
DEAF = ("ignores", "blocks", "hash", "stopped family")
"""What SIGTERM cannot end: it is ignored, blocked, caught, or waits for a call into C that looks for no signals."""


def _busy(line: str) -> str:
    return FAMILY + f"\n    def handler(event, context):\n        {line}\n"


@BOTH
def test_every_busy_handler_can_be_stopped(level: str) -> None:
    """Whatever runs, a stop ends it with all descendants; what heeds SIGTERM needs no SIGKILL."""

    async def body() -> None:
        async with Live(level) as live:
            for kind, line in BUSY.items():
                name = await live.make(_busy(line))
                log = Output()
                call = asyncio.ensure_future(live.call(name, b"", log))
                await log.until("on\n")
                ended = await live.stop(name, GRACE_SECONDS if kind in DEAF else PATIENT_SECONDS)
                with pytest.raises(InstanceDied) as died:
                    await call

                assert died.value.exit == ended
                assert ended.processes_left == 0
                assert _strangers(live) == [], kind
                if kind in DEAF:
                    assert (ended.signals_sent, ended.signal) == (("SIGTERM", "SIGKILL"), 9), kind
                else:
                    assert (ended.signals_sent, ended.code) == (("SIGTERM",), 143), kind
            assert live.exits == []

    run(body)


def _strangers(live: Live) -> list[str]:
    """What is in a sandbox besides its agent and a zygote; an instance looks like a second zygote."""
    commands = list(live.processes().values())
    zygotes = [command for command in commands if " zygote {" in command]
    return zygotes[1:] + [command for command in commands if " agent {" not in command and " zygote {" not in command]


@BOTH
def test_a_stop_shows_where_the_code_was(level: str) -> None:
    """SIGTERM writes the stacks of all threads to the execution's output before the end."""

    async def body() -> None:
        async with Live(level) as live:
            name = await live.make(_busy("on(); time.sleep(1000)"))
            log = Output()
            call = asyncio.ensure_future(live.call(name, b"", log))
            await log.until("on\n")
            await live.stop(name, 5.0)
            with pytest.raises(InstanceDied):
                await call

            shown = log.text.partition("Threads:\n")[2].splitlines()
            assert shown[0].startswith("Thread ")
            assert shown[1].endswith("in handler")
            assert "python_runtime" not in log.text

    run(body)


@BOTH
def test_stopping_twice_and_stopping_the_idle(level: str) -> None:
    """Two stops at once get the same end, an idle instance ends by SIGTERM, a stop without grace is SIGKILL at once."""

    async def body() -> None:
        async with Live(level) as live:
            name = await live.make("def handler(event, context): pass")
            first, second = await asyncio.gather(*(live.stop(name, 5.0) for _ in range(2)))
            killed = await live.stop(await live.make("def handler(event, context): pass"), 0.0)

            assert first == second
            assert (first.code, first.signals_sent) == (143, ("SIGTERM",))
            assert (killed.signal, killed.signals_sent) == (9, ("SIGKILL",))
            assert await live.stop(name, 5.0) == first
            assert live.exits == []

    run(body)


HOGS = {
    "one": "kept = [bytearray(8 << 20) for _ in range(100)]",
    "children": "[os.fork() or hog() for _ in range(4)]; time.sleep(1000)",
    "shared": "import mmap; m = mmap.mmap(-1, 600 << 20); m.write(bytes(600 << 20)); time.sleep(1000)",
}


@BOTH
def test_memory_over_the_limit_is_an_end_of_its_own(level: str) -> None:
    """One process, several, or shared memory over the limit: killed, and told as out of memory with peak and limit."""

    async def body() -> None:
        prefix = "import os, time\ndef hog():\n    kept = bytearray(60 << 20)\n    time.sleep(1000)\n"
        async with Live(level) as live:
            for kind, line in HOGS.items():
                source = f"{prefix}def handler(event, context):\n    {line}\n    time.sleep(1000)\n"
                name = await live.make(source, memory_mb=128)
                with pytest.raises(InstanceDied) as died:
                    await live.call(name)

                assert died.value.exit.oom, kind
                assert died.value.exit.memory_limit_bytes == 128 << 20
                assert died.value.exit.memory_peak_bytes >= 128 << 20

    run(body)


@BOTH
def test_a_single_huge_allocation_is_a_memory_error(level: str) -> None:
    """What the backstop refuses is the handler's MemoryError, and sharing pages with children costs nothing."""

    async def body() -> None:
        source = """
            import os
            def handler(event, context):
                if event:
                    return len(bytearray(8 << 30))
                kept = bytearray(70 << 20)
                for _ in range(3):
                    if os.fork() == 0:
                        import time
                        time.sleep(0.3)
                        os._exit(0)
                for _ in range(3):
                    os.wait()
                return "fine"
        """
        async with Live(level) as live:
            name = await live.make(source, memory_mb=128)
            reply = await live.call(name, b"x")

            assert (reply.ok, reply.type) == (False, "MemoryError")
            assert (await live.call(name)).payload == b"fine"

    run(body)


@BOTH
@pytest.mark.skipif(not ROOT, reason="agent and zygote hide from their own user")
def test_a_killed_zygote_is_replaced(level: str) -> None:
    """SIGKILL of a zygote: its instances and their orphans are gone and lost; the next instance gets a new zygote."""

    async def body() -> None:
        async with Live(level) as live:
            name, idle = await live.make(_busy("spawn(); print('born'); time.sleep(1000)")), await live.make(_busy("1"))
            log = Output()
            call = asyncio.ensure_future(live.call(name, b"", log))
            await log.until("born\n")
            os.kill(live.pid_of("zygote"), signal.SIGKILL)
            with pytest.raises(InstanceDied) as died:
                await call
            left = [command for command in live.processes().values() if " zygote {" in command]
            reply = await live.call(await live.make("def handler(event, context): return event"), b"again")

            assert died.value.lost
            assert (died.value.exit.processes_left, left) == (0, [])
            assert sorted(one for one, _ in live.exits) == sorted([name, idle])
            assert reply.payload == b"again"
            assert live.losses == 0

    run(body)


@BOTH
@pytest.mark.skipif(not ROOT, reason="agent and zygote hide from their own user")
def test_a_killed_agent_takes_everything_along(level: str) -> None:
    """SIGKILL of the agent: every call is lost, on_lost comes once and after the last process is gone."""

    async def body() -> None:
        async with Live(level) as live:
            name = await live.make(_busy("spawn(); print('born'); time.sleep(1000)"))
            log = Output()
            call = asyncio.ensure_future(live.call(name, b"", log))
            await log.until("born\n")
            os.kill(live.pid_of("agent"), signal.SIGKILL)
            await live.lost.wait()

            assert live.processes() == {}
            with pytest.raises(InstanceDied) as died:
                await call
            assert died.value.lost
            assert live.sandbox.alive is False
            assert (await live.stop(name, 1.0)).processes_left == 0
            with pytest.raises(InstanceStartFailed) as failed:
                await live.make("")
            assert failed.value.lost
            assert live.losses == 1
            assert live.exits == []

    run(body)


@BOTH
@pytest.mark.skipif(not ROOT, reason="agent and zygote hide from their own user")
def test_an_agent_that_stands_still_is_lost(level: str) -> None:
    """An agent that does not answer three heartbeats is killed with everything in its sandbox."""

    async def body() -> None:
        async with Live(level) as live:
            await live.make("def handler(event, context): pass")
            os.kill(live.pid_of("agent"), signal.SIGSTOP)
            await live.lost.wait()

            assert live.processes() == {}

    run(body)


@pytest.mark.slow
@pytest.mark.skipif(not ROOT, reason="agent and zygote hide from their own user")
def test_a_zygote_that_stands_still_is_ended_with_its_instances() -> None:
    """At level 0 user code can stop a zygote; a stop then takes longer and ends everything all the same."""

    async def body() -> None:
        async with Live("process") as live:
            name = await live.make("def handler(event, context): pass")
            os.kill(live.pid_of("zygote"), signal.SIGSTOP)
            ended = await live.stop(name, 0.0)

            assert ended.processes_left == 0
            assert [command for command in live.processes().values() if " zygote {" in command] == []
            assert (await live.call(await live.make("def handler(event, context): return event"), b"x")).payload == b"x"

    run(body)


@BOTH
def test_a_cancelled_create_leaves_no_instance(level: str) -> None:
    """Cancelling a create ends what was begun; a stop of it returns."""

    async def body() -> None:
        async with Live(level) as live:
            await live.make("")
            made = asyncio.ensure_future(live.make(""))
            await asyncio.sleep(0)
            made.cancel()
            with pytest.raises(asyncio.CancelledError):
                await made
            (name,) = [one for one in live.names if one != live.names[0]]

            assert (await live.stop(name, 1.0)).processes_left == 0
            assert len([command for command in live.processes().values() if " zygote {" in command]) == 1 + ROOT

    run(body)


@BOTH
def test_closing_ends_what_runs(level: str) -> None:
    """close() with busy instances leaves no process; their calls are lost; no on_lost, no on_exit."""

    async def body() -> None:
        async with Live(level) as live:
            name = await live.make(_busy("spawn(); print('born'); time.sleep(1000)"))
            log = Output()
            call = asyncio.ensure_future(live.call(name, b"", log))
            await log.until("born\n")
            await live.sandbox.close()

            assert live.processes() == {}
            with pytest.raises(InstanceDied) as died:
                await call
            assert died.value.lost
            assert (live.losses, live.exits) == (0, [])

    run(body)


TESTS = Path(__file__).resolve().parent.parent
SERVER = """
import asyncio, sys
sys.path[:0] = {path!r}
from live_sandbox import Live, Output
FAMILY = {family!r}
async def main():
    live = Live({level!r})
    live.mark = {mark!r}
    await live.__aenter__()
    live.mark = {mark!r}
    print(live.root, flush=True)
    log = Output()
    call = asyncio.ensure_future(live.call(await live.make(FAMILY), b"", log))
    await log.until("born\\n")
    print("ready", flush=True)
    await call
asyncio.run(main())
"""


@BOTH
@pytest.mark.parametrize("how", ["killed", "killed with a stopped agent"])
def test_what_a_killed_server_leaves_is_reaped(level: str, how: str) -> None:
    """After SIGKILL of a server, `reap` returns with no process of it left, even when its agent could not clear up."""
    if how != "killed" and not ROOT:
        pytest.skip("agent and zygote hide from their own user")

    async def body() -> None:
        live = Live(level)
        live.driver = await driver(level)
        path = [str(TESTS), *sys.path]
        family = _busy("spawn(); print('born'); time.sleep(1000)")
        program = SERVER.format(path=path, level=level, mark=live.mark, family=family)
        server = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220 - nothing else runs here
        assert server.stdout is not None
        with server, server.stdout as words:
            try:
                root = Path(words.readline().strip())
                assert words.readline() == "ready\n"
                assert len(live.processes()) >= 2
                if how != "killed":
                    os.kill(live.pid_of("agent"), signal.SIGSTOP)
                    os.kill(live.pid_of("zygote"), signal.SIGSTOP)
            finally:
                server.kill()
        await live.driver.reap(root, "another mark")
        reaped = await live.driver.reap(root, live.mark)

        assert live.processes() == {}
        assert not [path for base in set(probe().places.values()) for path in base.glob(f"{live.mark}*")]
        assert await live.driver.reap(root, live.mark) == 0
        if how != "killed" and level == "process":
            assert reaped >= 2
        live._temporary.cleanup()

    run(body)
