"""Work that nobody waits for."""

from __future__ import annotations

import asyncio

from sojourn.background import cancel


def test_work_that_is_given_up_has_ended() -> None:
    """Its last words are spoken, its faults are nobody's, and what never began or is done already is fine."""
    said: list[str] = []

    async def work(word: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            said.append(word)
            raise ValueError(word)

    async def body() -> None:
        done = asyncio.create_task(asyncio.sleep(0))
        running = [asyncio.create_task(work(word)) for word in ("a", "b")]
        await done
        await cancel(*running, None, done)
        assert all(each.done() for each in running)

    asyncio.run(body())
    assert said == ["a", "b"]
