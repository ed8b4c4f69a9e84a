"""The requests of one connection, in their order: when each is begun, and how its answer goes out.

An answer is sent when those before it are. A request is begun when those before it are answered; only submits are begun
beside submits, since they become durable in the order in which they are begun. `protocol` reads the requests and keeps
time; `streaming` sends bodies that come piece by piece.

Theory of operation
    `_line` holds the exchanges that are not over, in the order of their requests; the first `_begun` of them are begun.
    Whatever happens (a head is complete, an answer is there, the caller reads again) ends in `proceed`, which sends
    what can be sent and begins what can be begun. What one turn of the loop has to say, it says in one write: answers
    gather in `_out` while what was read is being parsed, and while other submits of the same commit are being told. A
    caller that does not read its answers is not asked for more: while the transport's buffer is over its mark nothing
    is begun, and while something waits to be begun nothing is read.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

from . import errors, streaming
from .answer import Answer, Stream, head, headers_of
from .app import Application
from .request import HELD_BYTES_MAX, ClientGone, Request
from .steps import Steps

BESIDE_MAX = 256
"""How many submits of one connection are begun at a time."""
WRITE_BYTES_MAX = 64 * 1024
"""From so much on, answers do not gather any more."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BODILESS = frozenset({204, 304})

log = logging.getLogger(__name__)

T = TypeVar("T")


class Work(Protocol):
    """What makes an answer."""

    def cancel(self) -> object:
        """End it early."""
        ...


class Exchange:
    """A request and its answer. `last` says that the connection ends with it, `chunks` that its caller knows chunks."""

    __slots__ = ("answer", "chunks", "expects", "last", "request", "streaming", "work")

    def __init__(self, request: Request, *, last: bool, chunks: bool, expects: bool) -> None:
        self.request, self.last, self.chunks = request, last, chunks
        self.expects = expects
        """Whether the caller waits to be told that it may send the body."""
        self.answer: Answer | None = None
        self.streaming = False
        self.work: Work | None = None


class Exchanges:
    """The exchanges of one connection.

    Parameters
    ----------
    app: makes the answers.
    transport: where they go.
    date: the line of each head that says the time.
    on_answered: called when an answer is sent.

    """

    def __init__(
        self,
        app: Application,
        transport: asyncio.Transport,
        date: Callable[[], bytes],
        on_answered: Callable[[Exchange], None],
    ) -> None:
        self._app, self._transport, self._date, self._on_answered = app, transport, date, on_answered
        self._line: deque[Exchange] = deque()
        self._begun = 0
        self._out = list[bytes]()
        self._out_bytes = 0
        self._corked = self._woken = False
        self._lost = self._draining = self._proceeding = False
        self._reading = True
        self._unblocked: asyncio.Event | None = None
        self.running: set[Exchange] = set()
        """Those whose answer is being made or streamed."""

    @property
    def busy(self) -> bool:
        """Whether somebody waits for an answer."""
        return bool(self._line)

    def add(self, exchange: Exchange) -> None:
        """Another request, whose head is complete."""
        self._line.append(exchange)

    def wanted(self, request: Request) -> None:
        """The body of `request`, which is begun, is waited for."""
        first = self._line[0] if self._line else None
        if first is not None and first.request is request and first.expects:
            first.expects = False
            self._put(_CONTINUE)
            self._flush()
        self._regulate()

    def refuse(self, status: int, message: str, receiving: Exchange | None) -> None:
        """Answer what came with an error, after all that was asked before, and end the connection.

        Parameters
        ----------
        status, message: of the error.
        receiving: the exchange whose body is at fault; None when it is no request at all.

        """
        if receiving is not None and receiving not in self._line:  # it is answered already
            self._transport.close()
            return
        if receiving is None:
            request = Request(self, "", "", [], raw_path=b"")
            request.number = self._app.number()
            receiving = Exchange(request, last=True, chunks=False, expects=False)
            self._line.append(receiving)
        elif receiving.answer is not None:  # its answer is being streamed
            self._transport.abort()
            return
        receiving.last = True
        receiving.answer = errors.refusal(status, message, receiving.request.request_id)
        receiving.request.leave()
        self.proceed()

    def cork(self) -> None:
        """Let answers gather until `uncork`."""
        self._corked = True

    def uncork(self) -> None:
        """Send what has gathered."""
        self._corked = False
        self.proceed()

    def proceed(self) -> None:
        """Send what can be sent, begin what can be begun."""
        if self._proceeding:  # further up the stack
            return
        self._proceeding, self._woken = True, False
        try:
            while self._line and not self._lost and self._advance():
                pass
        finally:
            self._proceeding = False
        if not self._corked:
            self._flush()
            self._regulate()

    def _advance(self) -> bool:
        """One step of the line; False when there is none to take."""
        first = self._line[0]
        if first.answer is not None:
            return not first.streaming and self._send(first, first.answer)
        if self._begun == len(self._line) or self._unblocked is not None or (self._draining and self._begun):
            return False
        following = self._line[self._begun]
        if self._begun and not (self._begun < BESIDE_MAX and self._submits(first) and self._submits(following)):
            return False
        self._begun += 1
        self._begin(following)
        return True

    def _submits(self, exchange: Exchange) -> bool:
        return exchange.request.whole and self._app.submits(exchange.request)

    def _put(self, data: bytes) -> None:
        self._out.append(data)
        self._out_bytes += len(data)
        if self._out_bytes > WRITE_BYTES_MAX:
            self._flush()

    def _flush(self) -> None:
        if self._out:
            out, self._out, self._out_bytes = self._out, [], 0
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))

    # What the transport tells ----------------------------------------------------------------------------------------

    def block(self) -> None:
        """The caller does not read."""
        self._unblocked = asyncio.Event()
        self._regulate()

    def unblock(self) -> None:
        """It reads again."""
        if self._unblocked is not None:
            self._unblocked.set()
            self._unblocked = None
        self.proceed()

    def lose(self) -> None:
        """The connection is gone."""
        self._lost = True
        for exchange in self._line:
            exchange.request.leave()
        self._line.clear()
        if self._unblocked is not None:
            self._unblocked.set()

    def drain(self) -> None:
        """Answer what is begun, then end the connection."""
        self._draining = True
        if not self._line:
            self._transport.close()

    def cancel(self) -> None:
        """End it now."""
        self._transport.abort()
        for exchange in list(self.running):
            if exchange.work is not None:
                exchange.work.cancel()

    # One exchange -----------------------------------------------------------------------------------------------------

    def _begin(self, exchange: Exchange) -> None:
        request = exchange.request
        self.running.add(exchange)
        endpoint = self._app.endpoint(request)
        if request.whole and getattr(endpoint, "prompt", False):
            exchange.work = steps = Steps(endpoint(request), partial(self._ended, exchange))
            steps.begin()
        else:
            exchange.work = task = asyncio.get_running_loop().create_task(endpoint(request))
            task.add_done_callback(partial(self._task_ended, exchange))

    def _task_ended(self, exchange: Exchange, task: asyncio.Task[Answer]) -> None:
        self._ended(exchange, *_outcome(task))

    def _ended(self, exchange: Exchange, answer: Answer | None, error: BaseException | None) -> None:
        self.running.discard(exchange)
        exchange.work = None
        if exchange.request.left or exchange.answer is not None:
            if answer is not None and answer.stream is not None:
                answer.stream.close()
            self._on_answered(exchange)
            return
        if isinstance(error, Exception) and not isinstance(error, ClientGone):
            answer = errors.of_surprise(error, exchange.request.request_id)
        if answer is None:  # it was given up, and the caller sees that by the end of the connection
            self._transport.abort()
            return
        exchange.answer = answer
        if self._begun == 1 or self._proceeding:
            self.proceed()
        elif not self._woken:  # others are told in this turn of the loop
            self._woken = True
            asyncio.get_running_loop().call_soon(self.proceed)

    def _send(self, exchange: Exchange, answer: Answer) -> bool:
        """Put the answer of the first exchange on the wire; whether that is all of it and another may follow."""
        last = exchange.last or (self._draining and self._begun <= 1)
        headers = headers_of(answer, exchange.request.request_id)
        if last:
            headers.append((b"connection", b"close"))
        if answer.stream is not None and exchange.chunks:
            headers.append((b"transfer-encoding", b"chunked"))
        try:
            start = head(answer.status, self._date(), headers)
        except ValueError as error:
            if answer.stream is not None:
                answer.stream.close()
            exchange.answer = errors.of_surprise(error, exchange.request.request_id)
            return True  # and the next turn sends that
        bodiless = exchange.request.method == "HEAD" or answer.status in _BODILESS
        if answer.stream is not None and not bodiless:
            self._put(start)
            self._flush()
            self._begin_stream(exchange, answer.stream)
            return False
        if answer.stream is not None:
            answer.stream.close()
        self._put(start if bodiless else start + answer.body)
        self._over(exchange, last=last)
        return not last

    def _over(self, exchange: Exchange, *, last: bool) -> None:
        """The answer of the first exchange is on the wire."""
        self._line.popleft()
        self._begun = max(self._begun - 1, 0)  # what was refused unread was never begun
        if last:
            self._flush()
            self._lost = True
            for each in self._line:
                each.request.leave()
            self._line.clear()
            exchange.last = True
            if exchange.request.whole or exchange.request.left:
                self._transport.close()
            else:  # what is still on its way would tear the answer away: it is read past first, see `protocol`
                self._transport.write_eof()
        self._on_answered(exchange)

    def _begin_stream(self, exchange: Exchange, stream: Stream) -> None:
        self.running.add(exchange)
        exchange.streaming = True
        exchange.work = task = asyncio.get_running_loop().create_task(
            streaming.send(stream, exchange.request.gone, self._chunk if exchange.chunks else self._piece)
        )
        task.add_done_callback(lambda done: self._stream_ended(exchange, done))

    def _stream_ended(self, exchange: Exchange, task: asyncio.Task[bool]) -> None:
        self.running.discard(exchange)
        exchange.work = None
        complete, error = _outcome(task)
        if isinstance(error, Exception) and not isinstance(error, ClientGone):
            log.error("the answer to request %s broke off", exchange.request.request_id, exc_info=error)
        if complete and not self._lost:
            if exchange.chunks:
                self._transport.write(b"0\r\n\r\n")
            self._over(exchange, last=exchange.last or self._draining or not exchange.chunks)
            self.proceed()
        else:  # without an end, so that no client takes it for a whole one
            self._transport.abort()
            self._on_answered(exchange)

    async def _chunk(self, piece: bytes) -> None:
        if piece:  # an empty one would be the end
            await self._piece(b"%x\r\n%b\r\n" % (len(piece), piece))

    async def _piece(self, piece: bytes) -> None:
        if self._transport.is_closing():
            raise ClientGone
        self._transport.write(piece)
        if self._unblocked is not None:
            await self._unblocked.wait()

    def _regulate(self) -> None:
        """Read on, or not."""
        line = self._line
        reading = self._unblocked is None and (
            not line or (len(line) == self._begun < BESIDE_MAX and line[-1].request.held_bytes <= HELD_BYTES_MAX)
        )
        if reading is not self._reading and not self._transport.is_closing():
            self._reading = reading
            if reading:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()


def _outcome(task: asyncio.Task[T]) -> tuple[T | None, BaseException | None]:
    if task.cancelled():
        return None, asyncio.CancelledError()
    error = task.exception()
    return (None, error) if error is not None else (task.result(), None)
