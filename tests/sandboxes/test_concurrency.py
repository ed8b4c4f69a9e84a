"""An instance that takes several executions at a time, as far as every kind of runtime shows it."""

from __future__ import annotations

import asyncio

import pytest

from live_sandbox import BOTH, Live, Output, run
from sojourn.sandbox import InstanceDied


@BOTH
def test_output_is_shared_by_request_id(level: str) -> None:
    """A line with an id goes to its execution, any other to both; one that is over gets nothing more."""

    async def body() -> None:
        source = """
            import os
            def handler(event, context):
                if event == b"first":
                    os.write(1, b"common\\nfor 1-aa\\nfor 1-bb\\n")
                else:
                    os.write(1, b"alone\\nwithout an end")
                return event
        """
        async with Live(level) as live:
            name = await live.make(source, concurrency=2)
            logs = Output(), Output()
            calls = [
                asyncio.ensure_future(live.call(name, b"first", logs[0], request_id="1-aa")),
                asyncio.ensure_future(live.call(name, b"second", logs[1], request_id="1-bb")),
            ]
            answers = [(await call).payload for call in calls]

            assert answers == [b"first", b"second"]
            assert logs[0].text.startswith("common\nfor 1-aa\n")
            assert "1-bb" not in logs[0].text
            assert logs[1].text == "common\nfor 1-bb\nalone\nwithout an end"

    run(body)


@BOTH
def test_a_cancel_that_nobody_heeds_is_over_with_its_grace(level: str) -> None:
    """False where the runtime knows no cancel, at once where there can be none; True for what is over."""

    async def body() -> None:
        source = "import time\ndef handler(event, context):\n    print('on', flush=True)\n    time.sleep(1000)\n"
        async with Live(level) as live:
            for concurrency in (1, 2):
                name = await live.make(source, concurrency=concurrency)
                log = Output()
                call = asyncio.ensure_future(live.call(name, b"", log))
                await log.until("on\n")
                assert not await live.sandbox.cancel(name, "1-test", 0.05)
                await live.stop(name, 0.0)
                with pytest.raises(InstanceDied):
                    await call

                assert await live.sandbox.cancel(name, "1-test", 0.05)

    run(body)
