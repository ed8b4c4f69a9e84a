"""PreStop against hostile code: it costs at most its time, then everything is gone."""

from __future__ import annotations

import asyncio

import pytest

from live_sandbox import BOTH, Live, Output, run
from sojourn.sandbox import InstanceDied

SOURCE = """
    import ctypes, mmap, os, signal, sys, threading, time
    count = mmap.mmap(-1, 4096)
    def on():
        print("on", flush=True)
    def deaf():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    def sleep():
        while True: time.sleep(1)
    def family():
        if os.fork() == 0:
            os.setsid()
            deaf()
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    sleep()
                sleep()
            os._exit(0)
        os.wait()
    def bomb():
        while count[0] < 150:
            count[0] += 1
            if os.fork() == 0:
                os.setsid()
        sleep()
    def hold():
        ctypes.PyDLL(None).sleep(1000)
    def pre_stop(context):
        print("stopping", flush=True)
        HOOK
    def handler(event, context):
        HANDLER
"""
GRACE_SECONDS = 0.2
PATIENT_SECONDS = 20.0
"""The grace of what ends by SIGTERM: how long a loaded machine may take to deliver it."""
OK, RAISED, LATE = (True, False), (False, False), (False, True)
TERM, KILL = ("SIGTERM",), ("SIGTERM", "SIGKILL")

ENDS = {
    "ignores SIGTERM": ("deaf(); on(); sleep()", "pass", OK, KILL),
    "scatters its family": ("family(); family(); on(); sleep()", "pass", OK, TERM),
    "breeds": ("deaf(); threading.Timer(0.2, on).start(); bomb()", "pass", OK, KILL),
    "holds the interpreter in C": ("threading.Timer(0.5, hold).start(); on(); sleep()", "hold()", LATE, KILL),
    "loops in PreStop": ("on(); sleep()", "while True: pass", LATE, TERM),
    "sleeps in PreStop": ("on(); sleep()", "sleep()", LATE, TERM),
    "breeds in PreStop": ("on(); sleep()", "family(); bomb()", LATE, None),
    "raises in PreStop": ("on(); sleep()", "raise ValueError('no')", RAISED, TERM),
    "exits in PreStop": ("on(); sleep()", "sys.exit(3)", RAISED, TERM),
    "forks in PreStop": ("on(); sleep()", "os.fork()", OK, TERM),
    "gives its sockets up": ("on(); sleep()", "os.closerange(3, 100)", RAISED, TERM),
    "stops itself": ("on(); sleep()", "os.kill(os.getpid(), signal.SIGSTOP); sleep()", LATE, None),
    "writes": ("on(); sleep()", "[os.write(1, b'x' * 65536) for _ in range(64)]", OK, TERM),
    "dies": ("on(); sleep()", "os.kill(os.getpid(), signal.SIGSEGV) or os.abort()", RAISED, None),
}


def _seconds(*, late: bool) -> int:
    """PreStop's timeout: short for one that never returns, long enough on a loaded machine for any other."""
    return 1 if late else 30


@BOTH
@pytest.mark.parametrize("kind", ENDS)
def test_a_hostile_function_is_ended_all_the_same(level: str, kind: str) -> None:
    """PreStop comes to what it comes to; then SIGTERM, SIGKILL, and nothing is left of the tree."""
    handler, hook, outcome, signals = ENDS[kind]

    async def body() -> None:
        async with Live(level) as live:
            source = SOURCE.replace("HOOK", hook).replace("HANDLER", handler)
            name = await live.make(source, hooks={"pre_stop": _seconds(late=outcome == LATE)})
            log, last = Output(), Output()
            call = asyncio.ensure_future(live.call(name, b"", log))
            await log.until("on\n")
            ended = await live.stop(name, PATIENT_SECONDS if signals == TERM else GRACE_SECONDS, last)
            with pytest.raises(InstanceDied) as died:
                await call

            assert died.value.exit == ended
            assert ended.pre_stop is not None
            assert (ended.pre_stop.ok, ended.pre_stop.timed_out) == outcome
            assert signals is None or ended.signals_sent == signals
            assert ended.processes_left == 0
            assert last.text.startswith("stopping\n") or "hold" in hook
            assert "stopping" not in log.text
            assert live.strays() == []
            assert live.exits == []

    run(body)


@BOTH
@pytest.mark.parametrize("hook", ["pass", "sleep()", "raise ValueError"])
def test_a_frozen_function_with_a_bad_pre_stop_is_ended(level: str, hook: str) -> None:
    """It is thawed, PreStop is called, and the end comes as for any other."""

    async def body() -> None:
        async with Live(level) as live:
            source = SOURCE.replace("HOOK", hook).replace("HANDLER", "family(); deaf()")
            name = await live.make(source, hooks={"pre_stop": _seconds(late=hook == "sleep()")})
            assert (await live.call(name)).ok
            await live.freeze(name)
            last = Output()
            ended = await live.stop(name, GRACE_SECONDS, last)

            assert ended.pre_stop is not None
            assert ended.pre_stop.ok == (hook == "pass")
            assert ended.signals_sent == KILL
            assert last.text == "stopping\n"
            assert live.strays() == []

    run(body)


@BOTH
def test_a_stop_that_spares_pre_stop_spares_it(level: str) -> None:
    """What was never initialized is not told of its end."""

    async def body() -> None:
        async with Live(level) as live:
            source = SOURCE.replace("HOOK", "pass").replace("HANDLER", "pass")
            last = Output()
            spared = await live.stop(await live.make(source, hooks={"pre_stop": 30}), 5.0, last, pre_stop=False)
            source += "\n    def initializer(context): pass\n"
            early = await live.stop(await live.make(source, hooks={"pre_stop": 30, "initializer": 30}), 5.0, last)

            assert (spared.pre_stop, early.pre_stop, last.text) == (None, None, "")

    run(body)
