"""Custom runtimes: programs of the function's own, which bring everything but the machine's files.

`custom` runs on what this machine has. `custom.debian10` to `custom.debian12` name Function Compute's images, of which
there are none here: they run on this machine's files too, and that is said unless the machine is that Debian.
"""

from __future__ import annotations

import platform
import re

from sojourn.runtime import Interpreter, Resolved

from .python import own_interpreter

_NAME = re.compile(r"custom(?:\.debian(10|11|12))?")


class CustomRuntime:
    """Programs that speak HTTP, or ask the runtime API."""

    language = "custom"

    def interpreters(self) -> tuple[Interpreter, ...]:
        """None: a program brings its own, or uses the machine's."""
        return ()

    def resolve(self, runtime: str) -> Resolved | None:
        """What `runtime` gets here; None for a name that is not one of these."""
        match = _NAME.fullmatch(runtime)
        if match is None:
            return None
        system = _system()
        if match[1] is None or system == f"debian{match[1]}":
            return Resolved(interpreter=own_interpreter(), kind="custom")
        note = f"its image is not here: it runs on this machine's files ({system or 'of unknown origin'})"
        return Resolved(interpreter=own_interpreter(), kind="custom", exact=False, note=note)


def _system() -> str:
    """The machine's distribution and release, such as `debian12`."""
    try:
        facts = platform.freedesktop_os_release()
    except OSError:
        return ""
    return facts.get("ID", "") + facts.get("VERSION_ID", "")
