"""Coroutines led by callbacks: from wait to wait, to what they return or raise."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sojourn.api.steps import Steps

End = tuple[str | None, BaseException | None]


async def led(work: Callable[[], Awaitable[str]], *, cancel: bool = False) -> tuple[End, bool]:
    """How `work` ends, and whether it did so in its first step."""
    ends = list[End]()
    ended = asyncio.Event()

    def on_end(value: str | None, error: BaseException | None) -> None:
        ends.append((value, error))
        ended.set()

    async def whole() -> str:
        return await work()

    steps = Steps(whole(), on_end)
    steps.begin()
    at_once = bool(ends)
    if cancel:
        steps.cancel()
    await ended.wait()
    assert len(ends) == 1
    return ends[0], at_once


def test_what_never_waits_ends_at_once() -> None:
    """In the call that begins it."""

    async def work() -> str:
        return "done"

    assert asyncio.run(led(work)) == (("done", None), True)


def test_what_waits_goes_on_when_it_is_told() -> None:
    """For futures, for others to go first, and for a task."""

    async def work() -> str:
        await asyncio.sleep(0)
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, "told")
        return await future + await asyncio.create_task(asyncio.sleep(0, " later"))

    assert asyncio.run(led(work)) == (("told later", None), False)


@pytest.mark.parametrize("waits", [False, True])
def test_what_fails_says_so(*, waits: bool) -> None:
    """In its first step or a later one."""

    async def work() -> str:
        if waits:
            await asyncio.sleep(0)
        raise ValueError("no")

    (value, error), at_once = asyncio.run(led(work))
    assert (value, repr(error), at_once) == (None, "ValueError('no')", not waits)


async def for_ever() -> None:
    """A wait that only a cancellation ends."""
    await asyncio.get_running_loop().create_future()


async def others() -> None:
    """No wait at all: it lets others go first."""
    await asyncio.sleep(0)


@pytest.mark.parametrize("wait", [for_ever, others])
def test_what_is_cancelled_is_told_where_it_waits(wait: Callable[[], Awaitable[None]]) -> None:
    """Whatever it waits for; and it may do what it has to before it ends."""
    seen = list[str]()

    async def work() -> str:
        try:
            await wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        return ""

    (value, error), _ = asyncio.run(led(work, cancel=True))
    assert value is None
    assert isinstance(error, asyncio.CancelledError)
    assert seen == ["cancelled"]


def test_a_wait_that_is_over_is_cancelled_too() -> None:
    """Between the end of what it waits for and its next step."""

    async def main() -> BaseException | None:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        ends = list[End]()

        async def work() -> str:
            return await future

        steps = Steps(work(), lambda value, error: ends.append((value, error)))
        steps.begin()
        future.set_result("done")
        steps.cancel()
        await asyncio.sleep(0)
        ((value, error),) = ends
        assert value is None
        return error

    assert isinstance(asyncio.run(main()), asyncio.CancelledError)
