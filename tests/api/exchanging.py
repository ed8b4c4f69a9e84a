"""A connection without a socket: its requests, what is begun of them, and what is written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

from sojourn.api.answer import Answer
from sojourn.api.app import Application
from sojourn.api.exchanges import Exchange, Exchanges
from sojourn.api.request import ClientGone, Request

DATE = b"date: now\r\n"


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = list[bytes]()
        self.ended = ""
        self._reading = True

    def write(self, data: bytes) -> None:
        """Keep it."""
        assert not self.ended
        self.written.append(data)

    def close(self) -> None:
        """The end, in order."""
        self.ended = self.ended or "closed"

    def abort(self) -> None:
        """The end, at once."""
        self.ended = self.ended or "aborted"

    def write_eof(self) -> None:
        """Nothing more is said."""
        self.ended = self.ended or "half closed"

    def is_closing(self) -> bool:
        """Whether it is over."""
        return self.ended in ("closed", "aborted")

    def pause_reading(self) -> None:
        """Nothing more is read."""
        self._reading = False

    def resume_reading(self) -> None:
        """It is."""
        self._reading = True

    def reads(self) -> bool:
        """Whether more is read."""
        return self._reading


class Line:
    """The exchanges of a connection to an application whose answers the test gives, by path."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.begun = list[str]()
        self.left = list[str]()
        self.answers: dict[str, asyncio.Future[Answer]] = {}
        self.answered = list[str]()
        self.heedless = False
        """Whether nobody looks if the caller is still there."""
        self.exchanges = Exchanges(
            cast(Application, self),
            cast(asyncio.Transport, self.wire),
            lambda: DATE,
            lambda exchange: self.answered.append(exchange.request.path),
        )

    # What is asked of an application ---------------------------------------------------------------------------------

    def number(self) -> int:
        """Of a request."""
        return 1

    def submits(self, request: Request) -> bool:
        """Those below /submit."""
        return request.path.startswith("/submit")

    def endpoint(self, request: Request) -> Callable[[Request], Coroutine[Any, Any, Answer]]:
        """What waits for the test's answer."""
        self.begun.append(request.path)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.answers[request.path] = answer

        async def wait(request: Request) -> Answer:
            leaving = asyncio.ensure_future(request.gone())
            if not self.heedless:
                await asyncio.wait((leaving, answer), return_when=asyncio.FIRST_COMPLETED)
            leaving.cancel()
            if request.left and not self.heedless:
                self.left.append(request.path)
                raise ClientGone
            return await answer

        return wait

    # What a test does -------------------------------------------------------------------------------------------------

    async def ask(
        self, *paths: str, method: str = "GET", last: bool = False, whole: bool = True, chunks: bool = True
    ) -> Exchange:
        """Requests that come together, whose bodies are here."""
        self.exchanges.cork()
        for path in paths:
            request = Request(self.exchanges, method, path, [], raw_path=path.encode())
            if whole:
                request.end()
            exchange = Exchange(request, last=last, chunks=chunks, expects=False)
            self.exchanges.add(exchange)
            self.exchanges.proceed()
        self.exchanges.uncork()
        await turns()
        return exchange

    async def answer(self, *paths: str, **fields: Any) -> None:
        """Answer them in one turn of the loop; the body is the path."""
        for path in paths:
            self.answers[path].set_result(Answer(200, path.encode(), **fields))
        await turns()

    @property
    def bodies(self) -> list[str]:
        """The bodies of what was sent, write by write."""
        return [
            " ".join(part.partition(b"\r\n\r\n")[2].decode() for part in data.split(b"HTTP/1.1 ")[1:])
            for data in self.wire.written
        ]


async def turns() -> None:
    """Let everybody who can go on do so."""
    for _ in range(50):
        await asyncio.sleep(0)
