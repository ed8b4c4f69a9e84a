"""One sandbox, every Python of the machine."""

from __future__ import annotations

import asyncio
import json

import pytest

from live_sandbox import BOTH, Live, Output, run
from sojourn.runtimes.python import PythonRuntime
from sojourn.sandbox import InstanceDied


@BOTH
def test_every_interpreter_of_the_machine_runs_functions(level: str) -> None:
    """Each one found serves a function, with the context of its generation; all in one sandbox."""
    runtime = PythonRuntime()
    source = """
        import sys
        def handler(event, context):
            old = hasattr(context, "credentials") and context.service.version_id == "LATEST"
            new = hasattr(context, "log_project") and getattr(context.function, "version_id", "") == "LATEST"
            context.logger.info("hello")
            function = [context.function.name, context.function.memory]
            more = [context.retry_count, context.tracing.span_context]
            where = [context.request_id, context.region, context.account_id]
            return [list(sys.version_info[:2]), old, new, *function, *where, *more]
    """
    facts = {
        "account_id": "acc",
        "region": "local",
        "name": "f",
        "handler": "index.handler",
        "memory": 256,
        "timeout": 3,
        "qualifier": "LATEST",
        "version_id": "LATEST",
    }

    async def body() -> None:
        async with Live(level, interpreters=runtime.interpreters()) as live:
            for interpreter in runtime.interpreters():
                minor = int(interpreter.version.split(".")[1])
                name = await live.make(source, interpreter=interpreter, context=facts)
                answer = json.loads((await live.call(name)).payload)
                old = minor <= 10

                assert answer == [[3, minor], old, not old, "f", 256, "1-test", "local", "acc", 0, ""]

    run(body)


@BOTH
def test_every_interpreter_of_the_machine_runs_hooks(level: str) -> None:
    """Each one initializes, freezes, and has its PreStop beside a handler that never ends."""
    runtime = PythonRuntime()
    source = """
        import sys, time
        def initializer(context):
            global begun
            begun = context.request_id
        def pre_stop(context):
            print(sys.version_info[1], begun, context.stop_reason, context.remaining_milliseconds > 0)
        def handler(event, context):
            print("on", flush=True)
            while event: pass
    """

    async def body() -> None:
        async with Live(level, interpreters=runtime.interpreters()) as live:
            for interpreter in runtime.interpreters():
                name = await live.make(source, interpreter=interpreter, hooks={"initializer": 5, "pre_stop": 5})
                log, last = Output(), Output()
                assert (await live.initialize(name)).ok
                await live.call(name)
                await live.freeze(name)
                live.sandbox.thaw(name)
                call = asyncio.ensure_future(live.call(name, b"x", log))
                await log.until("on\n")
                ended = await live.stop(name, 5.0, last)
                with pytest.raises(InstanceDied):
                    await call

                minor = interpreter.version.split(".")[1]
                assert last.text == f"{minor} 1-initialize stop True\n"
                assert (ended.code, ended.processes_left) == (143, 0)

    run(body)
