"""Error documents: what a caller reads about an exception of user code.

`{"errorMessage": …, "errorType": …, "stackTrace": [[file, line, function, source], …]}`, the runtime's own frames left
out, long ones cut. An exception of user code may steer the retries: its attribute `retry_after` (seconds) becomes
`retryAfterSeconds`, its attribute `retry` when it is False becomes `"retryable": false`; any exception can carry them,
none needs to come from us.
"""

from __future__ import annotations

import json
import math
import os
import sys
import threading
import traceback
from types import FrameType, TracebackType

_HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib is not loaded here
_CALLERS = ("_run", "_run_hook", "load")
"""The runtime's functions that call user code."""
_FRAMES_MAX = 64
_MESSAGE_CHARACTERS_MAX = 64 * 1024
_EXITED = "Process exited unexpectedly before completing request"


class FunctionError(Exception):
    """A function error that is not an exception of user code itself, or explains one (`cause`)."""

    def __init__(self, kind: str, message: str, cause: BaseException | None = None) -> None:
        super().__init__(message)
        self.kind, self.message, self.cause = kind, message, cause


class StartFailed(Exception):
    """A runtime cannot serve: `cause` is the error code a caller sees, `message` says why."""

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause, self.message = cause, message


def document(error: BaseException, handler: str) -> bytes:
    """The error document of `error`, as JSON."""
    shown = error.cause if isinstance(error, FunctionError) and error.cause is not None else error
    if isinstance(error, FunctionError):
        kind, message = error.kind, error.message
    elif isinstance(error, SystemExit):
        kind = "SystemExit"
        message = f"{_EXITED}: '{handler}' called sys.exit({error.code!r})"
    else:
        kind, message = type(error).__name__, _message(error)
    trace = _trace(shown.__traceback__)
    if isinstance(shown, SyntaxError) and shown.filename:
        source = (shown.text or "").strip()
        trace.append([f'File "{shown.filename}"', f"line {shown.lineno}", "in <module>", source])
    body: dict[str, object] = {
        "errorMessage": message[:_MESSAGE_CHARACTERS_MAX],
        "errorType": kind,
        "stackTrace": trace,
    }
    body.update(_wishes(shown))
    return json.dumps(body).encode("ascii")


def _wishes(error: BaseException) -> dict[str, object]:
    """What an exception says about retries; a wish of a wrong type is none."""
    found: dict[str, object] = {}
    try:
        after, retry = getattr(error, "retry_after", None), getattr(error, "retry", None)
    except Exception:  # noqa: BLE001 - an attribute may be user code
        return found
    if isinstance(after, (int, float)) and not isinstance(after, bool) and 0 <= after < math.inf:
        found["retryAfterSeconds"] = float(after)
    if retry is False:
        found["retryable"] = False
    return found


def stacks(frame: FrameType | None) -> str:
    """Where every thread is now, as text; `frame` is where this one was interrupted."""
    lines = ["Stopped by SIGTERM while a request was running. Threads:\n"]
    for ident, found in sys._current_frames().items():  # noqa: SLF001 - the documented way
        entries = _user_part(traceback.extract_stack(frame if ident == threading.get_ident() else found))
        if not entries:
            continue  # a thread of ours that waits
        lines.append(f"Thread {ident}:\n")
        lines += traceback.format_list(entries[-_FRAMES_MAX:])
    return "".join(lines)


def _user_part(entries: list[traceback.FrameSummary]) -> list[traceback.FrameSummary]:
    """A stack from where the runtime called user code."""
    below = [place for place, one in enumerate(entries) if _ours(one.filename) and one.name in _CALLERS]
    return [one for one in entries[max(below, default=-1) + 1 :] if not _ours(one.filename)]


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a broken __str__ is user code too
        return "<" + type(error).__name__ + " without a message>"


def _trace(trace: TracebackType | None) -> list[list[str]]:
    try:
        entries = traceback.extract_tb(trace)
    except Exception:  # noqa: BLE001 - source files are user data
        return []
    shown = [one for one in entries if not _ours(one.filename)][-_FRAMES_MAX:]
    return [[f'File "{one.filename}"', f"line {one.lineno}", "in " + one.name, one.line or ""] for one in shown]


def _ours(filename: str) -> bool:
    return filename.startswith((_HERE, "<frozen importlib")) or filename.endswith("/importlib/__init__.py")
