"""Lifecycle hooks of Python functions, as the agent runs them."""

from __future__ import annotations

import asyncio
import json

import pytest

from live import until
from live_sandbox import BOTH, Live, Output, run
from sojourn.sandbox import InstanceDied

COUNTED = """
    import json, time
    calls = []
    def initializer(context):
        print("hello from initializer", context.request_id)
        calls.append("initializer")
    def pre_freeze(context):
        print("hello from pre_freeze", context.request_id)
        calls.append("pre_freeze")
    def pre_stop(context):
        print("hello from pre_stop", context.request_id)
        print(json.dumps(calls + ["pre_stop"]))
    def handler(event, context):
        print("hello from handler")
        calls.append("handler")
        return calls
"""


@BOTH
def test_each_hook_runs_when_asked_with_its_own_output(level: str) -> None:
    """Initializer, handler, PreFreeze and PreStop run in that order, each with its own id, in its own log."""

    async def body() -> None:
        async with Live(level) as live:
            hooks = {"initializer": 5, "pre_freeze": 5, "pre_stop": 5}
            name = await live.make(COUNTED, hooks=hooks)
            first, called, freezing, last = Output(), Output(), Output(), Output()
            begun = await live.initialize(name, first)
            await live.call(name, b"", called)
            frozen = await live.freeze(name, freezing)
            live.sandbox.thaw(name)
            reply = await live.call(name)
            ended = await live.stop(name, 5.0, last)

            assert (begun.ok, begun.timed_out, begun.payload) == (True, False, b"")
            assert begun.duration_ms > 0
            assert frozen is not None
            assert frozen.ok
            assert ended.pre_stop is not None
            assert ended.pre_stop.ok
            assert (ended.code, ended.signals_sent, ended.processes_left) == (143, ("SIGTERM",), 0)
            assert first.text == "hello from initializer 1-initialize\n"
            assert called.text == "hello from handler\n"
            assert freezing.text == "hello from pre_freeze 1-freeze\n"
            assert json.loads(reply.payload) == ["initializer", "handler", "pre_freeze", "handler"]
            hello, calls = last.text.splitlines()
            assert hello == "hello from pre_stop 1-stop"
            assert json.loads(calls) == ["initializer", "handler", "pre_freeze", "handler", "pre_stop"]

    run(body)


@BOTH
def test_hooks_that_are_not_configured_are_never_called(level: str) -> None:
    """Code that defines every hook runs none of them when the configuration names none."""

    async def body() -> None:
        async with Live(level) as live:
            name = await live.make(COUNTED)
            freezing, last = Output(), Output()
            frozen = await live.freeze(name, freezing)
            live.sandbox.thaw(name)
            reply = await live.call(name)
            ended = await live.stop(name, 5.0, last)

            assert frozen is None
            assert json.loads(reply.payload) == ["handler"]
            assert ended.pre_stop is None
            assert (freezing.text, last.text) == ("", "")

    run(body)


@BOTH
def test_a_hook_may_be_in_another_module(level: str) -> None:
    """A hook is spelled like a handler and need not be beside it; one that is not there is an error of its own."""

    async def body() -> None:
        async with Live(level) as live:
            digest = live.add(
                "def handler(event, context): pass", **{"index.py": "def initializer(context): missing()"}
            )
            name = await live.make(digest=digest, handler="other.handler", hooks={"initializer": 5, "pre_stop": 5})
            begun = await live.initialize(name)
            ended = await live.stop(name, 5.0)

            assert (begun.ok, begun.type, begun.message) == (False, "NameError", "name 'missing' is not defined")
            assert json.loads(begun.payload)["stackTrace"][0][2] == "in initializer"
            assert ended.pre_stop is None
            gone = await live.make(hooks={"initializer": 5}, source="def handler(event, context): pass")
            lacking = await live.initialize(gone)
            assert (lacking.type, lacking.ok) == ("HandlerNotFound", False)
            assert "Initializer 'initializer'" in lacking.message

    run(body)


@BOTH
def test_an_initializer_has_a_time_of_its_own(level: str) -> None:
    """One that takes too long is told as timed out, and its instance can be stopped without PreStop."""

    async def body() -> None:
        source = "import time\ndef initializer(context):\n    print('on', flush=True)\n    time.sleep(1000)\n"
        source += "def pre_stop(context): print('never')\ndef handler(event, context): pass\n"
        async with Live(level) as live:
            name = await live.make(source, hooks={"initializer": 1, "pre_stop": 5})
            log, last = Output(), Output()
            begun = await live.initialize(name, log)
            ended = await live.stop(name, 5.0, last)

            assert (begun.ok, begun.timed_out) == (False, True)
            assert begun.message == "Initializer timed out after 1 seconds"
            assert begun.duration_ms >= 1000
            assert log.text == "on\n"
            assert ended.pre_stop is None
            assert "never" not in last.text
            assert "in initializer" in last.text

    run(body)


@BOTH
def test_a_death_in_a_hook_is_the_death_of_the_instance(level: str) -> None:
    """An Initializer or PreFreeze that ends the process raises InstanceDied; PreStop's outcome says so."""

    async def body() -> None:
        source = "import os\ndef dying(context): os._exit(7)\ninitializer = pre_freeze = pre_stop = dying\n"
        source += "def handler(event, context): pass\n"
        async with Live(level) as live:
            name = await live.make(source, hooks={"initializer": 5})
            with pytest.raises(InstanceDied) as died:
                await live.initialize(name)
            assert died.value.exit.code == 7
            assert died.value.exit.memory_peak_bytes > 1_000_000
            name = await live.make(source, hooks={"pre_freeze": 5})
            with pytest.raises(InstanceDied) as died:
                await live.freeze(name)
            assert died.value.exit.code == 7
            ended = await live.stop(await live.make(source, hooks={"pre_stop": 5}), 5.0)
            assert ended.pre_stop is not None
            assert (ended.pre_stop.ok, ended.pre_stop.timed_out) == (False, False)
            assert "ended before PreStop" in ended.pre_stop.message
            assert (ended.code, ended.processes_left) == (7, 0)

    run(body)


@BOTH
def test_an_initializer_over_the_memory_limit_is_out_of_memory(level: str) -> None:
    """The guard looks at hooks as at handlers."""

    async def body() -> None:
        source = "import time\ndef initializer(context):\n    kept = [bytearray(8 << 20) for _ in range(30)]\n"
        source += "    time.sleep(1000)\ndef handler(event, context): pass\n"
        async with Live(level) as live:
            name = await live.make(source, memory_mb=128, hooks={"initializer": 60})
            with pytest.raises(InstanceDied) as died:
                await live.initialize(name)

            assert died.value.exit.oom
            assert died.value.exit.memory_peak_bytes >= 128 << 20

    run(body)


@BOTH
def test_a_pre_freeze_that_hangs_or_fails_keeps_nothing(level: str) -> None:
    """The freeze goes ahead; the late answer of the hook answers nothing else, and the next call gets its own."""

    async def body() -> None:
        source = """
            import time
            def pre_freeze(context):
                time.sleep(1.5)
                raise ValueError("late")
            def handler(event, context):
                return event
        """
        async with Live(level) as live:
            name = await live.make(source, hooks={"pre_freeze": 1})
            frozen = await live.freeze(name)
            live.sandbox.thaw(name)
            reply = await live.call(name, b"mine")

            assert frozen is not None
            assert (frozen.ok, frozen.timed_out) == (False, True)
            assert reply.payload == b"mine"
            failing = source.replace("time.sleep(1.5)", "")
            name = await live.make(failing, hooks={"pre_freeze": 5})
            frozen = await live.freeze(name)
            assert frozen is not None
            assert (frozen.ok, frozen.timed_out, frozen.type) == (False, False, "ValueError")
            live.sandbox.thaw(name)
            assert (await live.call(name, b"mine")).payload == b"mine"

    run(body)


FAMILY = 3
BUSY = {
    "loop": "while True: pass",
    "sleep": "time.sleep(3600)",
    "swallows": "swallow()",
    "family": f"[os.fork() or time.sleep(3600) for _ in range({FAMILY})]; time.sleep(3600)",
    "idle": "",
}


@BOTH
def test_pre_stop_runs_beside_whatever_the_handler_does(level: str) -> None:
    """It is told reason, task and time left, sees the handler's state, and its output is the stop's."""

    async def body() -> None:
        source = """
            import os, time
            state = []
            def swallow():
                while True:
                    try:
                        time.sleep(3600)
                    except BaseException:
                        pass
            def pre_stop(context):
                left = context.remaining_milliseconds
                time.sleep(0.02)
                fewer = context.remaining_milliseconds
                print(state, context.stop_reason, context.task_id, context.request_id, 0 < fewer < left <= 5000)
            def handler(event, context):
                state.append("touched")
                print("on", flush=True)
                LINE
        """
        async with Live(level) as live:
            for kind, line in BUSY.items():
                name = await live.make(source.replace("LINE", line or "return"), hooks={"pre_stop": 5})
                log, last = Output(), Output()
                call = asyncio.ensure_future(live.call(name, b"", log))
                await log.until("on\n")
                if not line:
                    await call
                if kind == "family":  # what comes in the middle of a fork is another matter
                    await asyncio.to_thread(until, lambda: len(live.strays()) > FAMILY, 20.0, "the family is there")
                ended = await live.stop(name, 20.0, last, reason="timeout", task_id="t-1")
                if line:
                    with pytest.raises(InstanceDied):
                        await call

                assert last.text == "['touched'] timeout t-1 1-stop True\n", kind
                assert ended.pre_stop is not None
                assert ended.pre_stop.ok, kind
                assert 20 <= ended.pre_stop.duration_ms < ended.elapsed_ms, kind
                assert ended.processes_left == 0
                assert ("Threads:" in log.text) == bool(line), kind
                assert "python_hooks" not in log.text
            assert live.exits == []

    run(body)


@BOTH
def test_an_answer_that_comes_during_pre_stop_still_counts(level: str) -> None:
    """A handler that ends while PreStop runs has answered."""

    async def body() -> None:
        source = """
            import threading
            told = threading.Event()
            def pre_stop(context):
                told.set()
                while not done: pass
            done = []
            def handler(event, context):
                print("on", flush=True)
                told.wait()
                threading.Timer(0.1, done.append, (1,)).start()
                return b"answer"
        """
        async with Live(level) as live:
            name = await live.make(source, hooks={"pre_stop": 5})
            log = Output()
            call = asyncio.ensure_future(live.call(name, b"", log))
            await log.until("on\n")
            ended = await live.stop(name, 0.5)

            assert (await call).payload == b"answer"
            assert ended.pre_stop is not None
            assert ended.pre_stop.ok

    run(body)


@BOTH
def test_only_a_configured_pre_stop_costs_a_thread(level: str) -> None:
    """Without it an instance has one thread; with it the second is not among those that user code sees."""

    async def body() -> None:
        source = "import os, threading\ndef handler(event, context):\n"
        source += "    return [len(os.listdir('/proc/self/task')), threading.active_count()]\n"
        async with Live(level) as live:
            digest = live.add(source)
            plain = await live.call(await live.make(digest=digest, hooks={"pre_freeze": 5, "initializer": 5}))
            stopping = await live.call(await live.make(digest=digest, hooks={"pre_stop": 5}))

            assert json.loads(plain.payload) == [1, 1]
            assert json.loads(stopping.payload) == [2, 1]

    run(body)


@BOTH
def test_log_lines_carry_the_id_of_their_hook(level: str) -> None:
    """The context's logger writes the hook's request id in the hook's thread, the execution's in the handler's."""

    async def body() -> None:
        source = """
            import time
            def initializer(context):
                context.logger.info("begun")
            def pre_stop(context):
                context.logger.info("ending")
            def handler(event, context):
                context.logger.info("running")
                print("on", flush=True)
                time.sleep(1000)
        """
        async with Live(level) as live:
            name = await live.make(source, hooks={"pre_stop": 5, "initializer": 5})
            first, log, last = Output(), Output(), Output()
            await live.initialize(name, first)
            call = asyncio.ensure_future(live.call(name, b"", log))
            await log.until("on\n")
            await live.stop(name, 0.5, last)
            with pytest.raises(InstanceDied):
                await call

            assert " 1-initialize [INFO] begun" in first.text
            assert " 1-test [INFO] running" in log.text
            assert " 1-stop [INFO] ending" in last.text

    run(body)
