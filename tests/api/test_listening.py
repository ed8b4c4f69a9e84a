"""The server as a whole on a real socket: how it ends, and how connections end on which nothing is asked."""

from __future__ import annotations

import asyncio
import gc
import resource
import socket
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from typing import Any, cast

import pytest
import uvloop

from sojourn.api import listening, protocol
from sojourn.api.answer import TEXT, Answer
from sojourn.api.app import Application
from sojourn.api.listening import HttpServer
from sojourn.api.protocol import Protocol
from sojourn.api.request import Request
from sojourn.clock import SystemClock

LARGE_BYTES = 8 << 20
ASK = b"GET /x HTTP/1.1\r\nhost: x\r\n\r\n"


class Slow:
    """An application that answers when the test says so."""

    def __init__(self) -> None:
        self.begun, self.may_answer = asyncio.Event(), asyncio.Event()
        self.cancelled = False

    def number(self) -> int:
        """Of a request."""
        return 1

    def submits(self, request: Request) -> bool:
        """None does."""
        del request
        return False

    def endpoint(self, request: Request) -> Callable[[Request], Coroutine[Any, Any, Answer]]:
        """For every request the same."""
        del request
        return self._answer

    async def _answer(self, request: Request) -> Answer:
        self.begun.set()
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return Answer(200, request.raw_path)


class Watched(HttpServer):
    """A server that tells when somebody has left."""

    def __init__(self, app: Application, clock: SystemClock) -> None:
        super().__init__(app, clock)
        self.left = asyncio.Event()

    def closed(self, connection: Protocol) -> None:
        """Tell."""
        super().closed(connection)
        self.left.set()


async def started(app: Slow) -> tuple[Watched, int]:
    """A server of `app`, and its port."""
    server = Watched(cast(Application, app), SystemClock())
    listener = socket.create_server(("127.0.0.1", 0))
    port: int = listener.getsockname()[1]
    await server.start(listener)
    return server, port


def test_what_is_begun_is_answered_before_the_end() -> None:
    """Its answer says that it is the last; who has asked nothing is let go of, and nobody else comes in."""

    async def main() -> None:
        app = Slow()
        server, port = await started(app)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        idle, idle_writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ASK)
        await app.begun.wait()
        closing = asyncio.create_task(server.close())
        assert await idle.read() == b""
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", port)
        app.may_answer.set()
        said = await reader.read()
        await closing
        assert said.startswith(b"HTTP/1.1 200 OK\r\ndate: ")
        assert b"connection: close\r\n" in said
        assert said.endswith(b"\r\n\r\n/x")
        for each in (writer, idle_writer):
            each.close()

    uvloop.run(main())


def test_what_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told so, and the connection breaks off."""
    monkeypatch.setattr(listening, "GRACE_SECONDS", 0.05)

    async def main() -> None:
        app = Slow()
        server, port = await started(app)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ASK)
        await app.begun.wait()
        await server.close()
        with suppress(ConnectionError):
            assert await reader.read() == b""
        assert app.cancelled
        writer.close()

    uvloop.run(main())


class Large(Slow):
    """An application with much to say, in one piece or in many."""

    def __init__(self, *, pieces: bool) -> None:
        super().__init__()
        self._pieces = pieces
        self.ended = asyncio.Event()

    async def _answer(self, request: Request) -> Answer:
        del request
        self.begun.set()
        if self._pieces:
            return Answer(200, content_type=TEXT, stream=self)
        return Answer(200, b"x" * LARGE_BYTES)

    async def pieces(self) -> AsyncIterator[bytes]:
        """Without an end."""
        while True:
            yield b"x" * 65536

    def close(self) -> None:
        """Nobody wants more."""
        self.ended.set()


async def narrow(port: int, data: bytes) -> socket.socket:
    """A connection with little room, on which something is asked."""
    loop = asyncio.get_running_loop()
    wire = socket.socket()
    wire.setblocking(False)
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    await loop.sock_connect(wire, ("127.0.0.1", port))
    await loop.sock_sendall(wire, data)
    return wire


@pytest.mark.parametrize("pieces", [False, True])
@pytest.mark.parametrize("asked", [1, 2])
def test_who_takes_nothing_is_let_go_of(monkeypatch: pytest.MonkeyPatch, asked: int, *, pieces: bool) -> None:
    """Also when it has asked for more; what was made for it is ended."""
    monkeypatch.setattr(protocol, "STALL_SECONDS_MAX", 0.1)

    async def main() -> None:
        app = Large(pieces=pieces)
        server, port = await started(app)
        wire = await narrow(port, ASK * asked)
        await app.begun.wait()
        if pieces:
            await app.ended.wait()
        else:
            await server.left.wait()
        wire.close()
        await server.close()

    uvloop.run(main())


def test_an_old_client_gets_no_chunks() -> None:
    """HTTP/1.0: what comes piece by piece is sent as it is, and the answer says that the connection ends with it."""

    async def main() -> None:
        app = Large(pieces=True)
        server, port = await started(app)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ASK.replace(b"1.1", b"1.0"))
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"transfer-encoding" not in head
        assert b"connection: close\r\n" in head
        assert await reader.readexactly(100_000) == b"x" * 100_000
        writer.close()
        await app.ended.wait()
        await server.close()

    uvloop.run(main())


def test_who_takes_its_answer_slowly_gets_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes far longer than a connection may be idle, and something all the time."""
    monkeypatch.setattr(protocol, "STALL_SECONDS_MAX", 0.3)
    monkeypatch.setattr(protocol, "IDLE_SECONDS_MAX", 0.1)

    async def main() -> None:
        server, port = await started(Large(pieces=False))
        wire = await narrow(port, ASK)
        loop, taken = asyncio.get_running_loop(), 0
        while taken < LARGE_BYTES:
            piece = await loop.sock_recv(wire, 65536)
            assert piece, f"cut off after {taken} bytes"
            taken += len(piece)
            await asyncio.sleep(0.002)  # this is a slow network
        wire.close()
        await server.close()

    uvloop.run(main())


def test_a_newcomer_takes_the_place_of_who_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections take their share of the files and no more; who waits for an answer keeps its place."""
    monkeypatch.setattr(listening, "FILES_PER_CONNECTION", resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)

    class Partly(Slow):
        async def _answer(self, request: Request) -> Answer:
            return Answer(200, b"/y") if request.raw_path == b"/y" else await super()._answer(request)

    async def main() -> None:
        app = Partly()
        server, port = await started(app)
        waiting, waiting_writer = await asyncio.open_connection("127.0.0.1", port)
        waiting_writer.write(ASK)
        await app.begun.wait()
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for reader, writer in idle[::-1]:
            writer.write(ASK.replace(b"/x", b"/y"))
            await reader.readuntil(b"/y")
            await asyncio.sleep(0.01)  # the loop's time goes in steps of a millisecond
        idle.append(await asyncio.open_connection("127.0.0.1", port))
        for gone in (idle[2], idle[1]):  # who never asked anything, and who has not for longest
            newcomer, newcomer_writer = await asyncio.open_connection("127.0.0.1", port)
            assert await gone[0].read() == b""
            newcomer_writer.write(ASK.replace(b"/x", b"/y"))
            await newcomer.readuntil(b"/y")
            idle.append((newcomer, newcomer_writer))
        app.may_answer.set()
        assert (await waiting.readuntil(b"/x")).startswith(b"HTTP/1.1 200 ")
        for reader, writer in (idle[0], *idle[3:]):
            writer.write(ASK)
            assert (await reader.readuntil(b"/x")).startswith(b"HTTP/1.1 200 ")
        for _, writer in ((waiting, waiting_writer), *idle):
            writer.close()
        await server.close()

    uvloop.run(main())


def test_where_all_wait_for_answers_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """503 for the newcomer, in the common form; room again when one of them has gone."""
    monkeypatch.setattr(listening, "FILES_PER_CONNECTION", resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)

    async def main() -> None:
        app = Slow()
        server, port = await started(app)
        busy = []
        for _ in range(2):
            busy.append(await asyncio.open_connection("127.0.0.1", port))
            app.begun.clear()
            busy[-1][1].write(ASK)
            await app.begun.wait()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        said = await reader.read()
        assert said.startswith(b"HTTP/1.1 503 ")
        assert b'"Code":"ServiceUnavailable"' in said
        app.may_answer.set()
        for each in busy:
            assert (await each[0].readuntil(b"/x")).startswith(b"HTTP/1.1 200 ")
            each[1].close()
        writer.close()
        await server.close()

    uvloop.run(main())


def test_half_a_head_waits_for_the_answer_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time is up while an earlier request is still worked on: it gets that time again, and is answered."""
    late = asyncio.Event()
    monkeypatch.setattr(protocol, "HEAD_SECONDS_MAX", 0.05)

    class Late(Protocol):
        def _head_late(self) -> None:
            monkeypatch.setattr(protocol, "HEAD_SECONDS_MAX", 30)
            super()._head_late()
            late.set()

    monkeypatch.setattr(listening, "Protocol", Late)

    async def main() -> None:
        app = Slow()
        server, port = await started(app)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ASK + ASK[:10])
        await late.wait()
        app.may_answer.set()
        writer.write(ASK[10:])
        for _ in range(2):
            assert (await reader.readuntil(b"\r\n\r\n/x")).startswith(b"HTTP/1.1 200 ")
        writer.close()
        await server.close()

    uvloop.run(main())


def test_a_fault_of_the_server_is_not_the_callers(caplog: pytest.LogCaptureFixture) -> None:
    """What fails while a request is begun is told to the log, never to its caller as bad HTTP."""

    class Broken(Slow):
        def endpoint(self, request: Request) -> Callable[[Request], Coroutine[Any, Any, Answer]]:
            raise KeyError(request.path)

    async def main() -> None:
        server, port = await started(Broken())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ASK)
        with suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        await server.close()

    uvloop.run(main())
    (record,) = [each for each in caplog.records if each.exc_info]
    assert record.exc_info
    assert record.exc_info[0] is KeyError


def test_an_answer_reaches_who_is_still_sending() -> None:
    """Also on a connection that ends with it: the rest of the body is read past, and then it ends."""

    class Strict(Slow):
        async def _answer(self, request: Request) -> Answer:
            del request
            return Answer(403, b"no")

    async def main() -> None:
        server, port = await started(Strict())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 8000000\r\n\r\n")
        for _ in range(80):
            writer.write(b"x" * 100_000)
            await writer.drain()
        said = await reader.read()
        assert said.startswith(b"HTTP/1.1 403 ")
        assert said.endswith(b"\r\n\r\nno")
        await server.left.wait()
        writer.close()
        await server.close()

    uvloop.run(main())


def test_a_connection_that_is_over_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its memory is free at once: the collector comes by seldom."""
    made = list[weakref.ref[Protocol]]()

    class Seen(Protocol):
        def __init__(self, host: HttpServer) -> None:
            super().__init__(host)
            made.append(weakref.ref(self))

    monkeypatch.setattr(listening, "Protocol", Seen)

    async def main() -> None:
        app = Slow()
        app.may_answer.set()
        server, port = await started(app)
        gc.disable()
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(ASK)
            assert (await reader.readuntil(b"/x")).startswith(b"HTTP/1.1 200 ")
            writer.close()
            await server.close()
            for _ in range(10):
                await asyncio.sleep(0)
            assert [each() for each in made] == [None]
        finally:
            gc.enable()

    uvloop.run(main())
