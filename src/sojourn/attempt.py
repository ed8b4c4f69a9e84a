"""One attempt: a call of a function's handler on an instance, and every way it can end.

It keeps the time, collects the output, and turns the end into an outcome. An instance that has not been initialized is
initialized first, on behalf of this attempt, under Initializer's own timeout. Tasks (`executor`) and synchronous calls
(`call`) both run user code through here and through nothing else.
"""

from __future__ import annotations

import asyncio

import msgspec

from . import outcome
from .function import Function
from .instance import Status
from .output import INITIALIZE, INVOKE, UNHANDLED_ERROR, Output, canceled_error
from .pool import Instance, Pool
from .sandbox import Exit, HookOutcome, InstanceDied, Invocation
from .task import Outcome

HOOK_MARGIN_SECONDS = 5.0
"""An Initializer's time is kept inside its sandbox; so much later it is ended from here, should that have failed."""


class Attempt:
    """A call in progress on `used`; `number` counts the attempts of a task from 1, `task_name` is "" for a call."""

    __slots__ = (
        "_began",
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
        self._began = 0.0
        self._request_id = ""
        self._timed_out = False
        self._ended_early: asyncio.Task[Exit | None] | None = None

    async def run(self, function: Function, invocation: Invocation) -> Outcome:
        """Call the handler and wait for its end, whatever it is.

        Parameters
        ----------
        function: gives the timeout and the memory limit.
        invocation: what the handler gets.

        """
        used = self._used
        self._request_id = invocation.request_id
        told: dict[str, object] = {"isColdStart": used.cold}
        ended: Outcome | None = None
        if used.status is Status.INITIALIZING:
            ended = await self._initialize(function)
            if (initializer_ms := used.start_parts.get("initializerMs")) is not None:
                told["initializerMs"] = round(initializer_ms, 3)
        if ended is None:
            ended = await self._invoke(function, invocation)
        measured = {"durationMs": self.duration_us / 1000}
        return msgspec.structs.replace(ended, evidence={**measured, **ended.evidence, **told})

    async def end(self, reason: str) -> Exit | None:
        """End the call; on return nothing of it runs. None when its instance lives on, see `Pool.give_up`."""
        peak = 0
        elapsed_us = int((asyncio.get_running_loop().time() - self._began) * 1e6) if self._began else 0
        self.output.end(UNHANDLED_ERROR if reason == "timeout" else canceled_error(elapsed_us, peak))
        return await self._pool.give_up(self._used, self._request_id, reason, self.task_name, self.output)

    async def _initialize(self, function: Function) -> Outcome | None:
        """Run Initializer; None when the handler may be called."""
        hook = self._used.function.config.instance_lifecycle_config.initializer
        seconds = hook.timeout if hook else 0
        loop = asyncio.get_running_loop()
        began = loop.time()
        alarm = loop.call_later(seconds + HOOK_MARGIN_SECONDS, self._initializer_hangs)
        self.output.begin(INITIALIZE, self._request_id)
        try:
            came = await self._pool.initialize(self._used, self._request_id, self.output.write)
        except InstanceDied as died:
            self.output.end(UNHANDLED_ERROR)
            self.duration_us = int((loop.time() - began) * 1e6)
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
        self.duration_us = int((loop.time() - began) * 1e6)
        self.output.end(UNHANDLED_ERROR)
        exit_ = await self._pool.stop(self._used, "initializer")
        failed = outcome.of_initializer(came, seconds)
        return msgspec.structs.replace(failed, evidence={**outcome.evidence_of(exit_), **failed.evidence})

    async def _invoke(self, function: Function, invocation: Invocation) -> Outcome:
        loop = asyncio.get_running_loop()
        config = function.config
        began = self._began = loop.time()
        alarm = loop.call_later(config.timeout, self._time_out)
        self.output.begin(INVOKE, invocation.request_id, quiet=True)
        try:
            reply = await self._pool.invoke(self._used, invocation, self.output.write, self.task_name)
        except InstanceDied as died:
            self.duration_us = int((loop.time() - began) * 1e6)
            if self._ended_early is not None:
                late = await self._late(self._ended_early, config.timeout)
                # Of an agent that went away nobody knows whether it had called the handler at all.
                return outcome.of_loss("the sandbox ended while the function was running") if died.lost else late
            self.output.end(UNHANDLED_ERROR)
            if died.lost or self._pool.closing or self._used.gone is not None:
                return outcome.of_loss("its instance was ended while the function was running")
            return outcome.of_exit(died.exit, self.duration_us, config.memory_size)
        finally:
            alarm.cancel()
        self.duration_us = int((loop.time() - began) * 1e6)
        if self._ended_early is not None:  # it answered while it was being ended: too late
            return await self._late(self._ended_early, config.timeout)
        self.output.end("" if reply.ok else UNHANDLED_ERROR)
        return outcome.of_reply(reply, config.memory_size)

    async def _late(self, ended: asyncio.Task[Exit | None], timeout_seconds: float) -> Outcome:
        exit_ = await ended
        failed = outcome.of_timeout(exit_ or Exit(), timeout_seconds)
        if exit_ is not None:
            return failed
        return msgspec.structs.replace(failed, evidence={"cancelled": True, "processesLeft": 0})

    def _time_out(self) -> None:
        self._timed_out = True
        self._ended_early = asyncio.ensure_future(self.end("timeout"))

    def _initializer_hangs(self) -> None:
        self._timed_out = True
        self._pool.background.spawn(self._pool.stop(self._used, "initializer"))
