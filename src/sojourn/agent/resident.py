"""An instance as its agent knows it: what it runs, what it was sent, how it went."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any

from . import frames
from .groups import Group
from .guard import Watched
from .hook_runs import HookRuns
from .lines import Lines
from .loop import Loop, Timer, exited
from .output import Output
from .stream import Stream
from .zygotes import Parent

_LAST_WORDS_BYTES_MAX = 2048


class Resident:
    """Instance `number`, made by `zygote` as the create `created_by` of the specification `spec` asked.

    `requests` are the executions that run in it, with their request ids where several can. `writer` is the request that
    its output belongs to, 0 for none, or for all that run where several can.
    """

    def __init__(self, number: int, created_by: int, zygote: Parent, spec: dict[str, Any], loop: Loop) -> None:
        self.number, self.created_by, self.zygote = number, created_by, zygote
        self.directory = str(spec.get("directory", ""))
        self.concurrency = int(spec.get("concurrency", 1))
        self.hooks = HookRuns(loop, spec.get("lifecycle") or {})
        self.initialized = not self.hooks.has(frames.INITIALIZER)
        self.own_program = spec.get("kind", "python") != "python"
        self.contained = spec.get("kind") == "container"
        self.began_at = time.monotonic()
        self.forked_at = 0.0
        self.ready = False
        self.requests: dict[int, bytes] = {}
        self.writer = 0
        self.held: list[bytes] = []
        """Executions that wait for the end of a hook."""
        self.memory = Watched(0, int(spec["memory_mb"]) * frames.MEBIBYTE)
        self.peak_bytes = 0
        """The highest use that was seen in its whole life; `memory` has that of the last execution."""
        self.cause, self.message = "", ""
        self.words = b""
        """The end of what its own program wrote before it was ready."""
        self.signals: list[str] = []
        self.asked_at = 0.0
        self.group: Group | None = None
        self.oom = False
        self.files_bytes = 0
        """How much of its memory were files in /tmp and /dev/shm when it ran out."""
        self.refused = 0
        """How many processes it was not allowed to start in what it ran last."""
        self.stopping = False
        self.pre_stop = b""
        """What PreStop came to, as a HOOKED body."""
        self.freezing = 0
        """The request to freeze that holds; 0 when it is to run."""
        self.frozen = False
        self.freeze_answer = b""
        """What is to be said once it stands still."""
        self.reports: dict[int, bytes] = {}
        """The newest progress of each execution, until it is told."""
        self.gone = False
        self.timer: Timer | None = None
        self.stream: Stream | None = None
        self.control: Stream | None = None
        self.output: Output | None = None
        self.lines: Lines | None = None

    def attach(self, loop: Loop, output_fd: int, forward: Callable[[int, int, bytes], None]) -> None:
        """Take over the agent's end of its pipe; `forward(request, dropped, piece)` gets output."""
        self._forward = forward
        if self.concurrency > 1:
            self.lines = Lines(self.requests, forward)
        self.output = Output(loop, output_fd, self._wrote)

    def _wrote(self, dropped: int, piece: bytes) -> None:
        if self.writer:
            self._forward(self.writer, dropped, piece)
        elif self.lines is not None and self.requests:
            self.lines.take(dropped, piece)
        elif self.own_program and not self.ready:
            self.words = (self.words + piece)[-_LAST_WORDS_BYTES_MAX:]

    def owned(self) -> None:
        """See to it that all output up to now has gone to whom it belongs; what belongs to nobody is left out."""
        if self.output is None:
            return
        if self.writer or self.requests or not self.ready:
            self.output.finish()
            if self.lines is not None:
                self.lines.flush()
        else:
            self.output.begin()

    def hand_over(self, writer: int) -> None:
        """Output belongs to `writer` from now on."""
        self.owned()
        self.writer = writer

    def hand_back(self) -> None:
        """It belongs to what runs besides a hook again."""
        self.owned()
        self.writer = next(iter(self.requests), 0) if self.lines is None else 0

    def signal(self, which: signal.Signals) -> None:
        """Have its zygote send it a signal; SIGKILL takes its whole tree."""
        if self.gone:
            return
        if not self.asked_at:
            self.asked_at = time.monotonic()
        if which.name not in self.signals:
            self.signals.append(which.name)
        self.zygote.send({"number": self.number, "signal": int(which)}, [])

    def close(self) -> None:
        """Let go of its descriptors and timers."""
        self.gone = True
        if self.timer is not None:
            self.timer.cancel()
        for stream in (self.stream, self.control):
            if stream is not None:
                stream.close()
        if self.output is not None:
            self.output.close()

    def exit_frame(self, status: int | None, *, lost: bool) -> bytes:
        """How it went, for the host; `status` is None when nobody could wait for it."""
        code, number = (None, int(signal.SIGKILL)) if status is None else exited(status)
        began = self.asked_at or time.monotonic()
        body = {
            "code": code,
            "signal": number,
            "signals_sent": self.signals,
            "oom": self.oom,
            "memory_peak_bytes": self.memory.peak_bytes,
            "memory_limit_bytes": self.memory.limit_bytes,
            "files_bytes": self.files_bytes,
            "processes_refused": self.refused,
            "processes_left": 0,
            "elapsed_ms": (time.monotonic() - began) * 1000,
            "lost": lost,
            "pre_stop": _plain(self.pre_stop),
        }
        return frames.pack(frames.EXIT, 0, self.number, json.dumps(body).encode())

    def cut_short(self, status: int | None) -> None:
        """It ended before it was ready: when it was killed, and not by us, that says nothing of the function."""
        killed = status is not None and exited(status)[1] == signal.SIGKILL
        if killed and not (self.message or self.cause or self.oom or self.asked_at):
            self.cause, self.message = "SandboxLost", "the instance was killed while it was being made"

    def created_frame(self) -> bytes:
        """The parts of its start in milliseconds, or why there was none."""
        now = time.monotonic()
        body: dict[str, object]
        if self.ready:
            forked = self.forked_at or now
            parts = {"forkMs": (forked - self.began_at) * 1000, "setupMs": (now - forked) * 1000}
            body = {"parts": parts, "pid": self.memory.pid, "zygote": self.zygote.pid}
        else:
            words = self.words.decode("utf-8", "replace").strip()
            message = self.message + ("\nIts last output:\n" + words if words else "")
            body = {"cause": self.cause or "InstanceSetupFailed", "message": message}
        return frames.pack(frames.CREATED, self.created_by, self.number, json.dumps(body).encode())


def _plain(hooked: bytes) -> dict[str, object] | None:
    """A HOOKED body for JSON."""
    if not hooked:
        return None
    outcome, duration_us, _, payload = frames.unpack_hooked(hooked)
    return {"outcome": outcome, "duration_us": duration_us, "document": payload.decode("utf-8", "replace")}


def make_directory(parent: str, number: int) -> str:
    """A private directory for an instance without namespaces."""
    path = parent + "/" + str(number)
    os.mkdir(path, 0o700)  # noqa: PTH102 - pathlib is not loaded here
    return path
