"""Simulated agents: what is at the other end of a channel, and the truth about what ran there.

The host's end is the product's own (`channel`, `agent_sandbox`), and speaks real frames. An agent here runs no code: a
payload says what its handler would do. It keeps what a host must not get wrong (what is called when, how much memory
there is, which tree is gone) and tells the observer, whatever the host believes.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from sojourn.agent import frames
from sojourn.channel import Channel
from sojourn.sandbox import Exit

from .behaviour import behaviour_of
from .living import Execution, Living

if TYPE_CHECKING:
    from .driver import SimDriver

LATENCY_SECONDS = 0.0002
_HOOKS = {"initializer": "initializer", "pre_freeze": "preFreeze", "pre_stop": "preStop"}


class Agent:
    """The agent of one sandbox. All of it happens in the world, whatever becomes of the server."""

    def __init__(self, driver: SimDriver, account_id: str) -> None:
        self.driver, self.account_id = driver, account_id
        self.loop, self.chance, self.observer = driver.loop, driver.chance, driver.observer
        self.channel: Channel | None = None
        self.living: dict[int, Living] = {}
        self.dead = self.mute = False
        self._parser = frames.Parser()
        self._heard_at = self._said_at = 0.0
        self._server = contextvars.copy_context()
        self._backlog: list[tuple[float, bytes]] = []
        self._to_agent: deque[tuple[float, bytes]] = deque()
        self._to_host: deque[tuple[bytes, Callable[[], None] | None]] = deque()
        self._unsaid: list[tuple[bytes, str, Callable[[], None] | None]] = []
        self._sent_at = 0.0
        self._creating: dict[int, tuple[int, asyncio.TimerHandle]] = {}

    # The channel ------------------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """The host says something: it is the transport of its channel."""
        self._heard_at = max(self._heard_at, self.loop.time() + LATENCY_SECONDS)
        self._to_agent.append((self.loop.time(), data))
        self.loop.call_at(self._heard_at, self._arrived, context=self.driver.world)

    def abort(self) -> None:
        """The host lets go; an agent that hears of it ends."""

    def _arrived(self) -> None:
        self._receive(*self._to_agent.popleft())

    def _receive(self, sent_at: float, data: bytes) -> None:
        if self.dead:
            return
        if self.mute:
            self._backlog.append((sent_at, data))
            return
        self._sent_at = sent_at
        for kind, request, number, body in self._parser.feed(data):
            if not self.dead:
                self._take(kind, request, number, body)

    def unmute(self) -> None:
        """It answers again, everything that was asked meanwhile."""
        self.mute = False
        backlog, self._backlog = self._backlog, []
        for data in backlog:
            self._receive(*data)
        unsaid, self._unsaid = self._unsaid, []
        for each in unsaid:
            self.say(*each)

    def say(self, frame: bytes, name: str = "", then: Callable[[], None] | None = None) -> None:
        """Send a frame, in order, unless chance has something else in mind.

        Parameters
        ----------
        frame: the frame.
        name: which kind it is, for one that may meet with a fault.
        then: is called when the host gets it.

        """
        if self.dead:
            return
        if self.mute:
            self._unsaid.append((frame, name, then))
            return
        chance = self.chance
        late = 0.0
        if name:
            if chance.fault(f"{name}: lost"):
                return
            if chance.fault(f"{name}: late"):
                late = chance.spread(f"{name}: late by", 0.01, 8.0)
            if chance.fault(f"{name}: doubled"):
                self._overtake(frame, self.loop.time() + chance.spread(f"{name}: again after", 0.001, 8.0))
        if late and name in ("result", "exit") and chance.coin(f"{name}: overtaken"):
            self._overtake(frame, self.loop.time() + late)
            return
        self._said_at = max(self._said_at, self.loop.time() + late)
        self._said_at = max(self._said_at, self.loop.time() + LATENCY_SECONDS)
        self._to_host.append((frame, then))
        self.loop.call_at(self._said_at, self._said, context=self._server)

    def _said(self) -> None:
        """Whichever timer comes first brings the frame that was sent first: a stream keeps its order."""
        frame, then = self._to_host.popleft()
        if then is not None:
            then()
        self._hand_over(frame)

    def _overtake(self, frame: bytes, when: float) -> None:
        self.loop.call_at(when, self._hand_over, frame, context=self._server)

    def _hand_over(self, frame: bytes) -> None:
        if self.channel is not None and self.channel.open:
            self.channel.data_received(frame)

    def runs(self, request_id: str) -> bool:
        """Whether user code of this execution runs in one of its instances."""
        return any(
            execution.request_id == request_id and not execution.over
            for one in self.living.values()
            for execution in one.executions.values()
        )

    def hello(self) -> None:
        """It is up."""
        self.say(frames.pack(frames.HELLO, 0, 0, b"{}"))

    def hang_up(self, garbage: bytes = b"") -> None:
        """Its end of the channel is closed, after some last words."""
        if self.dead:
            return
        self.dead = True
        channel = self.channel
        if channel is None:
            return
        if garbage:
            self.loop.call_soon(self._hand_over, garbage, context=self._server)
        else:
            self.loop.call_soon(channel.connection_lost, None, context=self._server)

    def end(self) -> None:
        """Every process of the sandbox is gone."""
        self.dead = True
        for one in list(self.living.values()):
            self._gone(one)
        self.driver.agents.pop(self, None)

    # What the host asks -----------------------------------------------------------------------------------------------

    def _take(self, kind: int, request: int, number: int, body: bytes) -> None:
        one = self.living.get(number)
        if kind == frames.PING:
            self.say(frames.pack(frames.PONG, 0, 0))
        elif kind == frames.USAGE:
            self.say(frames.pack(frames.USED, request, number, b'{"memory_bytes": 1}'))
        elif kind == frames.CREATE:
            self._create(request, number, msgspec.json.decode(body, type=dict[str, Any]))
        elif kind == frames.STOP and number in self._creating:
            self._cut_short(number)
        elif one is not None:  # what was on its way to one that has ended meanwhile is of no consequence
            self._asked(one, kind, request, body)

    def _asked(self, one: Living, kind: int, request: int, body: bytes) -> None:
        if kind == frames.INVOKE:
            self._invoke(one, request, body)
        elif kind == frames.INITIALIZE:
            self._initialize(one, request, msgspec.json.decode(body, type=dict[str, Any]))
        elif kind == frames.FREEZE:
            self._freeze(one, request)
        elif kind == frames.THAW:
            if not one.frozen:
                self.observer.blame("contract", f"thaw of {one.id}, which is not frozen")
            one.frozen, one.known_frozen_at = False, float("inf")
        elif kind == frames.STOP:
            self._stop(one, msgspec.json.decode(body, type=dict[str, Any]))
        elif kind == frames.CANCEL:
            self._cancel(one, request)

    def _create(self, request: int, number: int, spec: dict[str, Any]) -> None:
        chance = self.chance
        seconds = chance.spread("create takes", 0.002, self.driver.create_seconds)
        failed = chance.fault("create: failed")
        self.driver.creating += 1

        def known() -> None:
            if number in self.living:
                self.living[number].known_created_at = self.loop.time()

        def made() -> None:
            self.driver.creating -= 1
            if self.dead:
                return
            del self._creating[number]
            if failed:
                body = {"cause": "FunctionNotStarted", "message": "simulated"}
                self.say(frames.pack(frames.CREATED, request, number, msgspec.json.encode(body)))
                return
            one = self.living[number] = Living(self, number, spec)
            self.observer.created(one)
            self.say(frames.pack(frames.CREATED, request, number, b'{"parts": {"fork": 0.1}}'), "created", known)

        self._creating[number] = request, self.loop.call_later(seconds, made, context=self.driver.world)

    def _cut_short(self, number: int) -> None:
        """One that is being made is to go: it is answered as one that could not be made."""
        request, timer = self._creating.pop(number)
        timer.cancel()
        self.driver.creating -= 1
        body = {"cause": "FunctionNotStarted", "message": "cut short"}
        self.say(frames.pack(frames.CREATED, request, number, msgspec.json.encode(body)))

    def _invoke(self, one: Living, request: int, body: bytes) -> None:
        request_id, retry, _, payload = frames.unpack_invoke(body)
        behaviour = behaviour_of(payload, retry, request_id)
        execution = Execution(one, request, request_id, retry + 1, self.loop.time(), behaviour)
        self.observer.called(execution, payload)
        one.executions[request] = execution
        head = frames.LOG_HEAD.pack(0) + behaviour.log
        self.say(frames.pack(frames.LOG, request, one.number, head))
        if behaviour.seconds is not None:
            execution.timer = self.loop.call_later(
                behaviour.seconds, self._answer, execution, context=self.driver.world
            )
        if self.chance.fault("instance: crashed"):
            when = self.chance.spread("instance: crashes after", 0.0005, 5.0)
            self.loop.call_later(when, self.crash, one, context=self.driver.world)

    def _answer(self, execution: Execution) -> None:
        one, behaviour = execution.instance, execution.behaviour
        if one.gone or execution.over:
            return
        if behaviour.exit is not None:
            self.crash(one, behaviour.exit)
            return
        self._over(execution, "answered")
        result = frames.RESULT_HEAD.pack(behaviour.outcome, 10, 1 << 20) + behaviour.result
        self.say(frames.pack(frames.RESULT, execution.request, one.number, result), "result")

    def _initialize(self, one: Living, request: int, body: dict[str, Any]) -> None:
        if one.executions or one.frozen or one.stopping or one.ran.get("initializer"):
            self.observer.blame("contract", f"Initializer of {one.id} out of place or twice")
        self.observer.initializing(one, str(body["request_id"]))

        def initialized(outcome: int) -> None:
            one.initialized = outcome == frames.OK

        def known() -> None:
            if one.initialized:
                one.known_initialized_at = self.loop.time()

        self._hook(one, "initializer", request, initialized, known)

    def _freeze(self, one: Living, request: int) -> None:
        if one.executions or one.frozen or one.stopping or not one.initialized:
            self.observer.blame("contract", f"freeze of {one.id}, which is busy, frozen, going or not initialized")

        def still(_: int) -> None:
            one.frozen = True

        def known() -> None:
            one.known_frozen_at = self.loop.time()

        if "pre_freeze" in one.hooks:
            self._hook(one, "pre_freeze", request, still, known)
        else:
            one.frozen = True
            self.say(frames.pack(frames.FROZEN, request, one.number), "hooked", known)

    def _hook(
        self, one: Living, name: str, request: int, then: Callable[[int], None], known: Callable[[], None]
    ) -> None:
        """Run a hook and answer; a stop does not wait for it."""
        one.ran[name] = one.ran.get(name, 0) + 1
        outcome, seconds = self._hook_outcome(one, name)

        def done() -> None:
            if one.gone or one.stopping:
                return
            if outcome is None:
                self.crash(one)
                return
            then(outcome)
            head = frames.RESULT_HEAD.pack(outcome, int(seconds * 1e6), 0)
            text = b"" if outcome == frames.OK else b'{"errorMessage": "no", "errorType": "HookError"}'
            self.say(frames.pack(frames.HOOKED, request, one.number, head + text), "hooked", known)

        self.loop.call_later(seconds, done, context=self.driver.world)

    def _hook_outcome(self, one: Living, name: str) -> tuple[int | None, float]:
        """What a hook comes to (None: it takes its process down), and when."""
        chance, label = self.chance, _HOOKS[name]
        timeout = float(one.hooks[name]["timeout"])
        if chance.fault(f"{label}: hangs"):
            return frames.TIMED_OUT, timeout
        if chance.fault(f"{label}: fails"):
            return frames.UNHANDLED, 0.001
        if chance.fault(f"{label}: crashes"):
            return None, 0.001
        if name == "pre_stop":
            return frames.OK, chance.between("PreStop takes", 0.001, timeout * 0.9)
        return frames.OK, chance.spread("hook takes", 0.001, min(timeout, 1.0) * 0.9)

    def _cancel(self, one: Living, request: int) -> None:
        execution = one.executions.get(request)
        if execution is None or not self.driver.cancels:
            return

        def given_up() -> None:
            if not execution.over and not one.gone:
                self._over(execution, "cancelled")
                self.say(frames.pack(frames.CANCELLED, request, one.number))

        self.loop.call_later(self.chance.spread("cancel takes", 0.001, 2.0), given_up, context=self.driver.world)

    # How instances end ------------------------------------------------------------------------------------------------

    def _stop(self, one: Living, order: dict[str, Any]) -> None:
        if one.stopping:
            self.observer.blame("contract", f"second order to stop {one.id}")
            return
        if one.frozen and one.known_frozen_at < self._sent_at:
            self.observer.blame("contract", f"stop of {one.id}, which is frozen")
        one.stopping = True
        self.observer.stopping(one, str(order["reason"]))
        seconds, pre_stop = 0.0, None
        if order["pre_stop"] and "pre_stop" in one.hooks:
            if not one.initialized:
                self.observer.blame("contract", f"PreStop of {one.id}, which was never initialized")
            one.ran["pre_stop"] = one.ran.get("pre_stop", 0) + 1
            if one.ran["pre_stop"] > 1:
                self.observer.blame("contract", f"PreStop of {one.id} twice")
            outcome, seconds = self._hook_outcome(one, "pre_stop")
            pre_stop = {"outcome": frames.UNHANDLED if outcome is None else outcome, "duration_us": int(seconds * 1e6)}
        elif "pre_stop" in one.hooks and self._sent_at > (
            one.known_initialized_at if "initializer" in one.hooks else one.known_created_at
        ):
            self.observer.blame("contract", f"no PreStop of {one.id}, which has one")
        seconds += self.chance.between("stop takes", 0.001, float(order["grace_seconds"]) + 0.01)

        def ended() -> None:
            if one.gone:
                return
            self._gone(one)
            body = {"signal": 15, "signals_sent": ["SIGTERM"], "elapsed_ms": 1.0, "pre_stop": pre_stop}
            self.say(frames.pack(frames.EXIT, 0, one.number, msgspec.json.encode(body)), "exit")

        self.loop.call_later(seconds, ended, context=self.driver.world)

    def crash(self, one: Living, exit_: Exit | None = None) -> None:
        """An instance ends by itself."""
        if one.gone or self.dead:
            return
        exit_ = exit_ or Exit(signal=9)
        self.observer.crashed(one)
        self._gone(one)
        body = {"signal": exit_.signal, "code": exit_.code, "oom": exit_.oom, "elapsed_ms": 1.0}
        self.say(frames.pack(frames.EXIT, 0, one.number, msgspec.json.encode(body)), "exit")

    def _gone(self, one: Living) -> None:
        one.gone = True
        self.living.pop(one.number, None)
        for execution in list(one.executions.values()):
            self._over(execution, "ended")
        self.observer.destroyed(one)

    def _over(self, execution: Execution, how: str) -> None:
        execution.over = True
        execution.instance.executions.pop(execution.request, None)
        if execution.timer is not None:
            execution.timer.cancel()
        self.observer.ended(execution, how)
