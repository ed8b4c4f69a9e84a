"""A body that comes piece by piece, sent to callers of every kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sojourn.api import streaming
from sojourn.api.answer import TEXT, Answer
from virtual_time import run


class Endless:
    """A body without an end."""

    def __init__(self) -> None:
        self.closed = 0

    async def pieces(self) -> AsyncIterator[bytes]:
        """One a second."""
        while True:
            yield b"piece"
            await asyncio.sleep(1)

    def close(self) -> None:
        """Count."""
        self.closed += 1


async def forever() -> dict[str, Any]:
    """Nothing is heard of the caller."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError


def test_a_caller_who_takes_nothing_is_let_go_of() -> None:
    """After a while, without an end of the body, and the stream is closed once."""

    async def main() -> None:
        stream, sent = Endless(), []

        async def stuck(message: Any) -> None:
            sent.append(message)
            if len(sent) == 3:
                await forever()

        began = asyncio.get_running_loop().time()
        answer = Answer(200, content_type=TEXT, stream=stream)
        with pytest.raises(TimeoutError):
            await streaming.send(answer, stream, "1-a", forever, stuck, bodiless=False)
        assert asyncio.get_running_loop().time() - began == pytest.approx(streaming.STALL_SECONDS_MAX + 1)
        assert [message.get("more_body") for message in sent] == [None, True, True]
        assert stream.closed == 1

    run(main())


def test_a_caller_who_goes_ends_the_body() -> None:
    """Whatever is left of it."""

    async def main() -> None:
        stream, sent = Endless(), []

        async def take(message: Any) -> None:
            sent.append(message)

        async def leave() -> dict[str, Any]:
            await asyncio.sleep(2.5)
            return {"type": "http.disconnect"}

        answer = Answer(200, content_type=TEXT, stream=stream)
        await streaming.send(answer, stream, "1-a", leave, take, bodiless=False)
        assert [message["body"] for message in sent[1:]] == [b"piece"] * 3
        assert (b"content-length", b"0") not in sent[0]["headers"]
        assert stream.closed == 1

    run(main())
