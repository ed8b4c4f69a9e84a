"""Submits of one asynchronous client that go together: the next batch is what gathers while one is on its way.

There is no timer. What is asked for in one turn of the event loop leaves at its end, each function's in a call of its
own, two at most at a time; whatever is asked for meanwhile is the next call, as large as the server is slow. So a lone
submit leaves at once and as itself, and a thousand at a time are a few calls. Each has its own outcome: one task's
error is nobody else's, and one that is cancelled before it leaves is not sent.
"""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from .call import Call
from .calls import submit_lines
from .errors import ClientError
from .model import Submission

TASKS_MAX = 500
BYTES_MAX = 1024 * 1024
"""How much goes in one call: enough that its cost is shared, little enough that nobody waits long for it."""
CALLS_MAX = 2
"""While the server works on one call, the next one is written."""
PAYLOAD_BYTES_MAX = 64 * 1024
"""A larger payload goes alone: it would delay the others, and there its bytes need no base64."""


class _Waiting(NamedTuple):
    call: Call[Submission]
    future: asyncio.Future[Submission]


class _Function:
    """What waits for one function, and how many calls to it are on their way."""

    __slots__ = ("calls", "leaving", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[_Waiting] = deque()
        self.calls = 0
        self.leaving = False


def gathers(call: Call[Any]) -> bool:
    """Whether `call` may go together with others."""
    return call.submit is not None and len(call.body) <= PAYLOAD_BYTES_MAX


class Gathering:
    """Sends submits by `send`, alone or together."""

    def __init__(self, send: Callable[[Call[Any]], Awaitable[Any]]) -> None:
        self._send = send
        self._functions: dict[str, _Function] = {}
        self._flights: set[asyncio.Task[None]] = set()

    async def submit(self, call: Call[Submission]) -> Submission:
        """The outcome of `call`, which `gathers`.

        Raises
        ------
        ClientError: what it came to, or the call that it was part of.

        """
        assert call.submit is not None  # noqa: S101 - for the type checker: `gathers` says so
        name = call.submit.function
        function = self._functions.setdefault(name, _Function())
        future: asyncio.Future[Submission] = asyncio.get_running_loop().create_future()
        function.waiting.append(_Waiting(call, future))
        self._soon(name, function)
        return await future

    async def close(self) -> None:
        """Give up what is on its way."""
        for flight in list(self._flights):
            flight.cancel()
        await asyncio.gather(*self._flights, return_exceptions=True)

    def _soon(self, name: str, function: _Function) -> None:
        """Let what waits leave at the end of this turn of the loop."""
        if not function.leaving and function.calls < CALLS_MAX:
            function.leaving = True
            asyncio.get_running_loop().call_soon(self._leave, name, function)

    def _leave(self, name: str, function: _Function) -> None:
        function.leaving = False
        while function.waiting and function.calls < CALLS_MAX:
            together = _next(function.waiting)
            if not together:
                continue
            function.calls += 1
            flight = asyncio.get_running_loop().create_task(self._fly(name, function, together))
            self._flights.add(flight)
            flight.add_done_callback(self._flights.discard)
        if not function.waiting and not function.calls:
            self._functions.pop(name, None)

    async def _fly(self, name: str, function: _Function, together: list[_Waiting]) -> None:
        try:
            for waiting, outcome in zip(together, await self._asked(name, together), strict=True):
                _settle(waiting.future, outcome)
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to those who asked
            for waiting in together:
                _settle(waiting.future, copy.copy(error))  # a shared one would gather the tracebacks of all
        finally:
            for waiting in together:
                waiting.future.cancel()  # those that nothing was said of
            function.calls -= 1
            self._soon(name, function)

    async def _asked(self, name: str, together: list[_Waiting]) -> list[Submission | ClientError]:
        if len(together) == 1:
            alone: Submission = await self._send(together[0].call)
            return [alone]
        lines = [waiting.call.submit.task.line() for waiting in together if waiting.call.submit is not None]
        found: list[Submission | ClientError] = await self._send(submit_lines(name, lines))
        return found


def _next(waiting: deque[_Waiting]) -> list[_Waiting]:
    """Take what goes in one call, without what nobody waits for any more."""
    together: list[_Waiting] = []
    size = 0
    while waiting and len(together) < TASKS_MAX and size < BYTES_MAX:
        first = waiting.popleft()
        if not first.future.done():
            together.append(first)
            size += len(first.call.body)
    return together


def _settle(future: asyncio.Future[Submission], outcome: Submission | Exception) -> None:
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
