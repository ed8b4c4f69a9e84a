"""The death of a zygote while instances are being made from it."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from live import until
from live_sandbox import BOTH, ROOT, Live, run
from sojourn.errors import InstanceStartFailed


@BOTH
@pytest.mark.parametrize("ready", [True, False])
@pytest.mark.skipif(not ROOT, reason="agent and zygote hide from their own user")
def test_a_start_whose_zygote_is_killed_is_lost(level: str, ready: bool) -> None:  # noqa: FBT001 - a parameter
    """Whether or not the zygote was up: it says nothing of the function, which is tried again."""

    async def body() -> None:
        async with Live(level) as live:
            held = 0
            if ready:
                await live.make("def handler(event, context): pass")
                os.kill(live.pid_of("zygote"), signal.SIGSTOP)
                held = _descriptors(live)
            made = asyncio.ensure_future(live.make("def handler(event, context): return event"))
            if ready:
                await asyncio.to_thread(until, lambda: _descriptors(live) > held, 10.0, "the zygote was asked")
            await asyncio.to_thread(until, lambda: _killed(live), 10.0, "the zygote is there and killed")
            with pytest.raises(InstanceStartFailed) as failed:
                await made
            reply = await live.call(await live.make("def handler(event, context): return event"), b"again")

            assert (failed.value.cause, failed.value.lost) == ("SandboxLost", True)
            assert reply.payload == b"again"

    run(body)


def _descriptors(live: Live) -> int:
    """How many the agent holds: more from the moment on in which it asks a zygote for an instance."""
    return len(list(Path(f"/proc/{live.pid_of('agent')}/fd").iterdir()))


def _killed(live: Live) -> bool:
    """Kill the zygote as soon as there is one."""
    try:
        os.kill(live.pid_of("zygote"), signal.SIGKILL)
    except (LookupError, OSError):
        return False
    return True
