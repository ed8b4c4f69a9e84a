"""The isolations that end-to-end tests run under, and how brisk their servers are."""

from __future__ import annotations

import asyncio
import functools

from sojourn.sandbox import SandboxDriver
from sojourn.sandboxes.bubblewrap import BubblewrapDriver
from sojourn.sandboxes.process import ProcessDriver

DRIVERS: dict[str, type[SandboxDriver]] = {"process": ProcessDriver, "bubblewrap": BubblewrapDriver}
BRISK = {"SOJOURN_DRAIN_SECONDS": "1", "SOJOURN_GRACE_SECONDS": "0.2"}
"""Short graces: nobody here has anything to tidy up."""


@functools.cache
def why_not(sandbox: str) -> str:
    """Why this isolation does not work here, "" when it does."""
    found = asyncio.run(DRIVERS[sandbox]().probe())
    return "" if found.works else f"{sandbox}: {found.reason}"
