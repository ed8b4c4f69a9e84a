"""Custom containers: refused, with the reason.

Recognised so that the refusal says what is missing instead of calling the name unknown.
"""

from __future__ import annotations

import shutil

from sojourn.errors import InvalidArgument
from sojourn.runtime import Interpreter, Resolved

NAME = "custom-container"
_ENGINES = ("podman", "runc")


class ContainerRuntime:
    """Knows the name, and runs nothing."""

    language = "container"

    def interpreters(self) -> tuple[Interpreter, ...]:
        """None."""
        return ()

    def resolve(self, runtime: str) -> Resolved | None:
        """None for another name.

        Raises
        ------
        InvalidArgument: always for this one.

        """
        if runtime != NAME:
            return None
        found = [name for name in _ENGINES if shutil.which(name)]
        if not found:
            why = f"needs a container engine, and neither {' nor '.join(_ENGINES)} is on this server's machine"
        else:
            why = (
                f"is not run by this version, although {found[0]} is here: use custom with the image's program as code"
            )
        raise InvalidArgument("runtime", runtime, why)
