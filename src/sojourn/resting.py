"""Resting: what becomes of an instance that nobody uses. It lingers, is frozen, and goes, or is thawed.

When each of that is due is `freezer`'s to say. PreFreeze runs under a request id of its own and belongs to no task, so
what it came to and wrote stands with the instance's events; whatever that is, the freeze goes ahead. An instance whose
PreFreeze did not return in time is not used again.
"""

from __future__ import annotations

from collections.abc import Callable

from . import instance
from .background import Background
from .clock import Clock
from .crashpoint import crashpoint
from .fleet import Fleet, Instance
from .freezer import Freezer
from .hook import HOOKS, PRE_FREEZE
from .instance import Status
from .minimum import Minimum
from .outcome import hook_evidence
from .output import Output
from .sandbox import InstanceDied


class Resting:
    """Instances without an invocation.

    Parameters
    ----------
    fleet, clock, minimum, background: of the pool.
    linger_seconds: how long one rests before it is frozen.
    idle_seconds: how long one rests before it goes, where its function does not say.
    request_id: makes a hook's own.
    send_away: begins the end of one, for a reason.
    freed: is called when one can be had again.

    """

    def __init__(
        self,
        fleet: Fleet,
        clock: Clock,
        minimum: Minimum,
        background: Background,
        *,
        linger_seconds: float,
        idle_seconds: float,
        request_id: Callable[[], str],
        send_away: Callable[[Instance, str], object],
        freed: Callable[[], None],
    ) -> None:
        self._fleet, self._clock, self._minimum, self._background = fleet, clock, minimum, background
        self._idle_seconds, self._request_id = idle_seconds, request_id
        self._send_away, self._freed = send_away, freed
        self._closed = ""
        self._freezer = Freezer(
            clock,
            linger_seconds=linger_seconds,
            idle_seconds=self._idle_seconds_of,
            freezes=lambda each: not minimum.awake(each),
            stays=minimum.keeps,
            freeze=self._freeze,
            reclaim=lambda each: send_away(each, "idle"),
        )

    def rest(self, used: Instance) -> None:
        """An instance has just become Idle: keep it, or not."""
        if used.retired or self._closed:
            self._send_away(used, self._closed or "update")
        elif self._idle_seconds_of(used) <= 0 and not self._minimum.keeps(used):
            self._send_away(used, "idle")
        else:
            used.rested_at = self._clock.monotonic()
            self._fleet.rest(used)
            self._freezer.rest(used)

    def thaw(self, used: Instance) -> None:
        """A frozen instance is Idle again."""
        assert used.sandbox is not None  # noqa: S101 - it was frozen, so it is up
        crashpoint("instance.thaw.before")
        used.sandbox.thaw(used.id)
        crashpoint("instance.thaw.told")
        used.note(instance.Thawed(), self._clock.now())
        used.tell(self._clock.now(), "Thawed")

    def change(self, function_id: int) -> None:
        """What holds for the resting instances of a function has changed."""
        for each in self._fleet.of(function_id):
            if each.id not in self._fleet.resting:
                continue
            if each.status is Status.FROZEN and self._minimum.awake(each):
                self.thaw(each)
                self._fleet.thawed(each)
            self._freezer.rest(each)

    def close(self, reason: str) -> None:
        """Freeze nothing more, and keep nobody: who comes back is sent away for `reason`."""
        self._closed = reason
        self._freezer.close()

    def _idle_seconds_of(self, used: Instance) -> float:
        mine = used.function.config.idle_timeout
        return self._idle_seconds if mine is None else mine

    def _freeze(self, used: Instance) -> None:
        used.note(instance.FreezeBegun(), self._clock.now())
        self._fleet.freezing(used)
        used.freezing = self._background.spawn(self._freezing(used))

    async def _freezing(self, used: Instance) -> None:
        assert used.sandbox is not None  # noqa: S101 - it has rested, so it is up
        request_id, output, rule = self._request_id(), Output(), HOOKS[PRE_FREEZE]
        crashpoint("instance.freeze.before")
        try:
            came = await used.sandbox.freeze(used.id, request_id, output.write)
        except InstanceDied:
            return
        crashpoint("instance.freeze.done")
        if came is not None:
            detail = hook_evidence(came) | {"requestId": request_id} | output.excerpt()
            used.tell(self._clock.now(), rule.name, detail)
        if used.status is Status.STOPPING:  # its end did not wait any longer, and needs the CPU
            used.sandbox.thaw(used.id)
        if used.status is not rule.passage:
            return
        used.note(instance.FrozenNow(), self._clock.now())
        used.tell(self._clock.now(), "Frozen")
        if used.gone is not None:
            return
        if came is not None and came.timed_out:  # the hook is still in there, and a handler would have to wait for it
            self._send_away(used, "timeout")
            return
        self._fleet.frozen(used)
        self._freed()
