"""Answers that come piece by piece on one connection: how they begin, end and break off. Without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from api.exchanging import Line, turns
from sojourn.api.answer import TEXT, Answer


class Pieces:
    """A body in pieces, that may break off."""

    def __init__(self, *, breaks: bool) -> None:
        self.breaks, self.closed = breaks, 0

    async def pieces(self) -> AsyncIterator[bytes]:
        """Two, the second one empty."""
        yield b"piece"
        yield b""
        if self.breaks:
            raise ValueError("broken")

    def close(self) -> None:
        """Count."""
        self.closed += 1


@pytest.mark.parametrize("breaks", [False, True])
def test_a_body_in_pieces_ends_only_when_it_is_whole(*, breaks: bool) -> None:
    """One that breaks off has no last chunk, and its connection no next answer."""

    async def main() -> None:
        line, body = Line(), Pieces(breaks=breaks)
        await line.ask("/a", "/b")
        line.answers["/a"].set_result(Answer(200, content_type=TEXT, stream=body))
        await turns()
        whole = b"".join(line.wire.written)
        assert b"transfer-encoding: chunked\r\n" in whole
        assert whole.partition(b"\r\n\r\n")[2] == b"5\r\npiece\r\n" + (b"" if breaks else b"0\r\n\r\n")
        assert line.wire.ended == ("aborted" if breaks else "")
        assert line.begun == (["/a"] if breaks else ["/a", "/b"])
        assert body.closed == 1

    asyncio.run(main())


@pytest.mark.parametrize("gone", [False, True])
def test_a_body_that_nobody_takes_is_closed(*, gone: bool) -> None:
    """Also when the caller has gone before its first piece, or wants the headers only."""

    async def main() -> None:
        line, body = Line(), Pieces(breaks=False)
        line.heedless = True
        await line.ask("/a", method="HEAD")
        if gone:
            line.exchanges.lose()
        line.answers["/a"].set_result(Answer(200, content_type=TEXT, stream=body))
        await turns()
        assert body.closed == 1
        assert len(line.wire.written) == (0 if gone else 1)

    asyncio.run(main())


def test_a_body_under_a_wrong_head_is_closed() -> None:
    """The answer is an error instead, and nobody asks for a piece."""

    async def main() -> None:
        line, body = Line(), Pieces(breaks=False)
        await line.ask("/a")
        line.answers["/a"].set_result(Answer(200, headers=((b"x y", b"a"),), stream=body))
        await turns()
        assert line.wire.written[0].startswith(b"HTTP/1.1 500 ")
        assert body.closed == 1

    asyncio.run(main())


@pytest.mark.parametrize("chunks", [False, True])
def test_a_caller_who_knows_no_chunks_gets_none(*, chunks: bool) -> None:
    """HTTP/1.0: the end of the body is that of the connection."""

    async def main() -> None:
        line = Line()
        await line.ask("/a", chunks=chunks)
        line.answers["/a"].set_result(Answer(200, content_type=TEXT, stream=Pieces(breaks=False)))
        await turns()
        head, _, body = b"".join(line.wire.written).partition(b"\r\n\r\n")
        assert body == (b"5\r\npiece\r\n0\r\n\r\n" if chunks else b"piece")
        assert (b"transfer-encoding" in head) is chunks
        assert line.wire.ended == ("" if chunks else "closed")

    asyncio.run(main())


def test_an_answer_under_way_cannot_become_an_error() -> None:
    """What comes of its request is no HTTP after all: it breaks off, without an end."""

    async def main() -> None:
        line, comes = Line(), asyncio.Event()
        exchange = await line.ask("/a", whole=False)

        class Waiting(Pieces):
            async def pieces(self) -> AsyncIterator[bytes]:
                yield b"piece"
                await comes.wait()

        body = Waiting(breaks=False)
        line.answers["/a"].set_result(Answer(200, content_type=TEXT, stream=body))
        await turns()
        line.exchanges.refuse(431, "too long", exchange)
        assert line.wire.ended == "aborted"
        line.exchanges.lose()
        await turns()
        assert body.closed == 1
        assert b"HTTP/1.1 431" not in b"".join(line.wire.written)

    asyncio.run(main())


def test_a_caller_who_goes_while_a_piece_comes_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is written on what is over, and nothing told to the log: anybody can leave at any moment."""

    class Next(Pieces):
        async def pieces(self) -> AsyncIterator[bytes]:
            yield b"piece"
            await comes.wait()
            yield b"another"

    comes = asyncio.Event()

    async def main() -> None:
        line, body = Line(), Next(breaks=False)
        await line.ask("/a")
        line.answers["/a"].set_result(Answer(200, content_type=TEXT, stream=body))
        await turns()
        comes.set()
        line.wire.abort()
        line.exchanges.lose()
        await turns()
        assert body.closed == 1
        assert line.answered == ["/a"]
        assert not line.exchanges.running

    asyncio.run(main())
    assert not caplog.records
