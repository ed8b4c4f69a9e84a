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
from sojourn.channel import Channel
from sojourn.sandbox import Exit, InstanceDied, Invocation

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
