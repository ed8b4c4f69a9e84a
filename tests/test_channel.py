"""The host's end of the channel, against an agent that a test plays itself."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
import uvloop

from sojourn import channel as module
from sojourn.agent import frames
from sojourn.answers import reply_of
from sojourn.channel import Channel
from sojourn.sandbox import Exit, HookOutcome, InstanceDied, Invocation, StopOrder, Usage

CALL = Invocation(request_id="1-a", payload=b"event", retry_count=2, deadline_at=9)
LOOPS = pytest.mark.parametrize("loop", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])


class Played:
    """A channel, and the agent's end of it in the test's hands."""

    def __init__(self) -> None:
        self.exits: list[tuple[int, Exit, bool]] = []
        self.losses: list[str] = []
        self.lost = asyncio.Event()
        self._parser = frames.Parser()
        self._heard: list[tuple[int, int, int, bytes]] = []

    async def open(self) -> Channel:
        """Make the channel."""
        ours, self.agent = socket.socketpair()
        for sock in (ours, self.agent):
            sock.setblocking(False)
        self.channel = await Channel.over(ours, lambda *ended: self.exits.append(ended), self._lost)
        return self.channel

    async def heard(self, kind: int) -> tuple[int, int, int, bytes]:
        """The next frame of `kind` that the host sent."""
        while True:
            for place, frame in enumerate(self._heard):
                if frame[0] == kind:
                    return self._heard.pop(place)
            self._heard += self._parser.feed(await asyncio.get_running_loop().sock_recv(self.agent, 65536))

    async def say(self, data: bytes) -> None:
        """Send bytes to the host."""
        await asyncio.get_running_loop().sock_sendall(self.agent, data)

    def _lost(self, reason: str) -> None:
        self.losses.append(reason)
        self.lost.set()


def _play(loop: Callable[[Any], None], scene: Callable[[Played], Awaitable[None]]) -> None:
    async def body() -> None:
        played = Played()
        await played.open()
        await scene(played)
        played.channel.close()
        played.channel.fail()
        played.agent.close()
        await asyncio.sleep(0)

    loop(body())


def _nothing(_piece: bytes, _dropped: int) -> None:
    pass


@LOOPS
def test_a_call_and_its_answer(loop: Callable[[Any], None]) -> None:
    """The agent gets the invocation, its logs come first and its result becomes the reply."""

    async def scene(played: Played) -> None:
        logged: list[tuple[bytes, int]] = []
        answer = played.channel.invoke(5, CALL, lambda piece, dropped: logged.append((piece, dropped)))
        _, request, number, body = await played.heard(frames.INVOKE)
        log = frames.pack(frames.LOG, request, 5, frames.LOG_HEAD.pack(3) + b"line")
        await played.say(log + frames.pack(frames.RESULT, request, 5, frames.RESULT_HEAD.pack(0, 11, 22) + b"done"))
        reply = await answer

        assert number == 5
        assert frames.unpack_invoke(body) == ("1-a", 2, 9, b"event")
        assert (reply.ok, reply.payload, reply.duration_us, reply.memory_peak_bytes) == (True, b"done", 11, 22)
        assert logged == [(b"line", 3)]

    _play(loop, scene)


def test_error_documents_are_read_if_they_are_documents() -> None:
    """Type and message come from the document; what is no document is passed on with neither."""

    async def scene(played: Played) -> None:
        for payload, kind, message in (
            (b'{"errorMessage": "m", "errorType": "T", "more": 1}', "T", "m"),
            (b"[1]", "", ""),
            (b'{"errorType": 3}', "", ""),
            (b"\xff\xfe", "", ""),
            (b"[" * 5000, "", ""),
            (b"", "", ""),
        ):
            answer = played.channel.invoke(5, CALL, _nothing)
            _, request, _, _ = await played.heard(frames.INVOKE)
            await played.say(frames.pack(frames.RESULT, request, 5, frames.RESULT_HEAD.pack(1, 0, 0) + payload))
            reply = await answer

            assert (reply.ok, reply.kind) == (False, "UnhandledInvocationError")
            assert (reply.type, reply.message, reply.payload) == (kind, message, payload)

    _play(asyncio.run, scene)


def test_answers_to_other_questions_are_ignored() -> None:
    """A result for an unknown request or of another instance answers nothing; nor does an unknown type."""

    async def scene(played: Played) -> None:
        logged: list[bytes] = []
        answer = played.channel.invoke(5, CALL, lambda piece, _: logged.append(piece))
        _, request, _, _ = await played.heard(frames.INVOKE)
        body = frames.RESULT_HEAD.pack(0, 0, 0) + b"false"
        await played.say(frames.pack(frames.RESULT, request + 1, 5, body))
        await played.say(frames.pack(frames.RESULT, request, 6, body))
        await played.say(frames.pack(frames.LOG, request, 6, frames.LOG_HEAD.pack(0) + b"false"))
        await played.say(frames.pack(200, request, 5, b"?"))
        await played.say(frames.pack(frames.RESULT, request, 5, frames.RESULT_HEAD.pack(0, 0, 0) + b"true"))

        assert (await answer).payload == b"true"
        assert logged == []
        assert played.losses == []

    _play(asyncio.run, scene)


def test_a_cancelled_call_stays_busy_until_its_answer() -> None:
    """Its late answer and its late output go nowhere; before them the instance takes no other call."""

    async def scene(played: Played) -> None:
        logged: list[bytes] = []
        answer = played.channel.invoke(5, CALL, lambda piece, _: logged.append(piece))
        _, request, _, _ = await played.heard(frames.INVOKE)
        answer.cancel()
        with pytest.raises(RuntimeError, match="runs something already"):
            played.channel.invoke(5, CALL, _nothing)
        other = played.channel.create(6, b"{}")
        _, made, _, _ = await played.heard(frames.CREATE)
        await played.say(frames.pack(frames.LOG, request, 5, frames.LOG_HEAD.pack(0) + b"late"))
        await played.say(frames.pack(frames.RESULT, request, 5, frames.RESULT_HEAD.pack(0, 0, 0)))
        await played.say(frames.pack(frames.CREATED, made, 6, b'{"parts": {"forkMs": 1}}'))
        created = await other

        assert created.parts == {"forkMs": 1.0}
        assert logged == []
        played.channel.invoke(5, CALL, _nothing)
        await played.heard(frames.INVOKE)

    _play(asyncio.run, scene)


def test_an_exit_ends_the_call_it_cuts_short() -> None:
    """on_exit hears first, then the caller gets InstanceDied with the same exit."""

    async def scene(played: Played) -> None:
        answer = played.channel.invoke(5, CALL, _nothing)
        await played.heard(frames.INVOKE)
        body = {"code": None, "signal": 9, "signals_sent": ["SIGKILL"], "oom": True, "memory_peak_bytes": 7}
        await played.say(frames.pack(frames.EXIT, 0, 5, msgspec.json.encode(body)))
        with pytest.raises(InstanceDied) as died:
            await answer

        expected = Exit(signal=9, signals_sent=("SIGKILL",), oom=True, memory_peak_bytes=7)
        assert (died.value.exit, died.value.lost) == (expected, False)
        assert played.exits == [(5, expected, False)]

    _play(asyncio.run, scene)


GARBAGE = {
    "a giant": frames.HEADER.pack(2**31, 18, 0, 0),
    "an exit that is no JSON": frames.pack(frames.EXIT, 0, 5, b"{"),
    "an exit of wrong types": frames.pack(frames.EXIT, 0, 5, b'{"code": "x"}'),
    "a created of wrong types": frames.pack(frames.CREATED, 1, 5, b'{"parts": {"a": "b"}}'),
}


@LOOPS
@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_from_the_agent_ends_the_channel(loop: Callable[[Any], None], garbage: str) -> None:
    """on_lost is told once, and everyone who waits gets a loss."""

    async def scene(played: Played) -> None:
        call, made = played.channel.invoke(5, CALL, _nothing), played.channel.create(6, b"{}")
        await played.say(GARBAGE[garbage])
        await played.lost.wait()
        played.channel.fail()
        with pytest.raises(InstanceDied) as died:
            await call

        assert died.value.lost
        assert (await made).cause == "SandboxLost"
        assert len(played.losses) == 1
        assert not played.channel.open

    _play(loop, scene)


def test_a_short_result_for_a_real_call_ends_the_channel() -> None:
    """An agent relays no result without its fixed fields."""

    async def scene(played: Played) -> None:
        call = played.channel.invoke(5, CALL, _nothing)
        _, request, _, _ = await played.heard(frames.INVOKE)
        await played.say(frames.pack(frames.RESULT, request, 5, b"x"))
        await played.lost.wait()
        played.channel.fail()
        with pytest.raises(InstanceDied):
            await call

    _play(asyncio.run, scene)


@LOOPS
def test_the_end_of_the_agent_is_noticed(loop: Callable[[Any], None]) -> None:
    """A closed socket is a loss; closing it ourselves is none."""

    async def scene(played: Played) -> None:
        played.agent.close()
        await played.lost.wait()
        quiet = Played()
        await quiet.open()
        quiet.channel.close()
        await asyncio.sleep(0)

        assert len(played.losses) == 1
        assert quiet.losses == []
        quiet.agent.close()

    _play(loop, scene)


def test_three_silent_heartbeats_are_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any frame counts as a sign of life; silence for three beats does not pass."""
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.02)

    async def scene(played: Played) -> None:
        for _ in range(8):
            await played.heard(frames.PING)
            await played.say(frames.pack(frames.PONG, 0, 0))
        assert played.losses == []
        await played.lost.wait()

        assert played.losses == ["the agent did not answer for 3 heartbeats"]

    _play(asyncio.run, scene)


HOOKED = frames.RESULT_HEAD.pack(0, 1500, 0)
DOCUMENT = b'{"errorMessage": "m", "errorType": "T"}'


def test_hooks_have_their_own_logs_and_outcomes() -> None:
    """Initializer and PreFreeze get their ids, their output goes to their sinks, what they came to is read."""

    async def scene(played: Played) -> None:
        logs: dict[str, list[bytes]] = {"first": [], "freeze": []}
        begun = played.channel.initialize(5, "1-a", lambda piece, _: logs["first"].append(piece))
        frozen = played.channel.freeze(5, "1-b", lambda piece, _: logs["freeze"].append(piece))
        plain = played.channel.freeze(6, "1-c", _nothing)
        _, first, number, told = await played.heard(frames.INITIALIZE)
        _, second, _, _ = await played.heard(frames.FREEZE)
        _, third, _, _ = await played.heard(frames.FREEZE)
        await played.say(frames.pack(frames.LOG, first, 5, frames.LOG_HEAD.pack(0) + b"a"))
        await played.say(frames.pack(frames.LOG, second, 5, frames.LOG_HEAD.pack(0) + b"b"))
        await played.say(frames.pack(frames.HOOKED, first, 6, HOOKED))
        await played.say(frames.pack(frames.HOOKED, first, 5, HOOKED))
        late = frames.RESULT_HEAD.pack(frames.TIMED_OUT, 2000, 0) + DOCUMENT
        await played.say(frames.pack(frames.FROZEN, second, 5, late) + frames.pack(frames.FROZEN, third, 6))

        assert (number, msgspec.json.decode(told)) == (5, {"request_id": "1-a"})
        assert await begun == HookOutcome(ok=True, duration_ms=1.5)
        expected = HookOutcome(ok=False, duration_ms=2.0, timed_out=True, payload=DOCUMENT, type="T", message="m")
        assert await frozen == expected
        assert await plain is None
        assert logs == {"first": [b"a"], "freeze": [b"b"]}

    _play(asyncio.run, scene)


def test_a_stop_hears_pre_stop_and_ends_everything_that_waits() -> None:
    """Its order arrives whole, its log is its own, and hooks, calls, cancels and usage are told of the end."""

    async def scene(played: Played) -> None:
        logged: list[bytes] = []
        call = played.channel.invoke(5, CALL, _nothing)
        hook = played.channel.initialize(5, "1-a", _nothing)
        given_up = played.channel.cancel(5, CALL.request_id)
        used, other = played.channel.usage(5), played.channel.usage(6)
        order = StopOrder(reason="cancel", grace_seconds=2.0, task_id="t", request_id="1-s")
        played.channel.stop(5, order, lambda piece, _: logged.append(piece))
        _, request, number, body = await played.heard(frames.STOP)
        _, asked, _, _ = await played.heard(frames.USAGE)
        _, asked_other, _, _ = await played.heard(frames.USAGE)
        await played.say(frames.pack(frames.LOG, request, 5, frames.LOG_HEAD.pack(0) + b"bye"))
        await played.say(frames.pack(frames.LOG, request, 6, frames.LOG_HEAD.pack(0) + b"not mine"))
        await played.say(frames.pack(frames.USED, asked, 5, b"{}"))
        used_body = b'{"memory_bytes": 1, "memory_peak_bytes": 2, "cpu_seconds": 3, "processes": 4}'
        await played.say(frames.pack(frames.USED, asked_other, 6, used_body))
        ended = {"code": 143, "pre_stop": {"outcome": 1, "duration_us": 3000, "document": DOCUMENT.decode()}}
        await played.say(frames.pack(frames.EXIT, 0, 5, msgspec.json.encode(ended)))
        for waiting in (call, hook):
            with pytest.raises(InstanceDied) as died:
                await waiting
            assert died.value.exit.pre_stop == HookOutcome(
                ok=False, duration_ms=3.0, payload=DOCUMENT, type="T", message="m"
            )

        assert (number, msgspec.json.decode(body, type=StopOrder)) == (5, order)
        assert logged == [b"bye"]
        assert await used == Usage()
        assert await other == Usage(memory_bytes=1, memory_peak_bytes=2, cpu_seconds=3, processes=4)
        assert await given_up
        assert await played.channel.cancel(5, CALL.request_id)

    _play(asyncio.run, scene)


def test_several_calls_at_a_time_and_one_of_them_given_up() -> None:
    """As many as the instance takes; answers come in any order, and what is cancelled is over for its caller too."""

    async def scene(played: Played) -> None:
        other = Invocation(request_id="1-b", payload=b"")
        first = played.channel.invoke(5, CALL, _nothing, concurrency=2)
        second = played.channel.invoke(5, other, _nothing, concurrency=2)
        with pytest.raises(RuntimeError, match="runs something already"):
            played.channel.invoke(5, CALL, _nothing, concurrency=2)
        with pytest.raises(RuntimeError, match="runs something"):
            played.channel.freeze(5, "1-f", _nothing)
        _, one, _, _ = await played.heard(frames.INVOKE)
        _, two, _, _ = await played.heard(frames.INVOKE)
        asked = played.channel.cancel(5, "1-b")
        assert played.channel.cancel(5, "1-b") is asked
        _, request, _, body = await played.heard(frames.CANCEL)
        await played.say(frames.pack(frames.CANCELLED, one, 6) + frames.pack(frames.CANCELLED, two, 5))
        reply = await second
        await played.say(frames.pack(frames.RESULT, one, 5, frames.RESULT_HEAD.pack(0, 0, 0) + b"one"))

        assert (request, msgspec.json.decode(body)) == (two, {"request": two, "request_id": "1-b"})
        assert await asked
        assert (reply.ok, reply.type) == (False, "InvocationCanceled")
        assert (await first).payload == b"one"
        played.channel.invoke(5, CALL, _nothing)

    _play(asyncio.run, scene)


def test_a_thaw_goes_ahead_of_the_call() -> None:
    """The agent hears it first."""

    async def scene(played: Played) -> None:
        played.channel.thaw(5)
        played.channel.invoke(5, CALL, _nothing)
        await played.heard(frames.INVOKE)

        assert [frame[0] for frame in played._heard] == [frames.THAW]

    _play(asyncio.run, scene)


WISHES = [
    (b'{"errorType": "T", "retryable": false, "retryAfterSeconds": 3}', False, 3.0),
    (b'{"errorType": "T", "retryable": 0, "retryAfterSeconds": "3"}', True, None),
    (b'{"errorType": "T", "retryable": null, "retryAfterSeconds": -1}', True, None),
    (b'{"errorType": "T", "retryable": [], "retryAfterSeconds": true}', True, None),
    (b'{"errorType": "T", "retryAfterSeconds": 1e300}', True, 604_800.0),
    (b'{"errorType": "T", "retryAfterSeconds": {"a": 1}}', True, None),
]


@pytest.mark.parametrize(("payload", "retryable", "after"), WISHES)
def test_wishes_about_retries_are_read_without_trust(payload: bytes, retryable: bool, after: float | None) -> None:  # noqa: FBT001 - a row
    """A wrong type is no wish and takes nothing else of the document along; a long delay is bounded."""
    reply = reply_of(frames.UNHANDLED, 0, 0, payload)

    assert (reply.retryable, reply.retry_after_seconds, reply.type) == (retryable, after, "T")
