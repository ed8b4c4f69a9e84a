"""The host's end of an agent's channel: requests, answers, heartbeat.

An asyncio protocol over one half of a socket pair; who is at the other end is known because we made it, never because
of a field. It checks the form of every frame and that an answer belongs to what was asked; anything else ends the
channel, and with it the sandbox. Frames are written once per turn of the loop, and no task is made per message: an
invocation costs a future and two dictionary entries. What a sandbox does with answers and ends is left to `sandboxes`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Mapping
from typing import cast

import msgspec

from .agent import frames
from .sandbox import Exit, InstanceDied, Invocation, LogSink, Reply
from .task import HANDLED, UNHANDLED

HEARTBEAT_SECONDS = 1.0
HEARTBEATS_MISSED_MAX = 3
_DOCUMENT_BYTES_MAX = 1024 * 1024
_KINDS = {frames.UNHANDLED: UNHANDLED, frames.HANDLED: HANDLED}


class Created(msgspec.Struct, frozen=True, kw_only=True):
    """An agent's answer to a create: the parts of the start in milliseconds, or `cause` and `message`."""

    parts: dict[str, float] = {}
    pid: int = 0
    zygote: int = 0
    cause: str = ""
    message: str = ""


class _Ended(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an EXIT frame."""

    code: int | None = None
    signal: int | None = None
    signals_sent: tuple[str, ...] = ()
    oom: bool = False
    memory_peak_bytes: int = 0
    memory_limit_bytes: int = 0
    processes_left: int = 0
    elapsed_ms: float = 0.0
    lost: bool = False


class _Document(msgspec.Struct, frozen=True, rename="camel"):
    """What is read of an error document."""

    error_message: str = ""
    error_type: str = ""


class _Call:
    """An invocation that was sent; its future may have been cancelled by now."""

    __slots__ = ("answer", "log", "number")

    def __init__(self, number: int, answer: asyncio.Future[Reply], log: LogSink) -> None:
        self.number, self.answer, self.log = number, answer, log


class Channel(asyncio.Protocol):
    """The conversation with one agent; instances are numbers here.

    `on_exit(number, exit, lost)` is called for every instance that ends, before an invocation that it cuts short is
    told; `on_lost(reason)` once when the conversation is over and was not closed by us.
    """

    def __init__(self, on_exit: Callable[[int, Exit, bool], None], on_lost: Callable[[str], None]) -> None:
        self._on_exit, self._on_lost = on_exit, on_lost
        self._loop = asyncio.get_running_loop()
        self._parser = frames.Parser()
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._requests = 0
        self._creates: dict[int, asyncio.Future[Created]] = {}
        self._calls: dict[int, _Call] = {}
        self._current: dict[int, int] = {}
        self._heard, self._missed = True, 0
        self._heart: asyncio.TimerHandle | None = None
        self.hello: asyncio.Future[Mapping[str, object]] = self._loop.create_future()
        self.open = True

    @classmethod
    async def over(
        cls, sock: socket.socket, on_exit: Callable[[int, Exit, bool], None], on_lost: Callable[[str], None]
    ) -> Channel:
        """A channel over our half of a socket pair."""
        channel = cls(on_exit, on_lost)
        await channel._loop.create_unix_connection(lambda: channel, sock=sock)
        return channel

    # -- what the host asks

    def create(self, number: int, body: bytes) -> asyncio.Future[Created]:
        """Ask for instance `number` to be made; `body` is its specification as JSON."""
        answer: asyncio.Future[Created] = self._loop.create_future()
        self._requests += 1
        self._creates[self._requests] = answer
        self._send(frames.pack(frames.CREATE, self._requests, number, body))
        return answer

    def invoke(self, number: int, invocation: Invocation, log: LogSink) -> asyncio.Future[Reply]:
        """Call the handler of instance `number`.

        The future raises `InstanceDied` when the instance ends first. Cancelling it makes the answer be ignored; the
        instance is busy until it has answered or ended all the same.

        Raises
        ------
        RuntimeError: it is busy.

        """
        if number in self._current:
            raise RuntimeError(f"instance {number} runs something already")
        answer: asyncio.Future[Reply] = self._loop.create_future()
        self._requests += 1
        self._calls[self._requests] = _Call(number, answer, log)
        self._current[number] = self._requests
        frame = frames.pack_invoke(
            self._requests,
            number,
            invocation.request_id.encode(),
            invocation.retry_count,
            invocation.deadline_at,
            invocation.payload,
        )
        self._send(frame)
        return answer

    def stop(self, number: int, reason: str, grace_seconds: float) -> None:
        """Ask for the end of instance `number`; `on_exit` tells when it came."""
        body = msgspec.json.encode({"reason": reason, "grace_seconds": grace_seconds})
        self._send(frames.pack(frames.STOP, 0, number, body))

    def close(self) -> None:
        """End the conversation; `on_lost` is not called, what was asked and not answered stays so until `fail`."""
        self.open = False
        if self._heart is not None:
            self._heart.cancel()
        if self._transport is not None:
            self._transport.abort()

    def fail(self) -> None:
        """Tell everyone who still waits that the sandbox is gone."""
        calls, self._calls = self._calls, {}
        creates, self._creates = self._creates, {}
        self._current.clear()
        for call in calls.values():
            if not call.answer.done():
                call.answer.set_exception(InstanceDied(Exit(), lost=True))
        for answer in creates.values():
            if not answer.done():
                answer.set_result(Created(cause="SandboxLost", message="the sandbox went away"))

    # -- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the heartbeat."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self._heart = self._loop.call_later(HEARTBEAT_SECONDS, self._beat)

    def data_received(self, data: bytes) -> None:
        """Take what came; something that is no frame ends the channel."""
        self._heard = True
        try:
            for kind, request, number, body in self._parser.feed(data):
                self._take(kind, request, number, body)
        except (frames.Malformed, msgspec.MsgspecError) as error:
            self._lose(f"the agent sent something that is not a frame: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        """Notice the other end's end."""
        self._lose(f"the agent's channel ended{f': {exc}' if exc else ''}")

    # -- inside

    def _send(self, frame: bytes) -> None:
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(frame)

    def _flush(self) -> None:
        out, self._out = self._out, []
        if self._transport is not None and self.open:
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))

    def _beat(self) -> None:
        """Count a beat without an answer as missed: beats and not time, so a host that stood still blames nobody."""
        self._missed = 0 if self._heard else self._missed + 1
        if self._missed >= HEARTBEATS_MISSED_MAX:
            self._lose(f"the agent did not answer for {self._missed} heartbeats")
            return
        self._heard = False
        self._send(frames.pack(frames.PING, 0, 0))
        self._heart = self._loop.call_later(HEARTBEAT_SECONDS, self._beat)

    def _lose(self, reason: str) -> None:
        if not self.open:
            return
        self.close()
        if not self.hello.done():
            self.hello.cancel()
        self._on_lost(reason)

    def _take(self, kind: int, request: int, number: int, body: bytes) -> None:
        if kind == frames.RESULT:
            self._result(request, number, body)
        elif kind == frames.LOG:
            self._log(request, number, body)
        elif kind == frames.EXIT:
            self._exit(number, msgspec.json.decode(body, type=_Ended))
        elif kind == frames.CREATED:
            answer = self._creates.pop(request, None)
            created = msgspec.json.decode(body, type=Created)
            if answer is not None and not answer.done():
                answer.set_result(created)
        elif kind == frames.HELLO and not self.hello.done():
            self.hello.set_result(msgspec.json.decode(body, type=dict[str, object]))

    def _result(self, request: int, number: int, body: bytes) -> None:
        call = self._calls.get(request)
        if call is None or call.number != number:
            return  # nobody asked this of that instance
        outcome, duration_us, peak_bytes, payload = frames.unpack_result(body)
        del self._calls[request]
        del self._current[number]
        if not call.answer.done():
            call.answer.set_result(_reply(outcome, duration_us, peak_bytes, payload))

    def _log(self, request: int, number: int, body: bytes) -> None:
        call = self._calls.get(request)
        if call is None or call.number != number or call.answer.done() or len(body) < frames.LOG_HEAD.size:
            return
        (dropped,) = frames.LOG_HEAD.unpack_from(body)
        call.log(body[frames.LOG_HEAD.size :], dropped)

    def _exit(self, number: int, ended: _Ended) -> None:
        exit_ = Exit(
            code=ended.code,
            signal=ended.signal,
            signals_sent=ended.signals_sent,
            oom=ended.oom,
            memory_peak_bytes=ended.memory_peak_bytes,
            memory_limit_bytes=ended.memory_limit_bytes,
            processes_left=ended.processes_left,
            elapsed_ms=ended.elapsed_ms,
        )
        self._on_exit(number, exit_, ended.lost)
        call = self._calls.pop(self._current.pop(number, 0), None)
        if call is not None and not call.answer.done():
            call.answer.set_exception(InstanceDied(exit_, lost=ended.lost))


def _reply(outcome: int, duration_us: int, peak_bytes: int, payload: bytes) -> Reply:
    if outcome == frames.OK:
        return Reply(ok=True, payload=payload, duration_us=duration_us, memory_peak_bytes=peak_bytes)
    document = _Document()
    if len(payload) <= _DOCUMENT_BYTES_MAX:
        # An instance may write what it likes; the caller gets it as it is, without a type.
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
            document = msgspec.json.decode(payload, type=_Document)
    return Reply(
        ok=False,
        payload=payload,
        kind=_KINDS[outcome],
        type=document.error_type,
        message=document.error_message,
        duration_us=duration_us,
        memory_peak_bytes=peak_bytes,
    )
