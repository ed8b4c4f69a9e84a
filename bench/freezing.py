"""Freezing and thawing an instance, measured at the sandbox itself: no server, no queue, no disk.

Thawing has no answer of its own, because nobody waits for it: what is timed is a call of a frozen instance beside
calls of one that is merely idle.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
import uuid
from pathlib import Path

import msgspec

from sojourn.sandbox import InstanceSpec, Invocation, Sandbox, SandboxDriver, SandboxSpec
from sojourn.sandboxes.bubblewrap import BubblewrapDriver
from sojourn.sandboxes.process import ProcessDriver
from sojourn.sandboxes.start import own_interpreter
from sojourn.users import Users

from .failure import NotMeasured
from .options import Options

SOURCE = "def handler(event, context):\n    return event\n"
IDLE_INSTANCES = 10


class Freezing(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds each; `thaw_ms` is what a call of a frozen instance takes beyond the median call of an idle one.

    `idle_mb` is the proportional memory of an idle instance of a function that imports nothing.
    """

    freeze_ms: list[float]
    thaw_ms: list[float]
    idle_mb: float


def measure_freezing(options: Options) -> Freezing:
    """Measure it with the strongest sandbox that works, or the one that `options` names."""
    return asyncio.run(_measure(options))


async def _measure(options: Options) -> Freezing:
    driver = await _driver(options.sandbox)
    with tempfile.TemporaryDirectory(prefix="sojourn-bench-", dir=options.directory) as name:
        root = Path(name)
        tree = root / "code" / "echo"
        tree.mkdir(parents=True)
        (tree / "index.py").write_text(SOURCE)
        (root / "sandbox").mkdir()
        for path in (root, root / "code", tree, tree / "index.py"):
            path.chmod(0o755)
        users = Users(root / "users")
        spec = SandboxSpec(
            id="bench",
            account_id="bench",
            code=root / "code",
            directory=root / "sandbox",
            interpreters=(own_interpreter(),),
            mark=f"bench-{uuid.uuid4().hex}",
            network="host",
            uid=users.of(1) if os.geteuid() == 0 else None,
        )
        sandbox = await driver.start(spec, lambda *_: None, lambda: None)
        try:
            return await _figures(sandbox, options.freezes)
        finally:
            await sandbox.close()


async def _driver(wanted: str) -> SandboxDriver:
    drivers: tuple[SandboxDriver, ...] = (BubblewrapDriver(), ProcessDriver())
    for driver in drivers:
        if wanted in ("auto", driver.name) and (await driver.probe()).works:
            return driver
    raise NotMeasured(f"no sandbox works here ({wanted})")


async def _figures(sandbox: Sandbox, count: int) -> Freezing:
    names = [await _made(sandbox, number) for number in range(IDLE_INSTANCES)]
    for name in names:
        await _call(sandbox, name)
    idle_mb = min([(await sandbox.usage(name)).memory_bytes for name in names]) / 1024 / 1024
    one = names[0]
    warm_ms = sorted([await _call(sandbox, one) for _ in range(count)])
    freeze_ms, thaw_ms = [], []
    for _ in range(count):
        began = time.perf_counter()
        await sandbox.freeze(one, "1-bench", lambda *_: None)
        freeze_ms.append((time.perf_counter() - began) * 1000)
        thaw_ms.append(max(await _call(sandbox, one, frozen=True) - warm_ms[count // 2], 0.0))
    return Freezing(freeze_ms=freeze_ms, thaw_ms=thaw_ms, idle_mb=idle_mb)


async def _made(sandbox: Sandbox, number: int) -> str:
    name = f"bench-{number}"
    spec = InstanceSpec(
        id=name,
        interpreter=own_interpreter(),
        code_digest="echo",
        handler="index.handler",
        environment={},
        memory_mb=128,
        tmp_mb=64,
        context={},
    )
    await sandbox.create(spec)
    return name


async def _call(sandbox: Sandbox, name: str, *, frozen: bool = False) -> float:
    """Milliseconds of one call."""
    began = time.perf_counter()
    if frozen:
        sandbox.thaw(name)
    reply = await sandbox.invoke(name, Invocation(request_id="1-bench", payload=b"x"), lambda *_: None)
    if not reply.ok:
        raise NotMeasured(f"a call was answered {reply.payload!r}")
    return (time.perf_counter() - began) * 1000
