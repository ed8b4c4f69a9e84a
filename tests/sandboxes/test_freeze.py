"""Freezing: a frozen instance runs nothing at all, whatever it runs, and wakes for all that is asked of it."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from live_sandbox import BOTH, ROOT, Live, Output, run
from sojourn.agent import tree
from sojourn.sandbox import InstanceDied, Usage

BUSY = """
    import mmap, os, threading, time
    counter = mmap.mmap(-1, 4096)
    def spin(place):
        while True:
            for _ in range(1000):
                counter[place] = (counter[place] + 1) % 256
    def breed():
        while True:
            pid = os.fork()
            if pid == 0:
                os.setsid()
                if os.fork() == 0:
                    end = time.monotonic() + 0.02
                    while time.monotonic() < end: pass
                os._exit(0)
            os.waitpid(pid, 0)
    def handler(event, context):
        if event == b"thread":
            threading.Thread(target=spin, args=(0,), daemon=True).start()
        if event == b"child" and os.fork() == 0:
            threading.Thread(target=spin, args=(1,), daemon=True).start()
            spin(2)
        if event == b"breed" and os.fork() == 0:
            breed()
        return os.getpid()
"""


async def _runs(live: Live, name: str, cpu_seconds: float) -> None:
    """Wait until it has used more CPU time than that."""
    while (await live.sandbox.usage(name)).cpu_seconds <= cpu_seconds:
        pass


@BOTH
def test_a_frozen_instance_uses_no_cpu(level: str) -> None:
    """Busy threads, a busy child and one that forks all the time stand still, and go on after a thaw."""

    async def body() -> None:
        async with Live(level) as live:
            for what in (b"thread", b"child", b"breed"):
                name = await live.make(BUSY)
                await live.call(name, what)
                await _runs(live, name, (await live.sandbox.usage(name)).cpu_seconds)
                assert await live.freeze(name) is None
                stands = await live.sandbox.usage(name)
                await asyncio.sleep(0.3)

                later = await live.sandbox.usage(name)  # its memory depends on who else shares pages with it
                assert (later.cpu_seconds, later.processes) == (stands.cpu_seconds, stands.processes), what
                live.sandbox.thaw(name)
                assert (await live.call(name)).ok
                await _runs(live, name, stands.cpu_seconds)
                assert (await live.stop(name, 0.0)).processes_left == 0

    run(body)


@BOTH
def test_it_can_be_frozen_again_and_again(level: str) -> None:
    """Every call after a thaw is answered; a freeze of what is frozen and a thaw of what runs change nothing."""

    async def body() -> None:
        async with Live(level) as live:
            name = await live.make("def handler(event, context): return event")
            for turn in range(20):
                assert await live.freeze(name) is None
                assert await live.freeze(name) is None
                live.sandbox.thaw(name)
                live.sandbox.thaw(name)
                assert (await live.call(name, b"%d" % turn)).payload == b"%d" % turn

    run(body)


@BOTH
def test_a_thaw_overtakes_a_freeze_that_is_not_through(level: str) -> None:
    """A call that is made right behind freeze and thaw is answered, also while PreFreeze runs."""

    async def body() -> None:
        source = """
            def pre_freeze(context):
                print("hook")
            def handler(event, context):
                print("call")
                return event
        """
        async with Live(level) as live:
            for hooks in ({}, {"pre_freeze": 5}):
                name = await live.make(source, hooks=hooks)
                hook, log = Output(), Output()
                freeze = asyncio.ensure_future(live.freeze(name, hook))
                await asyncio.sleep(0)
                live.sandbox.thaw(name)
                reply = await live.call(name, b"x", log)

                assert reply.payload == b"x"
                assert ((await freeze) is None) == (not hooks)
                assert (hook.text, log.text) == ("hook\n" if hooks else "", "call\n")

    run(body)


@BOTH
def test_a_busy_instance_is_not_frozen(level: str) -> None:
    """Freezing what runs something is a mistake of the caller."""

    async def body() -> None:
        async with Live(level) as live:
            source = "import time\ndef handler(event, context):\n    print('on', flush=True)\n    time.sleep(1000)\n"
            name = await live.make(source)
            log = Output()
            call = asyncio.ensure_future(live.call(name, b"", log))
            await log.until("on\n")
            with pytest.raises(RuntimeError, match="runs something"):
                await live.freeze(name)
            await live.stop(name, 0.0)
            with pytest.raises(InstanceDied):
                await call
            with pytest.raises(InstanceDied):
                await live.freeze(name)
            assert await live.sandbox.usage(name) == Usage()

    run(body)


@BOTH
def test_a_frozen_instance_is_stopped_like_any_other(level: str) -> None:
    """PreStop and SIGTERM reach it after a thaw, SIGKILL ends it as it is; nothing is left of its tree."""

    async def body() -> None:
        source = BUSY + "\n    def pre_stop(context): print('ending', context.stop_reason)\n"
        async with Live(level) as live:
            name = await live.make(source, hooks={"pre_stop": 5})
            await live.call(name, b"child")
            await live.freeze(name)
            last = Output()
            ended = await live.stop(name, 5.0, last, reason="idle")

            assert last.text == "ending idle\n"
            assert ended.pre_stop is not None
            assert ended.pre_stop.ok
            assert (ended.code, ended.signals_sent, ended.processes_left) == (143, ("SIGTERM",), 0)
            assert live.strays() == []
            for grace in (5.0, 0.0):
                name = await live.make(source)
                await live.call(name, b"breed")
                await live.freeze(name)
                ended = await live.stop(name, grace)

                assert ended.pre_stop is None
                assert ended.processes_left == 0
                assert (ended.code, ended.signal) == ((143, None) if grace else (None, 9))
                assert live.strays() == []

    run(body)


@BOTH
def test_what_a_function_itself_stopped_stays_stopped(level: str) -> None:
    """A child that user code had stopped is not woken by a thaw, and the others are."""

    async def body() -> None:
        source = """
            import os, signal, time
            pids = []
            def state(pid):
                with open(f"/proc/{pid}/stat") as file:
                    return file.read().rpartition(")")[2].split()[0]
            def handler(event, context):
                if not pids:
                    for _ in range(2):
                        pid = os.fork()
                        if pid == 0:
                            while True: time.sleep(1000)
                        pids.append(pid)
                    os.kill(pids[0], signal.SIGSTOP)
                    os.waitpid(pids[0], os.WUNTRACED)
                while state(pids[1]) == "R":
                    pass
                return state(pids[0]) + state(pids[1])
        """
        async with Live(level) as live:
            name = await live.make(source)
            await live.call(name)
            await live.freeze(name)
            live.sandbox.thaw(name)

            assert (await live.call(name)).payload == b"TS"

    run(body)


@BOTH
@pytest.mark.skipif(not ROOT, reason="needs to see the processes of other users")
def test_every_thread_of_a_frozen_tree_is_stopped(level: str) -> None:
    """/proc shows nothing of it in any state but stopped, or ended."""

    async def body() -> None:
        async with Live(level) as live:
            name = await live.make(BUSY)
            zygote = set(live.processes())
            for what in (b"thread", b"child", b"breed"):
                await live.call(name, what)
            await live.freeze(name)
            found = set(live.processes()) - zygote
            states = set[bytes]().union(*(tree.states(pid) for pid in found))

            assert len(found) >= 2
            assert states <= {b"T", b"Z"}

    run(body)


@BOTH
def test_usage_counts_the_whole_tree(level: str) -> None:
    """Memory, its peak, CPU time and processes, of a busy instance and of a frozen one."""

    async def body() -> None:
        source = """
            import os, time
            def handler(event, context):
                held, told = os.pipe()
                for _ in range(2):
                    if os.fork() == 0:
                        kept = bytearray(30 << 20)
                        os.write(told, b"x")
                        time.sleep(1000)
                end = time.process_time() + 0.2
                while time.process_time() < end: pass
                for _ in range(2): os.read(held, 1)
                print("on", flush=True)
                time.sleep(1000 if event else 0)
        """
        async with Live(level) as live:
            for event in (b"", b"x"):
                name = await live.make(source)
                log = Output()
                call = asyncio.ensure_future(live.call(name, event, log))
                await log.until("on\n")
                if not event:
                    await call
                    await live.freeze(name)
                used = await live.sandbox.usage(name)

                assert used.processes == 3
                assert 60 << 20 < used.memory_bytes < 120 << 20
                assert used.memory_peak_bytes >= used.memory_bytes
                assert 0.15 < used.cpu_seconds < 5
                await live.stop(name, 0.0)
                if event:
                    with pytest.raises(InstanceDied):
                        await call

    run(body)


@BOTH
def test_a_frozen_instance_that_is_killed_from_outside_is_noticed(level: str) -> None:
    """Its end is told like any other's."""
    if not ROOT:
        pytest.skip("needs the right to signal another user's process")

    async def body() -> None:
        async with Live(level) as live:
            await live.call(await live.make("def handler(event, context): pass"))
            others = set(live.processes())
            name = await live.make("def handler(event, context): pass")
            await live.freeze(name)
            (pid,) = set(live.processes()) - others
            os.kill(pid, signal.SIGKILL)
            await live.exited.wait()

            assert [one for one, _ in live.exits] == [name]
            assert live.exits[0][1].signal == 9

    run(body)
