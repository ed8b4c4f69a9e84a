"""The server as a whole on a real socket: how it ends, and how connections end on which nothing is asked."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, cast

import pytest
import uvloop

from sojourn.api import listening
from sojourn.api.answer import Answer
from sojourn.api.app import Application
from sojourn.api.listening import HttpServer
from sojourn.api.protocol import Protocol
from sojourn.api.request import Request
from sojourn.clock import SystemClock

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


async def started(app: Slow) -> tuple[HttpServer, int]:
    """A server of `app`, and its port."""
    server = HttpServer(cast(Application, app), SystemClock())
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


def test_a_connection_that_is_over_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its memory is free at once: the collector comes by seldom."""
    made = list[weakref.ref[Protocol]]()

    class Watched(Protocol):
        def __init__(self, host: HttpServer) -> None:
            super().__init__(host)
            made.append(weakref.ref(self))

    monkeypatch.setattr(listening, "Protocol", Watched)

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
