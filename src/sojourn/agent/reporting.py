"""Reports from inside an instance: what an execution says of how far it is, and the checkpoint it began with.

A report is held against its bounds here, so that user code hears of a mistake where it makes it. What goes to the agent
is always all that is known, so that whoever is on the way may leave out all but the last. The host checks it again.
"""

from __future__ import annotations

import binascii
import json
import os
import threading
from collections.abc import Callable
from typing import Any

from . import frames

MESSAGE_CHARACTERS_MAX = 1024
_PERCENT_MAX = 100.0


class _Execution:
    """What one execution has reported."""

    def __init__(self, number: int, checkpoint: bytes) -> None:
        self.number, self.checkpoint = number, checkpoint
        self.percent: float | None = None
        self.message: str | None = None


class Reporting:
    """The executions of an instance that may report; `send` gets frames. All of it may be called from any thread."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send, self._pid = send, os.getpid()
        self._executions: dict[str, _Execution] = {}
        self._lock = threading.Lock()

    def begin(self, request_id: str, number: int, body: bytes) -> bytes:
        """An execution begins, with the body of its INVOKE; returns its checkpoint."""
        checkpoint = frames.checkpoint_of(body)
        with self._lock:
            self._executions[request_id] = _Execution(number, checkpoint)
        return checkpoint

    def end(self, request_id: str) -> None:
        """It is over: on return nothing of it is sent any more."""
        with self._lock:
            self._executions.pop(request_id, None)

    def checkpoint(self, request_id: str) -> bytes | None:
        """The checkpoint as it is now; None when no such execution runs."""
        with self._lock:
            found = self._executions.get(request_id)
            return None if found is None else found.checkpoint

    def report(self, request_id: str, percent: Any = None, message: Any = None, checkpoint: Any = None) -> bool:
        """Say how far an execution is; what is None stays as it was. False when no such execution runs.

        Raises
        ------
        ValueError: a part is not what it must be.

        """
        checked = check_percent(percent), check_message(message), check_checkpoint(checkpoint)
        if os.getpid() != self._pid:  # a child that user code forked: the socket is not its own
            return False
        with self._lock:
            found = self._executions.get(request_id)
            if found is None:
                return False
            found.percent = found.percent if checked[0] is None else checked[0]
            found.message = found.message if checked[1] is None else checked[1]
            found.checkpoint = found.checkpoint if checked[2] is None else checked[2]
            self._send(frames.pack(frames.PROGRESS, found.number, 0, _body(found)))
        return True


def check_percent(percent: Any) -> float | None:
    """`percent` when it is a number from 0 to 100, or None; else `ValueError`."""
    if percent is None:
        return None
    number = isinstance(percent, (int, float)) and not isinstance(percent, bool)
    if not number or not 0 <= percent <= _PERCENT_MAX:
        raise ValueError("percent must be a number from 0 to 100, got " + repr(percent)[:80])
    return float(percent)


def check_message(message: Any) -> str | None:
    """`message` when it is short text, or None; else `ValueError`."""
    if message is not None and (not isinstance(message, str) or len(message) > MESSAGE_CHARACTERS_MAX):
        raise ValueError("message must be text of at most " + str(MESSAGE_CHARACTERS_MAX) + " characters")
    return message


def check_checkpoint(checkpoint: Any) -> bytes | None:
    """`checkpoint` as bytes when it is bytes or text within the bound, or None; else `ValueError`."""
    if checkpoint is None:
        return None
    if isinstance(checkpoint, str):
        checkpoint = checkpoint.encode()
    if not isinstance(checkpoint, (bytes, bytearray)) or len(checkpoint) > frames.CHECKPOINT_BYTES_MAX:
        raise ValueError("checkpoint must be bytes or text of at most " + str(frames.CHECKPOINT_BYTES_MAX) + " bytes")
    return bytes(checkpoint)


def _body(found: _Execution) -> bytes:
    body: dict[str, object] = {"checkpointEncoding": "base64"}
    body["checkpoint"] = binascii.b2a_base64(found.checkpoint, newline=False).decode()
    if found.percent is not None:
        body["percent"] = found.percent
    if found.message is not None:
        body["message"] = found.message.encode("utf-8", "replace").decode()
    return json.dumps(body).encode()
