"""The Python runtime: wait for an invocation, set its context, call the handler, report.

The handler's module is imported at its first use and kept. Whatever user code raises becomes an error document
(errorMessage, errorType, stackTrace) without the runtime's own frames. What ends the process itself is for the agent to
see; this file never decides about retries or status.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

from . import frames
from .context import Contexts, install_logging
from .failure import document, stacks
from .incoming import Incoming
from .peak import Peak
from .python_hooks import Hooks, watch
from .reporting import Reporting
from .user_code import encoded, load, look_in

_EXIT_ON_SIGTERM = 128 + int(signal.SIGTERM)


def prepare(channel: socket.socket, root: str, spec: dict[str, Any]) -> PythonRuntime:
    """The runtime of the instance of `spec` with its code at `root`; loads no user code yet."""
    counted = "memory" in spec.get("held", ())
    runtime = PythonRuntime(channel, root, str(spec["handler"]), spec["context"], str(spec["runtime"]), counted=counted)
    if spec.get("snapshot"):
        runtime.restored()
    return runtime


class PythonRuntime:
    """Serves one handler.

    `root` is the code's directory, `handler` is spelled as `user_code` reads it, `facts` are what contexts show,
    `runtime` is the configured name. `counted` is whether memory is counted from outside.
    """

    def __init__(
        self, channel: socket.socket, root: str, handler: str, facts: dict[str, Any], runtime: str, *, counted: bool
    ) -> None:
        self._channel, self._name, self._pid = channel, handler, os.getpid()
        self._incoming = Incoming(channel)
        self._contexts = Contexts(facts, runtime)
        self._handler: Callable[[bytes, object], object] | None = None
        self._busy = False
        self._sending = threading.Lock()
        self._reporting = Reporting(self._send)
        look_in(root)
        sys.argv = [""]
        sys.stdin = open(0, closefd=False, encoding="utf-8")  # noqa: SIM115 - lives as long as the process
        sys.stdout = _text(1)
        sys.stderr = _text(2)
        sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]  # Final
        self._lines = install_logging()
        self._peak = None if counted else Peak()
        self._hooks = Hooks(self._contexts, self._lines, _flush)
        signal.signal(signal.SIGTERM, self._terminated)

    def restored(self) -> None:
        """Initializer has run before this process was forked."""
        self._hooks = Hooks(self._contexts, self._lines, _flush, restored=True)

    def serve(self, control: socket.socket | None = None) -> NoReturn:
        """Answer invocations and hooks until the agent closes the socket; PreStop's are answered over `control`."""
        if control is not None:
            watch(control, self._hooks)
        while True:
            frame = self._incoming.next()
            if frame is None:
                os._exit(0)  # the agent is gone
            kind, request, body = frame
            del frame
            if kind != frames.INVOKE:
                if kind == frames.HOOK:
                    self._hook(request, body)
                continue
            request_id, retry, deadline_at, payload = frames.unpack_invoke(body)
            checkpoint = self._reporting.begin(request_id, request, body)
            del body
            if self._peak is not None:
                self._peak.begin()
            self._busy = True
            began = time.perf_counter()
            outcome, answer = self._run(request_id, retry, deadline_at, payload, checkpoint)
            self._reporting.end(request_id)
            duration_us = int((time.perf_counter() - began) * 1_000_000)
            self._busy = False
            del payload
            if os.getpid() != self._pid:
                os._exit(0)  # user code forked and let the child return: only the parent answers
            peak_bytes = self._peak.bytes() if self._peak is not None else 0
            self._send(frames.pack_result(request, outcome, duration_us, peak_bytes, answer))

    def _hook(self, request: int, body: bytes) -> None:
        self._busy = True
        answer = self._hooks.answer(request, body)
        self._busy = False
        self._send(answer)

    def _send(self, frame: bytes) -> None:
        with self._sending:  # user code may report from threads of its own
            self._channel.sendall(frame)

    def _run(
        self, request_id: str, retry: int, deadline_at: int, payload: bytes, checkpoint: bytes
    ) -> tuple[int, bytes]:
        """Call the handler; returns the outcome and the payload of the answer."""
        self._lines.request_id = request_id
        try:
            handler = self._handler
            if handler is None:
                handler = self._handler = load(self._name)
            context = self._contexts.make(request_id, retry, deadline_at, self._reporting.report, checkpoint)
            answer = encoded(handler(payload, context))
            outcome = frames.OK
        except BaseException as error:  # noqa: BLE001 - every way user code can end is an outcome
            answer, outcome = document(error, self._name), frames.UNHANDLED
        _flush()
        return outcome, answer

    def _terminated(self, _number: int, frame: FrameType | None) -> None:
        """SIGTERM: show where the threads are when something runs, then end without any clean-up of user code."""
        if self._busy and os.getpid() == self._pid:
            with contextlib.suppress(Exception):  # we end either way
                sys.stderr.write(stacks(frame))
        _flush()
        os._exit(_EXIT_ON_SIGTERM)


def _text(fd: int) -> Any:
    """A line-buffered text stream that never fails on a character."""
    return open(fd, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # user code may have replaced or closed it
            stream.flush()
