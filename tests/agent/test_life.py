"""What an agent makes of what an instance says, with the instance played by the test."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from sojourn.agent import frames
from sojourn.agent.groups import Groups
from sojourn.agent.life import Life
from sojourn.agent.limits import Limits
from sojourn.agent.loop import Loop
from sojourn.agent.resident import Resident
from sojourn.agent.stream import Stream
from sojourn.agent.zygotes import ZygoteHandle

HOOKS = {name: {"handler": "a." + name, "timeout": 60} for name in ("initializer", "pre_freeze", "pre_stop")}
OK = frames.RESULT_HEAD.pack(0, 0, 0)


class Played:
    """One resident of a life; `told` is what its zygote got, `said()` what the host heard."""

    def __init__(self, *, concurrency: int = 1, hooks: dict[str, Any] | None = None, kind: str = "python") -> None:
        self.told: list[dict[str, Any]] = []
        self._loop = Loop()
        host, self._host = socket.socketpair()
        stream, self.instance = socket.socketpair()
        read, self.output = os.pipe()
        for sock in (self._host, self.instance):
            sock.setblocking(False)
        self._out = out = Stream(self._loop, host, lambda *_: None, lambda _: None)
        self.life = Life(
            self._loop, out, Limits(self._loop, Groups(0, {}, 1), lambda _: None), lambda *_: None, lambda *_: None
        )
        spec = {"memory_mb": 128, "concurrency": concurrency, "lifecycle": hooks, "kind": kind}
        self.resident = resident = Resident(7, 1, cast("ZygoteHandle", self), spec, self._loop)
        resident.stream = Stream(
            self._loop,
            stream,
            lambda kind, request, _, body: self.life.answered(resident, kind, request, body),
            lambda reason: self.life.silent(resident, resident.stream, reason),
        )
        resident.attach(
            self._loop, read, lambda request, _, piece: out.send(frames.pack(frames.LOG, request, 7, piece))
        )
        resident.ready = True
        self._parser, self._heard = frames.Parser(), frames.Parser()

    def close(self) -> None:
        """Close everything."""
        self.resident.close()
        self._out.close()
        self._host.close()
        self.instance.close()
        os.close(self.output)
        self._loop.close()

    def send(self, message: dict[str, Any], _descriptors: list[int]) -> None:
        """Be its zygote."""
        self.told.append(message)

    def turn(self) -> None:
        """Let everything that is due happen."""
        for _ in range(4):
            self._loop.later(0, lambda: None)
            self._loop.turn()

    def said(self) -> list[tuple[int, int, bytes]]:
        """What the host heard since the last time."""
        self.turn()
        return _read(self._host, self._parser)

    def heard(self) -> list[tuple[int, int, bytes]]:
        """What the instance heard since the last time."""
        self.turn()
        return _read(self.instance, self._heard)

    def answer(self, kind: int, request: int, body: bytes = OK) -> None:
        """Say something as the instance."""
        self.instance.send(frames.pack(kind, request, 0, body))

    def invoke(self, request: int, request_id: bytes) -> None:
        """Ask for an execution as the host."""
        frame = frames.pack_invoke(request, 7, request_id, 0, 0, b"")
        self.life.invoke(self.resident, request, frame[frames.HEADER.size :])


@pytest.fixture(name="play")
def _play() -> Iterator[Callable[..., Played]]:
    """Makes them, and closes what they opened."""
    made: list[Played] = []

    def play(**options: Any) -> Played:
        made.append(Played(**options))
        return made[-1]

    yield play
    for played in made:
        played.close()


def _read(sock: socket.socket, parser: frames.Parser) -> list[tuple[int, int, bytes]]:
    try:
        return [(kind, request, body) for kind, request, _, body in parser.feed(sock.recv(65536))]
    except BlockingIOError:
        return []


def test_executions_answer_in_any_order_and_may_be_given_up(play: Callable[..., Played]) -> None:
    """With room for two a third is not passed on; results, a cancel, and a cancel that comes too late."""
    played = play(concurrency=2)
    for request, name in ((1, b"1-a"), (2, b"1-b"), (3, b"1-c")):
        played.invoke(request, name)
    played.life.cancel(played.resident, 1, b"{}")
    played.life.cancel(played.resident, 9, b"{}")

    assert [frame[:2] for frame in played.heard()] == [(frames.INVOKE, 1), (frames.INVOKE, 2), (frames.CANCEL, 1)]
    os.write(played.output, b"both\nonly 1-b\n")
    played.answer(frames.RESULT, 2)
    played.answer(frames.CANCELLED, 1, b"")
    played.answer(frames.CANCELLED, 1, b"")
    assert played.said() == [
        (frames.LOG, 1, b"both\n"),
        (frames.LOG, 2, b"both\nonly 1-b\n"),
        (frames.RESULT, 2, OK),
        (frames.CANCELLED, 1, b""),
    ]
    assert played.told == []


WRONG = {
    "a result of nothing": (frames.RESULT, 9, OK),
    "a hooked of nothing": (frames.HOOKED, 9, OK),
    "a result without its fields": (frames.RESULT, 1, b"x"),
    "a cancelled where nothing can be": (frames.CANCELLED, 1, b""),
    "another ready": (frames.READY, 0, b""),
    "a frame of no kind": (99, 1, b""),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_an_answer_to_nothing_ends_the_instance(play: Callable[..., Played], wrong: str) -> None:
    """It is killed, the host hears nothing of it, and nothing more is read."""
    played = play()
    played.invoke(1, b"1-a")
    played.answer(*WRONG[wrong])
    played.answer(frames.RESULT, 1)

    assert played.said() == []
    assert played.told == [{"number": 7, "signal": int(signal.SIGKILL)}]


def test_a_stale_hook_answers_nothing(play: Callable[..., Played]) -> None:
    """The answer of a hook whose time was over is ignored, and the next call is answered by its own."""
    played = play(hooks={"pre_freeze": {"handler": "a.b", "timeout": 0}})
    played.life.freeze(played.resident, 5, {"request_id": "1-f"})
    assert played.said() == []
    played.life.frozen(played.resident, 5)
    said = played.said()
    assert [(one[0], one[1], one[2][0]) for one in said] == [(frames.FROZEN, 5, frames.TIMED_OUT)]
    played.life.thaw(played.resident)
    played.invoke(6, b"1-a")
    played.answer(frames.HOOKED, 5)
    played.answer(frames.RESULT, 6)

    assert played.said() == [(frames.RESULT, 6, OK)]
    assert played.told == [{"number": 7, "freeze": 5}, {"number": 7, "thaw": True}]


def test_a_call_waits_for_the_hook_before_it(play: Callable[..., Played]) -> None:
    """What is written up to the hook's answer is the hook's, what comes later the call's."""
    played = play(hooks={"pre_freeze": HOOKS["pre_freeze"]})
    played.life.freeze(played.resident, 5, {"request_id": "1-f"})
    played.life.thaw(played.resident)
    played.invoke(6, b"1-a")
    assert [frame[:2] for frame in played.heard()] == [(frames.HOOK, 5)]
    os.write(played.output, b"hook")
    played.answer(frames.HOOKED, 5)
    assert sorted(played.said()) == [(frames.LOG, 5, b"hook"), (frames.FROZEN, 5, OK)]
    assert [frame[:2] for frame in played.heard()] == [(frames.INVOKE, 6)]
    os.write(played.output, b"call")
    played.answer(frames.RESULT, 6)

    assert sorted(played.said()) == [(frames.RESULT, 6, OK), (frames.LOG, 6, b"call")]
    assert played.told == []


def test_a_hook_of_another_kind_of_runtime_comes_over_the_one_socket(play: Callable[..., Played]) -> None:
    """PreStop too; the signals follow its answer, and a call that comes meanwhile is not passed on."""
    played = play(hooks=HOOKS, kind="custom")
    played.life.initialize(played.resident, 3, {"request_id": "1-i"})
    played.answer(frames.HOOKED, 3)
    assert played.said() == [(frames.HOOKED, 3, OK)]
    played.life.stop(played.resident, 4, {"reason": "idle", "grace_seconds": 1.0, "pre_stop": True, "task_id": "t"})
    played.invoke(5, b"1-a")
    assert [frame[:2] for frame in played.heard()] == [(frames.HOOK, 3), (frames.HOOK, 4)]
    assert played.told == []
    played.answer(frames.HOOKED, 4)
    played.turn()

    assert played.told == [{"number": 7, "signal": int(signal.SIGTERM)}]
    assert played.resident.pre_stop == OK


def test_an_initializer_that_is_not_configured_is_over_at_once(play: Callable[..., Played]) -> None:
    """Nobody waits for an answer that cannot come, and the instance is asked nothing."""
    played = play()
    played.life.initialize(played.resident, 3, {"request_id": "1-i"})

    assert played.said() == [(frames.HOOKED, 3, OK)]
    assert played.heard() == []


def test_a_socket_that_is_gone_is_asked_nothing(play: Callable[..., Played]) -> None:
    """An instance that closed its socket gets no PreStop: the signals come at once."""
    played = play(hooks={"pre_stop": HOOKS["pre_stop"]}, kind="custom")
    played.instance.close()
    played.turn()
    played.life.stop(played.resident, 4, {"reason": "idle", "grace_seconds": 1.0, "pre_stop": True})

    assert played.told == [{"number": 7, "signal": int(signal.SIGTERM)}]
    assert played.resident.pre_stop[0] == frames.UNHANDLED
