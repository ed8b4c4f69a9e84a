"""Hooks that an instance was asked to run: what is waited for, how long, and what it came to.

An outcome is kept in the form of a HOOKED body, whoever says it: the instance itself, or this file when the hook took
too long or the instance ended first. A late answer is told from a wrong one: it is ignored.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from . import frames
from .loop import Loop, Timer

_DOCUMENT_BYTES_MAX = 256 * 1024
_TITLES = {frames.INITIALIZER: "Initializer", frames.PRE_FREEZE: "PreFreeze", frames.PRE_STOP: "PreStop"}


class _Run:
    """A hook that runs."""

    __slots__ = ("began_at", "done", "name", "stream", "timer")

    def __init__(self, name: str, stream: object, done: Callable[[bytes], None]) -> None:
        self.name, self.stream, self.done = name, stream, done
        self.began_at = time.monotonic()
        self.timer: Timer | None = None

    def ended(self, outcome: int, kind: str, message: str) -> bytes:
        """The body for an end that the hook did not tell itself."""
        document = json.dumps({"errorMessage": message, "errorType": kind, "stackTrace": []}).encode()
        return frames.RESULT_HEAD.pack(outcome, int((time.monotonic() - self.began_at) * 1_000_000), 0) + document


class HookRuns:
    """The hooks of one instance; `configured` has the handler and the timeout in seconds of each that there is."""

    def __init__(self, loop: Loop, configured: dict[str, Any]) -> None:
        self._loop, self._configured = loop, configured
        self._running: dict[int, _Run] = {}
        self._late: set[int] = set()

    def has(self, name: str) -> bool:
        """Whether the hook is configured."""
        return name in self._configured

    @property
    def running(self) -> bool:
        """Whether any hook runs."""
        return bool(self._running)

    def start(self, name: str, request: int, stream: Any, told: dict[str, str], done: Callable[[bytes], None]) -> None:
        """Ask for a hook over `stream`, a `Stream`.

        Parameters
        ----------
        name: which; it is configured.
        request: the number that the answer must carry.
        stream: where to ask.
        told: request_id, and for PreStop reason and task_id.
        done: gets what it came to, once, at the latest when the time is over or the instance has ended.

        """
        hook = self._configured[name]
        seconds = int(hook["timeout"])
        body = {
            "hook": name,
            "handler": str(hook["handler"]),
            "timeout_ms": seconds * 1000,
            "reason": "",
            "task_id": "",
        }
        body.update(told)
        run = _Run(name, stream, done)
        run.timer = self._loop.later(seconds, lambda: self._too_slow(request, seconds))
        self._running[request] = run
        stream.send(frames.pack(frames.HOOK, request, 0, json.dumps(body).encode()))

    def answered(self, request: int, body: bytes, stream: object) -> bool:
        """Take an answer; False when it belongs to nothing that was asked over `stream`.

        Raises
        ------
        Malformed: it has not the form of one.

        """
        if request in self._late:
            self._late.discard(request)
            return True
        run = self._running.get(request)
        if run is None or run.stream is not stream:
            return False
        frames.check_result(body)
        if len(body) > _DOCUMENT_BYTES_MAX:
            body = run.ended(body[0], "ErrorTooLarge", "the hook's error document is too long")
        self._over(request, body)
        return True

    def cut(self, stream: object = None) -> None:
        """A PreStop that runs over `stream`, or at all, cannot answer any more.

        Of the others nobody is told: their instance is ending, and that is the answer.
        """
        for request, run in list(self._running.items()):
            if run.name == frames.PRE_STOP and (stream is None or run.stream is stream):
                message = "The instance ended before " + _TITLES[run.name] + " did"
                self._over(request, run.ended(frames.UNHANDLED, "InstanceEnded", message))

    def close(self) -> None:
        """Wait for nothing any more."""
        for run in self._running.values():
            if run.timer is not None:
                run.timer.cancel()
        self._running.clear()

    def _too_slow(self, request: int, seconds: int) -> None:
        run = self._running[request]
        self._late.add(request)
        message = _TITLES[run.name] + " timed out after " + str(seconds) + " seconds"
        self._over(request, run.ended(frames.TIMED_OUT, "FunctionTimeoutError", message))

    def _over(self, request: int, body: bytes) -> None:
        run = self._running.pop(request)
        if run.timer is not None:
            run.timer.cancel()
        run.done(body)
