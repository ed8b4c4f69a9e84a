"""An instance as its agent knows it: what it runs, what it was sent, how it went."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable

from . import frames
from .guard import Watched
from .loop import Loop, Timer, exited
from .output import Output
from .stream import Stream
from .zygotes import ZygoteHandle

CREATING, IDLE, BUSY = "creating", "idle", "busy"


class Resident:
    """Instance `number`, made by `zygote`.

    `request` is what it was last asked: the number of the create while it is being made, of the invoke while it runs
    one, 0 when it is idle. Its answer must carry the same.
    """

    def __init__(self, number: int, request: int, zygote: ZygoteHandle, limit_bytes: int, directory: str) -> None:
        self.number, self.request, self.zygote, self.directory = number, request, zygote, directory
        self.began_at = time.monotonic()
        self.forked_at = 0.0
        self.state = CREATING
        self.memory = Watched(0, limit_bytes)
        self.cause, self.message = "", ""
        self.signals: list[str] = []
        self.asked_at = 0.0
        self.oom = False
        self.stopping = False
        self.gone = False
        self.timer: Timer | None = None
        self.stream: Stream | None = None
        self.output: Output | None = None

    def attach(
        self,
        loop: Loop,
        stream: Stream,
        output_fd: int,
        forward: Callable[[int, bytes], None],
    ) -> None:
        """Take over the agent's ends of its socket and its pipe."""
        self.stream = stream
        self.output = Output(loop, output_fd, forward)

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
        if self.stream is not None:
            self.stream.close()
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
            "processes_left": 0,
            "elapsed_ms": (time.monotonic() - began) * 1000,
            "lost": lost,
        }
        return frames.pack(frames.EXIT, self.request, self.number, json.dumps(body).encode())

    def created_frame(self) -> bytes:
        """The parts of its start in milliseconds, or why there was none."""
        now = time.monotonic()
        body: dict[str, object]
        if self.state == CREATING:
            body = {"cause": self.cause or "InstanceSetupFailed", "message": self.message}
        else:
            forked = self.forked_at or now
            parts = {"forkMs": (forked - self.began_at) * 1000, "setupMs": (now - forked) * 1000}
            body = {"parts": parts, "pid": self.memory.pid, "zygote": self.zygote.pid}
        return frames.pack(frames.CREATED, self.request, self.number, json.dumps(body).encode())


def make_directory(parent: str, number: int) -> str:
    """A private directory for an instance without namespaces."""
    path = parent + "/" + str(number)
    os.mkdir(path, 0o700)  # noqa: PTH102 - pathlib is not loaded here
    return path
