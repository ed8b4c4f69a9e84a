"""Instances of custom runtimes, made of the program that they start."""

from __future__ import annotations

import pytest

from live_sandbox import Live
from programs import FACTS, SERVER
from sojourn.errors import InstanceStartFailed
from sojourn.function import CustomRuntime


async def made(live: Live, source: str = SERVER, custom: CustomRuntime | None = None, **more: object) -> str:
    """An instance whose bootstrap is `source`."""
    digest = live.add("", bootstrap=source)
    chosen = custom or CustomRuntime()
    return await live.make(digest=digest, kind="custom", custom=chosen, context=FACTS, **more)  # type: ignore[arg-type]  # passed on


async def refused(live: Live, source: str = SERVER, custom: CustomRuntime | None = None, **more: object) -> str:
    """Why an instance does not start: code and message."""
    with pytest.raises(InstanceStartFailed) as caught:
        await made(live, source, custom, **more)
    return f"{caught.value.cause}: {caught.value}"
