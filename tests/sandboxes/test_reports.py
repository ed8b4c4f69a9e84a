"""What an attempt reports besides its answer: wishes about retries, its memory peak; and the time it is told it has."""

from __future__ import annotations

import pytest

from live_sandbox import BOTH, Live, run
from sojourn.sandbox import InstanceDied

RETRIES = [
    ("class Later(Exception):\n    retry_after = 2.5", "Later()", True, 2.5),
    ("class Never(Exception):\n    retry = False", "Never()", False, None),
    ("class Wrong(Exception):\n    retry_after = True\n    retry = 0", "Wrong()", True, None),
    ("class Past(Exception):\n    retry_after = -1", "Past()", True, None),
    ("class Text(Exception):\n    retry_after = 'soon'", "Text()", True, None),
    ("class Long(Exception):\n    retry_after = 10**12", "Long()", True, 604_800.0),
    ("class Endless(Exception):\n    retry_after = float('inf')", "Endless()", True, None),
    ("class Broken(Exception):\n    retry_after = property(lambda self: 1 / 0)", "Broken()", True, None),
    ("class Made(Exception): pass\nmade = Made(); made.retry_after = 0; made.retry = False", "made", False, 0.0),
]


@BOTH
def test_an_exception_may_steer_its_retries(level: str) -> None:
    """`retry_after` and `retry` of what is raised reach the host; anything of a wrong type is no wish."""

    async def body() -> None:
        async with Live(level) as live:
            for defined, raised, retryable, after in RETRIES:
                reply = await live.call(
                    await live.make(f"{defined}\ndef handler(event, context):\n    raise {raised}\n")
                )

                assert not reply.ok
                assert (reply.retryable, reply.retry_after_seconds) == (retryable, after), defined

    run(body)


@BOTH
def test_the_peak_of_a_call_is_its_own(level: str) -> None:
    """A small call after a big one reports a small peak, and one that ends its process reports one at all."""

    async def body() -> None:
        source = """
            import os
            def handler(event, context):
                kept = bytearray(int(event) << 20)
                if event == b"1":
                    os._exit(3)
                del kept
        """
        async with Live(level) as live:
            name = await live.make(source)
            peaks = [(await live.call(name, size)).memory_peak_bytes for size in (b"5", b"120", b"5", b"60", b"5")]
            with pytest.raises(InstanceDied) as died:
                await live.call(name, b"1")

            small, big, after, middle, last = peaks
            assert big > 120 << 20
            assert 60 << 20 < middle < 110 << 20
            assert max(small, after, last) < 60 << 20
            assert 1 << 20 < died.value.exit.memory_peak_bytes < 60 << 20

    run(body)


@BOTH
def test_the_time_left_is_told_to_handlers(level: str) -> None:
    """Without a deadline there is no number."""

    async def body() -> None:
        async with Live(level) as live:
            source = "def handler(event, context):\n    return repr(context.remaining_milliseconds) + repr(context)"
            reply = await live.call(await live.make(source))

            assert reply.payload.startswith(b"None")
            assert b"deadline" not in reply.payload

    run(body)
