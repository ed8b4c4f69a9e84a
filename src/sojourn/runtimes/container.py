"""Custom containers: images that podman runs, where there is a podman that works.

Where there is none, the refusal says what is missing instead of calling the name unknown.
"""

from __future__ import annotations

from sojourn import engine
from sojourn.errors import InvalidArgument
from sojourn.function import CONTAINER
from sojourn.runtime import Interpreter, Resolved

from .python import own_interpreter


class ContainerRuntime:
    """Images that answer HTTP."""

    language = "container"

    def interpreters(self) -> tuple[Interpreter, ...]:
        """None: an image brings everything."""
        return ()

    def resolve(self, runtime: str) -> Resolved | None:
        """What `runtime` gets here; None for another name. The first time for this one takes a second.

        Raises
        ------
        InvalidArgument: no container can be run here; the reason is in the message.

        """
        if runtime != CONTAINER:
            return None
        found = engine.found()
        if not found.works:
            raise InvalidArgument("runtime", runtime, found.reason)
        return Resolved(interpreter=own_interpreter(), kind="container")
