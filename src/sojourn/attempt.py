"""One attempt: a call of a function's handler on an instance, and every way it can end.

It keeps the time, collects the output, and turns the end into an outcome. Tasks (`dispatcher`) and synchronous calls
(`call`) both run user code through here and through nothing else.
"""

from __future__ import annotations

import asyncio

from . import outcome
from .function import Function
from .output import Output
from .pool import Instance, Pool
from .sandbox import Exit, InstanceDied, Invocation
from .task import Outcome


class Attempt:
    """A call in progress on `used`; `number` counts the attempts of a task from 1."""

    __slots__ = ("_ended_early", "_pool", "_timed_out", "_used", "duration_us", "number", "output")

    def __init__(self, pool: Pool, used: Instance, number: int = 1) -> None:
        self._pool, self._used, self.number = pool, used, number
        self.output = Output()
        self.duration_us = 0
        self._timed_out = False
        self._ended_early: asyncio.Task[Exit] | None = None

    async def run(self, function: Function, invocation: Invocation, *, draining: bool = False) -> Outcome:
        """Call the handler and wait for its end, whatever it is.

        Parameters
        ----------
        function: gives the timeout and the memory limit.
        invocation: what the handler gets.
        draining: whether the server is going, so that an instance's end is its doing.

        """
        loop = asyncio.get_running_loop()
        config = function.config
        began = loop.time()
        alarm = loop.call_later(config.timeout, self._time_out)
        try:
            reply = await self._pool.invoke(self._used, invocation, self.output.write)
        except InstanceDied as died:
            self.duration_us = int((loop.time() - began) * 1e6)
            if self._timed_out:
                return outcome.of_timeout(await self.end("timeout"), config.timeout)
            if died.lost or draining or self._pool.closing:
                return outcome.of_loss("the sandbox ended while the function was running")
            return outcome.of_exit(died.exit, self.duration_us, config.memory_size)
        finally:
            alarm.cancel()
        self.duration_us = int((loop.time() - began) * 1e6)
        if self._ended_early is not None:  # answer and timeout fell together: the answer counts, the instance goes
            await self._ended_early
        return outcome.of_reply(reply, config.memory_size)

    async def end(self, reason: str) -> Exit:
        """End the instance, and the call with it; on return nothing of it runs."""
        return await self._pool.stop(self._used, reason)

    def _time_out(self) -> None:
        self._timed_out = True
        self._ended_early = asyncio.ensure_future(self.end("timeout"))
