"""The host's end of an agent's channel: requests, answers, heartbeat.

An asyncio protocol over one half of a socket pair; who is at the other end is known because we made it, never because
of a field. It checks the form of every frame and that an answer belongs to what was asked; anything else ends the
channel, and with it the sandbox. Frames are written once per turn of the loop, and no task is made per message: an
invocation costs a future and two dictionary entries. What a sandbox does with answers and ends is left to `sandboxes`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import cast

import msgspec

from .agent import frames
from .answers import CANCELLED, Created, Ended, exit_of, hook_outcome, reply_of
from .crashpoint import crashpoint
from .sandbox import Exit, HookOutcome, InstanceDied, Invocation, LogSink, Reply, StopOrder, Usage

HEARTBEAT_SECONDS = 1.0
HEARTBEATS_MISSED_MAX = 3


class _Call:
    """An invocation that was sent; its future may have been cancelled by now."""

    __slots__ = ("answer", "log", "number", "refused", "report", "request_id")

    def __init__(
        self,
        number: int,
        request_id: str,
        answer: asyncio.Future[Reply],
        log: LogSink,
        report: Callable[[bytes], None] | None = None,
    ) -> None:
        self.number, self.request_id, self.answer, self.log, self.report = number, request_id, answer, log, report
        self.refused = 0


class _Hook:
    """A hook that runs; `answer` gets what it came to, None when there is none."""

    __slots__ = ("answer", "log", "number")

    def __init__(self, number: int, answer: asyncio.Future[HookOutcome | None], log: LogSink) -> None:
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
        self._current: dict[int, set[int]] = {}
        self._hooks: dict[int, _Hook] = {}
        self._usages: dict[int, tuple[int, asyncio.Future[Usage]]] = {}
        self._cancels: dict[int, asyncio.Future[bool]] = {}
        self._stops: dict[int, tuple[int, LogSink]] = {}
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

    def invoke(
        self, number: int, invocation: Invocation, log: LogSink, *, concurrency: int = 1
    ) -> asyncio.Future[Reply]:
        """Call the handler of instance `number`, which takes `concurrency` calls at a time.

        The future raises `InstanceDied` when the instance ends first. Cancelling it makes the answer be ignored; the
        instance is busy until it has answered or ended all the same.

        Raises
        ------
        RuntimeError: it is busy.

        """
        current = self._current.get(number)
        if current is None:
            current = self._current[number] = set()
        elif len(current) >= concurrency:
            raise RuntimeError(f"instance {number} runs something already")
        answer: asyncio.Future[Reply] = self._loop.create_future()
        self._requests += 1
        self._calls[self._requests] = _Call(number, invocation.request_id, answer, log, invocation.on_report)
        current.add(self._requests)
        frame = frames.pack_invoke(
            self._requests,
            number,
            invocation.request_id.encode(),
            invocation.retry_count | (frames.HTTP if invocation.http else 0),
            invocation.deadline_at,
            invocation.payload,
            invocation.checkpoint,
        )
        self._send(frame)
        return answer

    def initialize(self, number: int, request_id: str, log: LogSink) -> asyncio.Future[HookOutcome | None]:
        """Run Initializer; the future raises `InstanceDied` when the instance ends first."""
        return self._hook(frames.INITIALIZE, number, request_id, log)

    def freeze(self, number: int, request_id: str, log: LogSink) -> asyncio.Future[HookOutcome | None]:
        """Run PreFreeze where there is one and freeze; the future raises `InstanceDied` when the instance ends first.

        Raises
        ------
        RuntimeError: it runs something.

        """
        if self._current.get(number):
            raise RuntimeError(f"instance {number} runs something")
        return self._hook(frames.FREEZE, number, request_id, log)

    def thaw(self, number: int) -> None:
        """Let it run again; holds for everything that is sent afterwards."""
        self._send(frames.pack(frames.THAW, 0, number))

    def cancel(self, number: int, request_id: str) -> asyncio.Future[bool]:
        """Ask instance `number` to give up what `request_id` names; True once that is over, if it ever is."""
        for request in self._current.get(number, ()):
            if self._calls[request].request_id == request_id:
                found = self._cancels.get(request)
                if found is None:
                    found = self._cancels[request] = self._loop.create_future()
                    body = msgspec.json.encode({"request": request, "request_id": request_id})
                    self._send(frames.pack(frames.CANCEL, request, number, body))
                return found
        over: asyncio.Future[bool] = self._loop.create_future()
        over.set_result(True)
        return over

    def usage(self, number: int) -> asyncio.Future[Usage]:
        """Ask what it uses; nothing when it is gone."""
        answer: asyncio.Future[Usage] = self._loop.create_future()
        self._requests += 1
        self._usages[self._requests] = (number, answer)
        self._send(frames.pack(frames.USAGE, self._requests, number))
        return answer

    def stop(self, number: int, order: StopOrder, log: LogSink) -> None:
        """Ask for the end of instance `number`; `on_exit` tells when it came, PreStop's output goes to `log`."""
        self._requests += 1
        self._stops[number] = (self._requests, log)
        self._send(frames.pack(frames.STOP, self._requests, number, msgspec.json.encode(order)))

    def kill(self, number: int, order: StopOrder) -> None:
        """Cut short the end of instance `number`, which was asked for before."""
        self._send(frames.pack(frames.STOP, 0, number, msgspec.json.encode(order)))

    def _hook(self, kind: int, number: int, request_id: str, log: LogSink) -> asyncio.Future[HookOutcome | None]:
        answer: asyncio.Future[HookOutcome | None] = self._loop.create_future()
        self._requests += 1
        self._hooks[self._requests] = _Hook(number, answer, log)
        body = msgspec.json.encode({"request_id": request_id})
        self._send(frames.pack(kind, self._requests, number, body))
        return answer

    def give_up(self, reason: str) -> None:
        """End the conversation because the agent does not do what it was asked: to whoever asked it is lost."""
        self._lose(reason)

    def close(self) -> None:
        """End the conversation; `on_lost` is not called, what was asked and not answered stays so until `fail`."""
        self.open = False
        if self._heart is not None:
            self._heart.cancel()
        if self._transport is not None:
            self._transport.abort()

    def fail(self) -> None:
        """Tell everyone who still waits that the sandbox is gone."""
        for number in {*self._current, *(hook.number for hook in self._hooks.values())}:
            self._cut(number, Exit(), lost=True)
        for _, usage in self._usages.values():
            if not usage.done():
                usage.set_result(Usage())
        self._usages.clear()
        creates, self._creates = self._creates, {}
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
        elif kind == frames.NOTED and request in self._calls and self._calls[request].number == number:
            self._calls[request].refused = msgspec.json.decode(body, type=int)
        elif kind == frames.EXIT:
            self._exit(number, msgspec.json.decode(body, type=Ended))
        elif kind == frames.CREATED:
            self._made(request, number, body)
        elif kind in {frames.HOOKED, frames.FROZEN}:
            self._hooked(request, number, body)
        elif kind == frames.USED:
            self._used(request, number, body)
        elif kind == frames.CANCELLED:
            self._cancelled(request, number)
        elif kind == frames.PROGRESS:
            self._reported(request, number, body)
        elif kind == frames.HELLO and not self.hello.done():
            self.hello.set_result(msgspec.json.decode(body, type=dict[str, object]))

    def _made(self, request: int, number: int, body: bytes) -> None:
        created = msgspec.json.decode(body, type=Created)  # first: who waits must be found when it is malformed
        answer = self._creates.pop(request, None)
        if answer is not None and not answer.done():
            answer.set_result(created)
        if created.cause:
            self._stops.pop(number, None)

    def _reported(self, request: int, number: int, body: bytes) -> None:
        call = self._calls.get(request)
        if call is not None and call.number == number and call.report is not None:
            call.report(body)

    def _result(self, request: int, number: int, body: bytes) -> None:
        call = self._calls.get(request)
        if call is None or call.number != number:
            return  # nobody asked this of that instance
        outcome, duration_us, peak_bytes, payload = frames.unpack_result(body)
        self._over(request, call)
        if not call.answer.done():
            call.answer.set_result(reply_of(outcome, duration_us, peak_bytes, payload, call.refused))

    def _cancelled(self, request: int, number: int) -> None:
        call = self._calls.get(request)
        if call is None or call.number != number:
            return
        self._over(request, call)
        if not call.answer.done():
            call.answer.set_result(reply_of(frames.UNHANDLED, 0, 0, CANCELLED))

    def _over(self, request: int, call: _Call) -> None:
        """An invocation is over, and with it the wish to cancel it."""
        del self._calls[request]
        self._current[call.number].discard(request)
        if self._cancels:
            asked = self._cancels.pop(request, None)
            if asked is not None and not asked.done():
                asked.set_result(True)

    def _hooked(self, request: int, number: int, body: bytes) -> None:
        hook = self._hooks.get(request)
        if hook is None or hook.number != number:
            return
        outcome = hook_outcome(body) if body else None
        del self._hooks[request]
        if not hook.answer.done():
            hook.answer.set_result(outcome)

    def _used(self, request: int, number: int, body: bytes) -> None:
        asked, answer = self._usages.get(request, (-1, None))
        if asked != number or answer is None:
            return
        usage = msgspec.json.decode(body, type=Usage)
        del self._usages[request]
        if not answer.done():
            answer.set_result(usage)

    def _log(self, request: int, number: int, body: bytes) -> None:
        if len(body) < frames.LOG_HEAD.size:
            return
        waiting = self._calls.get(request) or self._hooks.get(request)
        if waiting is not None and waiting.number == number:
            sink = None if waiting.answer.done() else waiting.log
            crashpoint("instance.invoke.output")
        else:
            stop, sink = self._stops.get(number, (0, None))
            if stop != request:
                return
            crashpoint("instance.stop.pre_stop")
        if sink is not None:
            (dropped,) = frames.LOG_HEAD.unpack_from(body)
            sink(body[frames.LOG_HEAD.size :], dropped)

    def _exit(self, number: int, ended: Ended) -> None:
        exit_ = exit_of(ended)
        self._on_exit(number, exit_, ended.lost)
        self._stops.pop(number, None)
        self._cut(number, exit_, lost=ended.lost)

    def _cut(self, number: int, exit_: Exit, *, lost: bool) -> None:
        """Everyone who waits for something of an instance that is gone is told so."""
        for request in self._current.pop(number, ()):
            call = self._calls.pop(request)
            asked = self._cancels.pop(request, None)
            if asked is not None and not asked.done():
                asked.set_result(True)
            if not call.answer.done():
                call.answer.set_exception(InstanceDied(exit_, lost=lost))
        for request in [one for one, hook in self._hooks.items() if hook.number == number]:
            hook = self._hooks.pop(request)
            if not hook.answer.done():
                hook.answer.set_exception(InstanceDied(exit_, lost=lost))
