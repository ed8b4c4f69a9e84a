"""A trial: the only way to know whether a driver works here is to run a function with it.

The trial takes the same path as the real thing: launcher and another user when the server is root, an agent, a zygote,
an instance, one call.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from sojourn.errors import SojournError
from sojourn.sandbox import InstanceDied, InstanceSpec, Invocation, SandboxDriver, SandboxSpec

from . import groups
from .start import own_interpreter

TRIAL_UID = 199_999
"""The user of trials when the server is root: below the first account's, and nobody's."""
_CODE = "def handler(event, context):\n    return event\n"


async def try_out(driver: SandboxDriver, *, network: str) -> str:
    """Run a function with `driver`; returns why it did not work, "" when it did."""
    with tempfile.TemporaryDirectory(prefix="sojourn-probe-") as name:
        root = Path(name)
        code = root / "code" / "trial"
        code.mkdir(parents=True)
        (code / "index.py").write_text(_CODE)
        for path in (root / "code", code, code / "index.py"):
            path.chmod(0o755)
        (root / "sandbox").mkdir()
        spec = SandboxSpec(
            id="trial",
            account_id="trial",
            code=root / "code",
            directory=root / "sandbox",
            interpreters=(own_interpreter(),),
            mark=f"{groups.TRIAL}{os.getpid()}",
            network=network,
            uid=TRIAL_UID if os.geteuid() == 0 else None,
        )
        try:
            return await _call(driver, spec)
        except (SojournError, InstanceDied, OSError) as error:
            return str(error) or type(error).__name__


async def _call(driver: SandboxDriver, spec: SandboxSpec) -> str:
    instance = InstanceSpec(
        id="trial",
        interpreter=spec.interpreters[0],
        code_digest="trial",
        handler="index.handler",
        environment={},
        memory_mb=128,
        tmp_mb=8,
        context={},
    )
    sandbox = await driver.start(spec, lambda *_: None, lambda: None)
    try:
        await sandbox.create(instance)
        reply = await sandbox.invoke("trial", Invocation(request_id="trial", payload=b"trial"), lambda *_: None)
    finally:
        await sandbox.close()
    return "" if reply.ok and reply.payload == b"trial" else f"a trial function failed: {reply.message}"
