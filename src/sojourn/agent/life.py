"""What is asked of a living instance, and what it answers: executions, hooks, freezing, the way to its end.

The order of things is decided here: who owns the output, when limits are looked after, what a stop does first. An
instance that answers what it was not asked is killed. Making instances and burying them is left to `agent`.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any

from . import frames
from .freezer import Freezer
from .limits import Limits
from .loop import Loop
from .resident import Resident
from .stream import Stream

REPORT_SECONDS = 0.05
"""How long a report waits for the next one, which takes its place."""
GOODBYE_SECONDS = 0.2
"""How long a process may live after its socket ended before it is killed."""


class Life:
    """Serves the instances of one agent.

    `on_terminate(resident, grace_seconds)` is told when the signals of a stop begin, `on_begin(resident, kind, body)`
    gets what an instance says before it is ready.
    """

    def __init__(
        self,
        loop: Loop,
        host: Stream,
        limits: Limits,
        on_terminate: Callable[[Resident, float], None],
        on_begin: Callable[[Resident, int, bytes], None],
    ) -> None:
        self._loop, self._host, self._limits = loop, host, limits
        self._on_terminate, self._on_begin = on_terminate, on_begin
        self._freezer = Freezer(loop, self.frozen)

    # -- what the host asks

    def invoke(self, resident: Resident, request: int, body: bytes) -> None:
        """Have an execution begin."""
        stream, output = resident.stream, resident.output
        if not resident.ready or resident.stopping or stream is None or output is None:
            return  # it is on its way out: the host learns from its exit
        if len(resident.requests) >= resident.concurrency:
            return
        if resident.freezing:
            self.thaw(resident)
        if not resident.requests:
            resident.memory.peak_bytes = 0
            if not resident.writer:
                output.begin()
                self._limits.begin(resident)
        name = b""
        if resident.lines is None:
            resident.writer = resident.writer or request
        else:
            name = frames.unpack_invoke(body)[0].encode()
        resident.requests[request] = name
        frame = frames.pack(frames.INVOKE, request, resident.number, body)
        if resident.writer == request or not resident.hooks.running:
            stream.send(frame)
        else:
            resident.held.append(frame)  # else its first words would be taken for the hook's last

    def initialize(self, resident: Resident, request: int, told: dict[str, str]) -> None:
        """Run Initializer and say what it came to."""

        def done(body: bytes) -> None:
            resident.initialized = body[0] == frames.OK
            self._host.send(frames.pack(frames.HOOKED, request, resident.number, body))

        if not resident.ready or resident.stopping:
            return  # the host learns from its exit
        if resident.hooks.has(frames.INITIALIZER):
            self._hook(resident, frames.INITIALIZER, request, told, done)
        else:
            done(frames.RESULT_HEAD.pack(frames.OK, 0, 0))

    def cancel(self, resident: Resident, request: int, body: bytes) -> None:
        """Ask it to give up one of several executions."""
        if resident.stream is not None and request in resident.requests and resident.concurrency > 1:
            resident.stream.send(frames.pack(frames.CANCEL, request, resident.number, body))

    def freeze(self, resident: Resident, request: int, told: dict[str, str]) -> None:
        """Run PreFreeze where there is one, then take the CPU away."""
        if resident.stopping:
            return
        if not resident.ready or resident.requests or resident.freezing:
            self._host.send(frames.pack(frames.FROZEN, request, resident.number))
            return
        resident.freezing = request

        def then(body: bytes) -> None:
            answer = frames.pack(frames.FROZEN, request, resident.number, body)
            if resident.freezing == request and not resident.stopping:
                resident.frozen, resident.freeze_answer = True, answer
                self._freezer.freeze(resident, request)
            else:  # it was thawed while the hook ran
                self._host.send(answer)

        if resident.initialized and resident.hooks.has(frames.PRE_FREEZE):
            self._hook(resident, frames.PRE_FREEZE, request, told, then)
        else:
            then(b"")

    def frozen(self, resident: Resident, request: int) -> None:
        """It stands still, says its zygote."""
        if resident.freezing == request:
            self._say_frozen(resident)

    def thaw(self, resident: Resident) -> None:
        """Give the CPU back; a freeze that is not through yet is over with that."""
        if resident.frozen:
            resident.frozen = False
            self._freezer.thaw(resident)
        resident.freezing = 0
        self._say_frozen(resident)

    def _say_frozen(self, resident: Resident) -> None:
        answer, resident.freeze_answer = resident.freeze_answer, b""
        if answer:
            self._host.send(answer)

    def stop(self, resident: Resident, request: int, order: dict[str, Any]) -> None:
        """PreStop where there is one, then the signals; a second stop changes nothing, but for one that kills."""
        if resident.stopping:
            if order.get("force"):
                resident.signal(signal.SIGKILL)
            return
        resident.stopping = True
        resident.asked_at = time.monotonic()
        if resident.timer is not None:
            resident.timer.cancel()
        self.thaw(resident)
        grace_seconds = float(order["grace_seconds"])

        def done(body: bytes) -> None:
            resident.pre_stop = body
            self._terminate(resident, request, grace_seconds)

        wanted = bool(order.get("pre_stop")) and resident.hooks.has(frames.PRE_STOP)
        if wanted and resident.ready and resident.initialized:
            told = {name: str(order.get(name, "")) for name in ("reason", "task_id", "request_id")}
            self._hook(resident, frames.PRE_STOP, request, told, done)
        else:
            self._terminate(resident, request, grace_seconds)

    def _terminate(self, resident: Resident, request: int, grace_seconds: float) -> None:
        """The signals of the stop `request`; it gets the last words of an instance that runs nothing."""
        if resident.gone:
            return
        if resident.ready and not resident.requests:
            resident.hand_over(request)
        if grace_seconds > 0 and resident.ready:
            resident.signal(signal.SIGTERM)
            resident.timer = self._loop.later(grace_seconds, lambda: resident.signal(signal.SIGKILL))
        else:
            resident.signal(signal.SIGKILL)
        self._on_terminate(resident, grace_seconds)

    def _hook(
        self, resident: Resident, name: str, request: int, told: dict[str, str], done: Callable[[bytes], None]
    ) -> None:
        """Run a hook that is configured; output is its own while it runs, and limits hold for it as for a handler."""
        stream = resident.stream
        if name == frames.PRE_STOP and resident.control is not None:
            stream = resident.control
        resident.hand_over(request)
        self._limits.begin(resident)

        def over(body: bytes) -> None:
            if resident.writer == request:
                resident.hand_back()
            held, resident.held = resident.held, []
            for frame in held:
                if resident.stream is not None:
                    resident.stream.send(frame)
            counted = self._limits.counted(resident, body)
            self._note_peak(resident, counted)
            self._rest(resident)
            done(counted)

        resident.hooks.start(name, request, stream, told, over)
        if stream is None or not stream.open:
            resident.hooks.cut(stream)

    # -- what an instance says

    def answered(self, resident: Resident, kind: int, request: int, body: bytes) -> None:
        """Take a frame from its socket."""
        try:
            if kind == frames.RESULT and request in resident.requests:
                frames.check_result(body)
                refused, body = self._limits.refused(resident, body), self._limits.counted(resident, body)
                self._over(resident, request, body)
                if refused:
                    self._host.send(frames.pack(frames.NOTED, request, resident.number, str(refused).encode()))
                self._host.send(frames.pack(frames.RESULT, request, resident.number, body))
                return
            if kind == frames.HOOKED and resident.hooks.answered(request, body, resident.stream):
                return
        except frames.Malformed:
            self.hostile(resident)
            return
        if kind == frames.PROGRESS and resident.ready and len(body) <= frames.PROGRESS_BYTES_MAX:
            self._reported(resident, request, body)
        elif kind == frames.CANCELLED and resident.concurrency > 1:
            if request in resident.requests:  # else its answer and the cancel met on the way
                self._over(resident, request, b"")
                self._host.send(frames.pack(frames.CANCELLED, request, resident.number))
        elif not resident.ready:
            self._on_begin(resident, kind, body)
        else:
            self.hostile(resident)

    def controlled(self, resident: Resident, kind: int, request: int, body: bytes) -> None:
        """Take a frame from PreStop's socket."""
        try:
            if kind == frames.HOOKED and resident.hooks.answered(request, body, resident.control):
                return
        except frames.Malformed:
            pass
        self.hostile(resident)

    def hostile(self, resident: Resident) -> None:
        """It does not keep to the rules of its sockets; nothing that it says later counts."""
        for stream in (resident.stream, resident.control):
            if stream is not None:
                stream.close()
        resident.signal(signal.SIGKILL)

    def silent(self, resident: Resident, stream: Stream | None, reason: str) -> None:
        """A socket of it ended: it is dying, or gave the socket up, or wrote something that is not a frame."""
        if reason:
            resident.signal(signal.SIGKILL)
        elif stream is resident.stream and not resident.stopping:
            self._loop.later(GOODBYE_SECONDS, lambda: resident.signal(signal.SIGKILL))
        resident.hooks.cut(stream)

    def ended(self, resident: Resident) -> None:
        """Nothing of it is left: its last words go out, its hooks are over."""
        resident.gone = True
        self._say_reports(resident)
        resident.owned()
        resident.hooks.cut()
        resident.hooks.close()
        self._limits.end(resident)

    def _reported(self, resident: Resident, request: int, body: bytes) -> None:
        """Keep how far an execution says it is, and tell it soon; one that is over meanwhile is not heard."""
        if request in resident.requests:
            if not resident.reports:
                self._loop.later(REPORT_SECONDS, lambda: self._say_reports(resident))
            resident.reports[request] = body

    def _say_reports(self, resident: Resident) -> None:
        reports, resident.reports = resident.reports, {}
        for request, body in reports.items():
            self._host.send(frames.pack(frames.PROGRESS, request, resident.number, body))

    def _over(self, resident: Resident, request: int, body: bytes) -> None:
        """An execution is over."""
        self._say_reports(resident)
        resident.owned()
        del resident.requests[request]
        if resident.writer == request:
            resident.writer = 0
        self._note_peak(resident, body)
        self._rest(resident)

    def _rest(self, resident: Resident) -> None:
        """Limits are looked after while something runs."""
        if not resident.requests and not resident.hooks.running:
            self._limits.end(resident)

    @staticmethod
    def _note_peak(resident: Resident, body: bytes) -> None:
        """Remember the peak that a RESULT or HOOKED body tells; a made-up one is the instance's own business."""
        peak_bytes = max(int.from_bytes(body[9:17], "big"), resident.memory.peak_bytes)
        resident.peak_bytes = max(resident.peak_bytes, peak_bytes)
