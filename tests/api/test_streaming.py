"""A body that comes piece by piece, sent to callers of every kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from sojourn.api import streaming
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


async def forever() -> None:
    """Nothing is heard of the caller."""
    await asyncio.get_running_loop().create_future()


def test_a_caller_who_goes_ends_the_body() -> None:
    """Whatever is left of it."""

    async def main() -> None:
        stream, sent = Endless(), list[bytes]()

        async def take(piece: bytes) -> None:
            sent.append(piece)

        async def leave() -> None:
            await asyncio.sleep(2.5)

        assert not await streaming.send(stream, leave, take)
        assert sent == [b"piece"] * 3
        assert stream.closed == 1

    run(main())


def test_a_body_that_ends_is_sent_whole() -> None:
    """And nobody waits for the caller to go."""

    class Short(Endless):
        async def pieces(self) -> AsyncIterator[bytes]:
            yield b"a"
            yield b"b"

    async def main() -> None:
        stream, sent = Short(), list[bytes]()

        async def take(piece: bytes) -> None:
            sent.append(piece)

        assert await streaming.send(stream, forever, take)
        assert sent == [b"a", b"b"]
        assert stream.closed == 1

    run(main())
