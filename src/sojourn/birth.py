"""The birth of an instance: its account's sandbox is there, its process is made. What follows is `pool`'s."""

from __future__ import annotations

import logging
from collections.abc import Callable

from .blueprint import spec_of
from .clock import Clock
from .crashpoint import crashpoint
from .errors import InstanceStartFailed, InvalidArgument, SandboxUnavailable
from .fleet import Instance
from .homes import Homes
from .instance import Status

log = logging.getLogger(__name__)


class Birth:
    """Makes instances.

    `born(instance)` is called when one is up, `failed(instance, why)` when it cannot be made.
    """

    def __init__(
        self,
        homes: Homes,
        clock: Clock,
        born: Callable[[Instance], None],
        failed: Callable[[Instance, dict[str, object]], None],
    ) -> None:
        self._homes, self._clock, self._born, self._failed = homes, clock, born, failed

    async def start(self, made: Instance) -> None:
        """Make it.

        Raises
        ------
        InstanceStartFailed: it cannot be made, for whatever reason.

        """
        try:
            await self._make(made)
        except InstanceStartFailed as error:
            if made.gone is not None:  # it was ended before it was up, which is nobody's failure
                raise InstanceStartFailed("InstanceLost", f"{made.id} was ended while it started", lost=True) from error
            self._failed(made, {"why": error.cause, "message": error.message})
            raise

    async def _make(self, made: Instance) -> None:
        function, began = made.function, self._clock.monotonic()
        try:
            sandbox = await self._homes.sandbox(function.account_id, contained=function.config.contained)
            placed = self._clock.monotonic()
            _must_be_wanted(made)
            made.sandbox = sandbox
            crashpoint("instance.create.before")
            parts = await sandbox.create(spec_of(function, made.id, self._homes))
        except SandboxUnavailable as error:
            raise InstanceStartFailed("SandboxUnavailable", str(error), lost=True) from error
        except InvalidArgument as error:  # the interpreter that was there at deployment is gone
            raise InstanceStartFailed("RuntimeMissing", str(error)) from error
        except InstanceStartFailed:
            raise
        except OSError as error:  # a full disk, no more processes: ours, and it may pass
            log.error("no instance of function %s could be made: %s", function.name, error)  # noqa: TRY400 - foreseen
            raise InstanceStartFailed("SandboxUnavailable", f"{type(error).__name__}: {error}", lost=True) from error
        except Exception as error:  # a mistake of ours
            log.exception("no instance of function %s could be made", function.name)
            raise InstanceStartFailed("SandboxUnavailable", f"{type(error).__name__}: {error}", lost=True) from error
        crashpoint("instance.create.done")
        if made.status is Status.DESTROYED:  # its sandbox went while the answer was on its way
            return
        made.start_parts = {
            "sandboxMs": round((placed - began) * 1e3, 3),
            "runtimeMs": round((self._clock.monotonic() - placed) * 1e3, 3),
            **{name: value for name, value in parts.items() if name != "totalMs"},
        }
        self._born(made)


def _must_be_wanted(made: Instance) -> None:
    """When it was to end before there was a sandbox to tell, nothing of it begins."""
    if made.gone is not None:
        raise InstanceStartFailed("InstanceLost", f"{made.id} was ended before it was made", lost=True)
