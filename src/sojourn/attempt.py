"""One attempt: a call of a function's handler on an instance, and every way it can end.

It keeps the time, collects the output, and turns the end into an outcome. An instance that has not been initialized is
initialized first, on behalf of this attempt, under Initializer's own timeout. Tasks (`executor`) and synchronous calls
(`call`) both run user code through here and through nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib

import msgspec

from . import outcome
from .crashpoint import crashpoint
from .function import Function
from .instance import Status
from .output import INITIALIZE, INVOKE, UNHANDLED_ERROR, Output, canceled_error
from .pool import Instance, Pool
from .sandbox import Exit, HookOutcome, InstanceDied, Invocation
from .task import Outcome

HOOK_MARGIN_SECONDS = 5.0
"""An Initializer's time is kept inside its sandbox; so much later it is ended from here, should that have failed."""

USAGE_SECONDS_MAX = 0.05
"""How long a stop waits to hear of the memory that it tells of."""


class Attempt:
    """A call in progress on `used`; `number` counts the attempts of a task from 1, `task_name` is "" for a call."""

    __slots__ = (
        "_began",
        "_cold",
        "_ended",
        "_ended_early",
        "_pool",
        "_request_id",
        "_timed_out",
        "_used",
        "duration_us",
        "number",
        "output",
        "task_name",
    )

    def __init__(self, pool: Pool, used: Instance, number: int = 1, task_name: str = "") -> None:
        self._pool, self._used, self.number, self.task_name = pool, used, number, task_name
        self.output = Output()
        self.duration_us = 0
        self._began: float | None = None
        self._request_id = ""
        self._cold = False
        self._timed_out = self._ended = False
        self._ended_early: asyncio.Task[Exit | None] | None = None

    async def run(self, function: Function, invocation: Invocation) -> Outcome:
        """Call the handler and wait for its end, whatever it is.

        Parameters
        ----------
        function: gives the timeout and the memory limit.
        invocation: what the handler gets.

        """
        used = self._used
        self._request_id, self._cold = invocation.request_id, used.cold
        told: dict[str, object] = {"isColdStart": self._cold}
        ended: Outcome | None = None
        if used.status is Status.INITIALIZING:
            ended = await self._initialize(function)
            if (initializer_ms := used.start_parts.get("initializerMs")) is not None:
                told["initializerMs"] = round(initializer_ms, 3)
        if ended is None:
            ended = await self._invoke(function, invocation)
        measured = {"durationMs": self.duration_us / 1000}
        return msgspec.structs.replace(ended, evidence={**measured, **ended.evidence, **told})

    @property
    def facts(self) -> dict[str, object]:
        """What every attempt tells, however it ends."""
        return {"durationMs": self.duration_us / 1000, "isColdStart": self._cold}

    async def end(self, reason: str, *, force: bool = False) -> Exit | None:
        """End the call; on return nothing of it runs. None when its instance lives on, see `Pool.give_up`.

        With `force` its instance is killed at once.
        """
        if not self._ended:
            self.duration_us = self._elapsed_us()
            self._ended = True  # from now on the output is PreStop's, whatever becomes of the handler
            peak_bytes = 0 if force else await self._peak_bytes()
            canceled = "" if reason == "timeout" else canceled_error(self.duration_us, peak_bytes)
            self.output.end(canceled or UNHANDLED_ERROR)
        if force:
            return await self._pool.stop(self._used, reason, self.task_name, self.output, force=True)
        return await self._pool.give_up(self._used, self._request_id, reason, self.task_name, self.output)

    def _elapsed_us(self) -> int:
        """How long it took, or has taken so far; what its end took does not count."""
        if self._ended:
            return self.duration_us
        return 0 if self._began is None else int((asyncio.get_running_loop().time() - self._began) * 1e6)

    async def _peak_bytes(self) -> int:
        """The most memory that its instance has had; 0 when that is not known at once."""
        with contextlib.suppress(Exception):  # whatever it is, the stop is worth more
            async with asyncio.timeout(USAGE_SECONDS_MAX):
                return (await self._pool.usage(self._used)).memory_peak_bytes
        return 0

    async def _initialize(self, function: Function) -> Outcome | None:
        """Run Initializer; None when the handler may be called."""
        hook = self._used.function.config.instance_lifecycle_config.initializer
        seconds = hook.timeout if hook else 0
        loop = asyncio.get_running_loop()
        self._began = loop.time()
        alarm = loop.call_later(seconds + HOOK_MARGIN_SECONDS, self._initializer_hangs)
        self.output.begin(INITIALIZE, self._request_id)
        try:
            came = await self._pool.initialize(self._used, self._request_id, self.output.write)
        except InstanceDied as died:
            self.output.end(UNHANDLED_ERROR)
            self.duration_us = self._elapsed_us()
            if self._timed_out:
                return outcome.of_initializer(HookOutcome(ok=False, timed_out=True), seconds)
            if died.lost or self._pool.closing or self._used.gone is not None:
                return outcome.of_loss("the sandbox ended while the function was being initialized")
            return outcome.of_initializer_exit(died.exit, self.duration_us, function.config.memory_size)
        finally:
            alarm.cancel()
        if came.ok:
            self.output.end()
            return None
        self.duration_us = self._elapsed_us()
        self.output.end(UNHANDLED_ERROR)
        exit_ = await self._pool.stop(self._used, "initializer")
        failed = outcome.of_initializer(came, seconds)
        return msgspec.structs.replace(failed, evidence={**outcome.evidence_of(exit_), **failed.evidence})

    async def _invoke(self, function: Function, invocation: Invocation) -> Outcome:
        loop = asyncio.get_running_loop()
        config = function.config
        self._began = loop.time()
        alarm = loop.call_later(self._pool.timeout_seconds(config.timeout), self._time_out)
        self.output.begin(INVOKE, invocation.request_id, quiet=True)
        invocation = msgspec.structs.replace(invocation, deadline_at=self._pool.deadline_at(config.timeout))
        crashpoint("instance.invoke.before")
        try:
            reply = await self._pool.invoke(self._used, invocation, self.output.write, self.task_name)
        except InstanceDied as died:
            crashpoint("instance.invoke.died")
            self.duration_us = self._elapsed_us()
            if self._ended_early is not None:
                late = await self._late(self._ended_early, config.timeout)
                # Of an agent that went away nobody knows whether it had called the handler at all.
                return outcome.of_loss("the sandbox ended while the function was running") if died.lost else late
            self._close_section(UNHANDLED_ERROR)
            if died.lost or self._pool.closing or self._used.gone is not None:
                return outcome.of_loss("its instance was ended while the function was running")
            return outcome.of_exit(died.exit, self.duration_us, config.memory_size)
        finally:
            alarm.cancel()
        crashpoint("instance.invoke.replied")
        self.duration_us = self._elapsed_us()
        if self._ended_early is not None:  # it answered while it was being ended: too late
            return await self._late(self._ended_early, config.timeout)
        self._close_section("" if reply.ok else UNHANDLED_ERROR)
        return outcome.of_reply(reply, config.memory_size)

    async def _late(self, ended: asyncio.Task[Exit | None], timeout_seconds: float) -> Outcome:
        exit_ = await ended
        crashpoint("instance.timeout.ended")
        failed = outcome.of_timeout(exit_ or Exit(), timeout_seconds)
        if exit_ is not None:
            return failed
        return msgspec.structs.replace(failed, evidence={"cancelled": True, "processesLeft": 0})

    def _close_section(self, error: str) -> None:
        if not self._ended:
            self.output.end(error)

    def _time_out(self) -> None:
        self._timed_out = True
        crashpoint("instance.timeout.due")
        self._ended_early = asyncio.ensure_future(self.end("timeout"))

    def _initializer_hangs(self) -> None:
        self._timed_out = True
        self._pool.background.spawn(self._pool.stop(self._used, "initializer"))
