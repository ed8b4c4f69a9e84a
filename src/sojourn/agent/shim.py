"""The shim: the first process of an instance whose work a program of the user's does.

It relays between the agent's frames and the contract that the program speaks (`http_contract`, `runtime_api`), one
thread for each thing under way, so that a hook reaches a program that is busy. It goes when the program goes, with the
same status, and hands SIGTERM on. What an answer means is the contract's to say.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from . import frames
from .failure import FunctionError, document
from .program import Program
from .reporting import Reporting
from .starting import Health

_READ_BYTES = 256 * 1024
_STACK_BYTES = 256 * 1024
"""Of each thread: two hundred of them must fit beside a small function."""


class Contract(Protocol):
    """What a program is asked; each call blocks until it is answered."""

    def call(self, body: bytes) -> tuple[int, bytes]:
        """Run an invocation."""

    def hook(self, asked: dict[str, Any]) -> tuple[int, bytes]:
        """Run a hook."""

    def cancel(self, body: dict[str, Any]) -> bool:
        """Give an invocation up; True when it is."""

    def abandon(self, request_id: str) -> None:
        """Nobody waits for this invocation any more."""


class Shim:
    """Serves the agent at the other end of `channel` with `program`, by `contract`."""

    def __init__(self, channel: socket.socket, program: Program, contract: Contract, health: Health | None) -> None:
        self._channel, self._program, self._contract, self._health = channel, program, contract, health
        self._running: dict[int, bool] = {}
        """Invocations that are not answered, by request number, and whether they were cancelled."""
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._healing = threading.Lock()
        self.reporting = Reporting(self._send)

    def serve(self) -> NoReturn:
        """Relay until the agent or the program goes."""
        told, telling = os.pipe()
        os.set_blocking(telling, False)
        os.set_blocking(told, False)
        signal.set_wakeup_fd(telling, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        self._look_after()  # it may have ended before anybody told us
        parser = frames.Parser()
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        poll.register(told, select.POLLIN)
        while True:
            for fd, _ in poll.poll():
                if fd == told:
                    numbers = os.read(told, 1024)
                    if signal.SIGTERM in numbers:
                        self._program.terminate()
                    self._look_after()
                    continue
                data = self._channel.recv(_READ_BYTES)
                if not data:
                    os._exit(0)
                for kind, request, _number, body in parser.feed(data):
                    self._take(kind, request, body)

    def _look_after(self) -> None:
        """End with the program."""
        if self._program.reap():
            os._exit(self._program.code or 0)

    def _take(self, kind: int, request: int, body: bytes) -> None:
        if kind == frames.INVOKE:
            with self._lock:
                self._running[request] = False
            self._spawn(self._invoke, request, body)
        elif kind == frames.HOOK:
            self._spawn(self._hook, request, body)
        elif kind == frames.CANCEL:
            self._spawn(self._cancel, request, body)

    @staticmethod
    def _spawn(target: Callable[[int, bytes], None], request: int, body: bytes) -> None:
        threading.Thread(target=target, args=(request, body), daemon=True).start()

    def _invoke(self, request: int, body: bytes) -> None:
        began = time.perf_counter()
        try:
            self._check_health()
        except FunctionError as error:  # it would fail whatever comes: another instance shall take its place
            os.write(2, error.message.encode() + b"\n")
            os._exit(1)
        name = frames.unpack_invoke(body)[0]
        self.reporting.begin(name, request, body)
        outcome, payload = self._contract.call(body)
        self.reporting.end(name)
        duration_us = int((time.perf_counter() - began) * 1_000_000)
        with self._lock:
            cancelled = self._running.pop(request, None)
        if cancelled:
            self._send(frames.pack(frames.CANCELLED, request, 0))
        elif cancelled is False:
            peak_bytes = self._program.peak_bytes()
            self._send(frames.pack_result(request, outcome, duration_us, peak_bytes, payload))

    def _hook(self, request: int, body: bytes) -> None:
        asked = json.loads(body)
        began = time.perf_counter()
        outcome, payload = self._contract.hook(asked)
        if outcome == frames.OK and asked["hook"] == frames.INITIALIZER:
            try:
                self._check_health()
            except FunctionError as error:
                outcome, payload = frames.UNHANDLED, document(error, "")
        duration_us = int((time.perf_counter() - began) * 1_000_000)
        self._send(frames.pack_hooked(request, outcome, duration_us, self._program.peak_bytes(), payload))

    def _check_health(self) -> None:
        if self._health is not None:
            with self._healing:
                self._health.must_hold(self._program)

    def _cancel(self, request: int, body: bytes) -> None:
        """Ask the program; its word that it gave up is enough, and so is the end of the invocation itself."""
        asked = json.loads(body)
        with self._lock:
            if request not in self._running:
                return
            self._running[request] = True
        if not self._contract.cancel(asked):
            return
        with self._lock:
            over = self._running.pop(request, None) is not None
        if over:
            self._contract.abandon(str(asked["request_id"]))
            self._send(frames.pack(frames.CANCELLED, request, 0))

    def _send(self, frame: bytes) -> None:
        with self._sending, contextlib.suppress(OSError):  # the agent is gone, and we soon
            self._channel.sendall(frame)


def settle() -> None:
    """Prepare this process for what a shim does: threads with small stacks."""
    threading.stack_size(_STACK_BYTES)
