"""One sandbox, every Python of the machine."""

from __future__ import annotations

import json

from live_sandbox import BOTH, Live, run
from sojourn.runtimes.python import PythonRuntime


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
