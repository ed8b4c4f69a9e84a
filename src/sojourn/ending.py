"""The end of an instance: PreStop where it may run, the order to stop, and the proof, told as an event."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from . import instance, outcome
from .clock import Clock
from .crashpoint import crashpoint
from .errors import IllegalFact
from .fleet import Instance
from .instance import Status
from .output import PRE_STOP, UNHANDLED_ERROR, Output
from .sandbox import Exit, InstanceDied, StopOrder

log = logging.getLogger(__name__)


class Ending:
    """Ends instances; `request_id()` makes a hook's own, `forget(instance, why)` takes one off the books."""

    def __init__(
        self,
        clock: Clock,
        grace_seconds: float,
        request_id: Callable[[], str],
        forget: Callable[[Instance, dict[str, object]], None],
    ) -> None:
        self._clock, self._grace_seconds, self._request_id, self._forget = clock, grace_seconds, request_id, forget

    async def alone(self, used: Instance, request_id: str, deadline: float) -> None:
        """Wait until nothing but one invocation runs in an instance, at most until `deadline` (monotonic seconds)."""
        over = asyncio.Event()
        used.on_call_over = over.set
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(deadline - self._clock.monotonic(), 0)):
                while used.in_flight.keys() - {request_id} and used.gone is None:
                    over.clear()
                    await over.wait()
        used.on_call_over = None

    async def hurry(self, used: Instance, reason: str) -> None:
        """Kill an instance whose end has begun."""
        if used.sandbox is not None and used.gone is not None and not used.gone.done():
            order = StopOrder(reason=reason, grace_seconds=0.0, pre_stop=False, force=True)
            await used.sandbox.stop(used.id, order, Output().write)

    async def end(
        self, used: Instance, reason: str, task_name: str, output: Output | None, *, force: bool = False
    ) -> None:
        """End an instance whose `gone` was just made, and answer it; with `force` it is killed at once."""
        exit_ = Exit()
        try:
            if used.started is not None and not used.started.done():
                self._begin(used, reason, task_name)
                await self._cut_start(used, used.started, reason)
            exit_ = await self._stop(used, reason, task_name, output, force=force)
        except IllegalFact:
            log.debug("instance %s was gone before it was stopped", used.id)
        except InstanceDied as died:
            exit_ = died.exit
        finally:
            self._forget(used, {"why": reason, **outcome.evidence_of(exit_)})
            if used.gone is not None and not used.gone.done():
                used.gone.set_result(exit_)

    async def _cut_start(self, used: Instance, started: asyncio.Task[None], reason: str) -> None:
        """End a start that is under way: a program may take two minutes to serve, or never do."""
        if used.sandbox is not None:
            order = StopOrder(reason=reason, grace_seconds=0.0, request_id=self._request_id(), pre_stop=False)
            await used.sandbox.stop(used.id, order, Output().write)
        await asyncio.wait([started])

    def by_itself(self, used: Instance, exit_: Exit) -> None:
        """It ended without having been asked to."""
        evidence = outcome.evidence_of(exit_)
        log.info("instance %s ended by itself: %s", used.id, evidence)
        why = "out of memory" if exit_.oom else "ended by itself"
        if used.status is Status.FREEZING and "SIGKILL" in exit_.signals_sent:
            why = "could not be frozen"
        self._forget(used, {"why": why, **evidence})

    def _begin(self, used: Instance, reason: str, task_name: str) -> None:
        used.note(instance.StopBegun(reason), self._clock.now())
        used.tell(self._clock.now(), "StopBegun", {"reason": reason} | ({"taskId": task_name} if task_name else {}))

    async def _stop(self, used: Instance, reason: str, task_name: str, output: Output | None, *, force: bool) -> Exit:
        if used.status is Status.FREEZING and used.freezing is not None:
            await asyncio.wait([used.freezing], timeout=self._grace_seconds)  # so that it is known whether to thaw it
        frozen = used.status is Status.FROZEN
        if used.status is not Status.STOPPING:
            self._begin(used, reason, task_name)
        if not task_name and len(used.in_flight) == 1:  # a drain cuts it short: PreStop may want to know which one
            (task_name,) = used.in_flight.values()
        order = StopOrder(
            reason=reason,
            grace_seconds=0.0 if force else self._grace_seconds,
            task_id=task_name,
            request_id=self._request_id(),
            pre_stop=used.initialized and not force,
            force=force,
        )
        if used.sandbox is None:
            return Exit()
        if frozen:
            used.sandbox.thaw(used.id)
            used.tell(self._clock.now(), "Thawed")
        hooked = order.pre_stop and used.function.config.instance_lifecycle_config.pre_stop is not None
        own = Output()  # of no task: what PreStop writes stands with the event
        if hooked and output is not None:
            output.begin(PRE_STOP, order.request_id)
        crashpoint("instance.stop.before")
        exit_ = await used.sandbox.stop(used.id, order, (output or own).write)
        crashpoint("instance.stop.done")
        if hooked and output is not None:
            came = exit_.pre_stop
            output.end("" if came is None or came.ok else came.message or UNHANDLED_ERROR)
        if exit_.pre_stop is not None:
            detail = outcome.hook_evidence(exit_.pre_stop) | {"requestId": order.request_id} | own.excerpt()
            used.tell(self._clock.now(), "preStop", detail)
        return exit_
