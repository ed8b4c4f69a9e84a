"""Choosing drivers: by their entry-point names, and the isolation by trying it.

Which ones there may be is said by the installed packages; what a driver must do, by its contract.
"""

from __future__ import annotations

import logging
from importlib.metadata import entry_points
from typing import Any

from .errors import InvalidArgument, SandboxUnavailable
from .sandbox import Capabilities, SandboxDriver

log = logging.getLogger("sojourn")

SANDBOX_ORDER = ("bubblewrap", "process")
"""What `--sandbox auto` tries, strongest first."""


def driver(group: str, name: str) -> Any:
    """The class that an entry point of `group` names."""
    for entry in entry_points(group=group, name=name):
        return entry.load()
    raise InvalidArgument(group, name, "must name an installed driver")


async def isolation(wanted: str) -> tuple[SandboxDriver, Capabilities]:
    """The driver to use, as a real start of it has shown."""
    reasons: list[str] = []
    for name in SANDBOX_ORDER if wanted == "auto" else (wanted,):
        tried: SandboxDriver = driver("sojourn.sandboxes", name)()
        found = await tried.probe()
        if found.works:
            for reason in reasons:
                log.warning("isolation is weaker than it could be: %s", reason)
            return tried, found
        reasons.append(f"{name}: {found.reason}")
    raise SandboxUnavailable("no sandbox works here; " + "; ".join(reasons))
