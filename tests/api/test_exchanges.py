"""The order of one connection: what is begun when, what is sent when, and how it ends. Without a socket."""

from __future__ import annotations

import asyncio

import pytest

from api.exchanging import Line, turns
from sojourn.api import exchanges
from sojourn.api.request import HELD_BYTES_MAX


def test_requests_are_begun_one_after_the_other() -> None:
    """The next one when the one before it is answered; while one waits nothing more is read."""

    async def main() -> None:
        line = Line()
        await line.ask("/a", "/b")
        assert line.begun == ["/a"]
        assert not line.wire.reads()
        await line.answer("/a")
        assert line.begun == ["/a", "/b"]
        assert line.wire.reads()
        await line.answer("/b")
        assert line.bodies == ["/a", "/b"]

    asyncio.run(main())


def test_submits_are_begun_beside_submits() -> None:
    """In their order; what follows them waits for all of them, as they wait for what was before."""

    async def main() -> None:
        line = Line()
        await line.ask("/a", "/submit1", "/submit2", "/b", "/submit3")
        assert line.begun == ["/a"]
        await line.answer("/a")
        assert line.begun == ["/a", "/submit1", "/submit2"]
        await line.answer("/submit1")
        assert line.begun[3:] == []
        await line.answer("/submit2")
        assert line.begun[3:] == ["/b"]
        await line.answer("/b")
        assert line.begun[4:] == ["/submit3"]

    asyncio.run(main())


def test_so_many_submits_are_begun_and_no_more() -> None:
    """Of one connection; another one when one of them is answered, and meanwhile nothing is read."""

    async def main() -> None:
        line = Line()
        names = [f"/submit{number}" for number in range(exchanges.BESIDE_MAX + 2)]
        await line.ask(*names)
        assert line.begun == names[:-2]
        assert not line.wire.reads()
        await line.answer(names[0])
        assert line.begun == names[:-1]

    asyncio.run(main())


def test_a_body_is_held_no_further_ahead_than_its_bound() -> None:
    """Of what nobody takes, no more is read; and on it goes when it is taken."""

    async def main() -> None:
        line = Line()
        request = (await line.ask("/a", whole=False)).request
        for size in (HELD_BYTES_MAX, 1):
            assert line.wire.reads()
            line.exchanges.cork()
            request.feed(b"x" * size)
            line.exchanges.uncork()
        assert not line.wire.reads()
        assert len(await request.piece()) == HELD_BYTES_MAX + 1
        more = asyncio.ensure_future(request.piece())
        await turns()
        assert line.wire.reads()
        request.end()
        assert await more == b""

    asyncio.run(main())


def test_a_submit_whose_body_is_not_here_waits() -> None:
    """It could hold up those behind it."""

    async def main() -> None:
        line = Line()
        await line.ask("/submit1")
        await line.ask("/submit2", whole=False)
        assert line.begun == ["/submit1"]

    asyncio.run(main())


def test_answers_keep_the_order_of_their_requests() -> None:
    """Whichever is there first; and those of one turn go out in one write."""

    async def main() -> None:
        line = Line()
        await line.ask("/submit1", "/submit2", "/submit3", "/submit4")
        await line.answer("/submit3", "/submit2")
        assert line.bodies == []
        await line.answer("/submit1")
        assert line.bodies == ["/submit1 /submit2 /submit3"]
        await line.answer("/submit4")
        assert line.bodies[1:] == ["/submit4"]
        assert line.answered == ["/submit1", "/submit2", "/submit3", "/submit4"]

    asyncio.run(main())


def test_what_comes_wrong_is_answered_in_its_turn() -> None:
    """After what was asked before, and then the connection ends."""

    async def main() -> None:
        line = Line()
        await line.ask("/a")
        line.exchanges.refuse(400, "no HTTP", None)
        assert line.wire.written == []
        await line.answer("/a")
        assert line.wire.written[0].startswith(b"HTTP/1.1 200 OK")
        assert line.wire.written[0].count(b"HTTP/1.1 400 Bad Request") == 1
        assert line.wire.ended == "closed"

    asyncio.run(main())


def test_a_broken_body_ends_its_request() -> None:
    """What is made of it is told so, and its answer is the error."""

    async def main() -> None:
        line = Line()
        exchange = await line.ask("/a", whole=False)
        line.exchanges.refuse(431, "too long", exchange)
        await turns()
        assert line.left == ["/a"]
        assert line.wire.written[0].startswith(b"HTTP/1.1 431 ")
        assert (len(line.wire.written), line.wire.ended) == (1, "closed")
        assert not line.exchanges.running

    asyncio.run(main())


def test_a_caller_who_goes_is_noticed_by_all() -> None:
    """By what runs; what has not begun never does."""

    async def main() -> None:
        line = Line()
        await line.ask("/submit1", "/submit2", "/a")
        line.exchanges.lose()
        await turns()
        assert line.left == ["/submit1", "/submit2"]
        assert line.begun == ["/submit1", "/submit2"]
        assert not line.exchanges.running
        assert not line.exchanges.busy

    asyncio.run(main())


def test_a_caller_who_reads_nothing_is_not_served_on() -> None:
    """Until it reads again."""

    async def main() -> None:
        line = Line()
        line.exchanges.block()
        assert not line.wire.reads()
        await line.ask("/a")
        assert line.begun == []
        assert not line.wire.reads()
        line.exchanges.unblock()
        await turns()
        assert line.begun == ["/a"]
        assert line.wire.reads()

    asyncio.run(main())


def test_a_drain_answers_what_is_begun() -> None:
    """All of it, with the last answer saying that it is; then the connection ends."""

    async def main() -> None:
        line = Line()
        await line.ask("/submit1", "/submit2")
        line.exchanges.drain()
        await line.answer("/submit1", "/submit2")
        (sent,) = line.wire.written
        assert sent.count(b"connection: close") == 1
        assert sent.index(b"/submit1") < sent.index(b"connection: close") < sent.index(b"/submit2")
        assert line.wire.ended == "closed"
        idle = Line()
        idle.exchanges.drain()
        assert idle.wire.ended == "closed"

    asyncio.run(main())


def test_a_drain_begins_nothing() -> None:
    """Else a caller who always has another submit on its way would keep the server, and lose what is cut off then."""

    async def main() -> None:
        line = Line()
        await line.ask("/submit1", "/submit2")
        line.exchanges.drain()
        await line.ask("/submit3")
        await line.answer("/submit1")
        assert line.begun == ["/submit1", "/submit2"]
        await line.answer("/submit2")
        assert line.begun == ["/submit1", "/submit2"]
        assert line.bodies == ["/submit1", "/submit2"]
        assert b"connection: close" in line.wire.written[-1]
        assert line.wire.ended == "closed"

    asyncio.run(main())


def test_an_answer_goes_before_the_rest_of_its_body() -> None:
    """The end of a connection whose caller is still sending would reach it before the answer, so it waits for that."""

    async def main() -> None:
        line = Line()
        exchange = await line.ask("/a", last=True, whole=False)
        await line.answer("/a")
        assert line.bodies == ["/a"]
        assert line.wire.ended == "half closed"
        assert line.wire.reads()
        assert exchange.last

    asyncio.run(main())


def test_nothing_is_begun_behind_the_last_request() -> None:
    """A request that ends the connection is the last, whatever came with it."""

    async def main() -> None:
        line = Line()
        await line.ask("/a", last=True)
        await line.ask("/b")
        await line.answer("/a")
        assert line.begun == ["/a"]
        assert b"connection: close\r\n" in line.wire.written[0]
        assert line.wire.ended == "closed"

    asyncio.run(main())


@pytest.mark.parametrize("pair", [(b"x", b"a\r\nset-cookie: b"), (b"x y", b"a"), (b"x", b"a\0"), (b"", b"a")])
def test_no_header_can_begin_another(pair: tuple[bytes, bytes]) -> None:
    """An answer that tries is a fault of ours, and told as one."""

    async def main() -> None:
        line = Line()
        await line.ask("/a")
        await line.answer("/a", headers=(pair,))
        assert line.wire.written[0].startswith(b"HTTP/1.1 500 ")
        assert b"set-cookie" not in line.wire.written[0]

    asyncio.run(main())


def test_headers_alone_have_no_body() -> None:
    """HEAD: the length is that of the body that is not there."""

    async def main() -> None:
        line = Line()
        await line.ask("/a", method="HEAD")
        await line.answer("/a")
        assert b"content-length: 2\r\n" in line.wire.written[0]
        assert line.wire.written[0].endswith(b"\r\n\r\n")

    asyncio.run(main())


def test_a_body_that_turns_bad_behind_its_answer_ends_the_connection() -> None:
    """The caller has its answer; where the next request would begin, nobody knows."""

    async def main() -> None:
        line = Line()
        exchange = await line.ask("/a", whole=False)
        await line.answer("/a")
        line.exchanges.refuse(400, "no HTTP", exchange)
        assert line.bodies == ["/a"]
        assert line.wire.ended == "closed"

    asyncio.run(main())


def test_work_that_is_given_up_leaves_nobody_waiting() -> None:
    """It has no answer, and its caller sees that by the end of the connection."""

    async def main() -> None:
        line = Line()
        await line.ask("/a")
        line.answers["/a"].cancel()
        await turns()
        assert line.wire.written == []
        assert line.wire.ended == "aborted"
        assert not line.exchanges.running

    asyncio.run(main())
