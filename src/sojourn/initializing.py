"""Initializing: the passage from a process that is up to an instance that serves.

Initializer runs once, on behalf of the execution that holds the instance; nobody's instance is initialized under a
request id of its own. Without Initializer the passage is taken at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from . import instance
from .background import Background
from .clock import Clock
from .crashpoint import crashpoint
from .fleet import Fleet, Instance
from .hook import HOOKS, INITIALIZER
from .minimum import Minimum
from .outcome import hook_evidence
from .output import Output
from .sandbox import Exit, HookOutcome, InstanceDied, LogSink

log = logging.getLogger(__name__)


class Initializing:
    """Instances that do not serve yet.

    Parameters
    ----------
    fleet, clock, minimum, background: of the pool.
    request_id: makes a hook's own.
    send_away: begins the end of one, for a reason.
    rest: takes one that nobody waits for.
    release: takes one back from its holder.

    """

    def __init__(
        self,
        fleet: Fleet,
        clock: Clock,
        minimum: Minimum,
        background: Background,
        *,
        request_id: Callable[[], str],
        send_away: Callable[[Instance, str], object],
        rest: Callable[[Instance], None],
        release: Callable[[Instance], None],
    ) -> None:
        self._fleet, self._clock, self._minimum, self._background = fleet, clock, minimum, background
        self._request_id, self._send_away, self._rest, self._release = request_id, send_away, rest, release

    def born(self, made: Instance) -> None:
        """The process of an instance is up."""
        self._fleet.up(made)
        made.tell(self._clock.now(), "Created", dict(made.start_parts))
        if made.gone is not None:  # its end waits for this moment
            return
        made.note(instance.Created(), self._clock.now())
        if made.function.config.instance_lifecycle_config.initializer is not None:
            if not made.holders:
                self.alone(made)
            return
        self._initialized(made)
        if made.holders:
            self._occupy(made)
        else:
            made.ahead = True
            self._rest(made)

    async def run(
        self,
        used: Instance,
        request_id: str,
        sink: LogSink,
        excerpt: Callable[[], dict[str, object]] = dict,
    ) -> HookOutcome:
        """Run Initializer; one whose Initializer failed is to be stopped. `excerpt()` is for the event.

        Raises
        ------
        InstanceDied: the instance ended before the hook did.

        """
        if used.sandbox is None or used.status is not HOOKS[INITIALIZER].passage or used.gone is not None:
            raise InstanceDied(Exit(), lost=True)
        crashpoint("instance.initialize.before")
        came = await used.sandbox.initialize(used.id, request_id, sink)
        crashpoint("instance.initialize.done")
        used.start_parts["initializerMs"] = came.duration_ms
        detail = hook_evidence(came) | {"requestId": request_id} | excerpt()
        if not came.ok:
            used.tell(self._clock.now(), "InitializationFailed", detail)
            self._minimum.failed(used.function.id, came.message or "Initializer failed")
        elif used.status is HOOKS[INITIALIZER].passage:  # else its end has begun meanwhile
            self._initialized(used, detail)
            self._occupy(used)
        return came

    def alone(self, made: Instance) -> None:
        """Initialize an instance that nobody waits for: it was made ahead, or its task was lost before it ran."""
        made.ahead = True
        made.holders += 1
        self._background.spawn(self._alone(made))

    async def _alone(self, made: Instance) -> None:
        output = Output()
        try:
            came = await self.run(made, self._request_id(), output.write, output.excerpt)
            if not came.ok:
                self._send_away(made, "initializer")
        except InstanceDied:
            log.info("instance %s ended in its Initializer", made.id)
        finally:
            self._release(made)

    def _initialized(self, made: Instance, detail: dict[str, object] | None = None) -> None:
        made.note(instance.Initialized(), self._clock.now())
        made.initialized = True
        made.tell(self._clock.now(), "Initialized", detail)
        self._minimum.succeeded(made.function.id)

    def _occupy(self, used: Instance) -> None:
        used.note(instance.Invoked(), self._clock.now())
        self._fleet.occupy(used)
