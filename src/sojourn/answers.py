"""What an agent's answers say: documents of untrusted code, read without believing more than their form.

Pure functions from bytes to the contract's structs. What is no document is passed on without a type; a wish about
retries counts when it has the right type, and within its bound.
"""

from __future__ import annotations

import contextlib

import msgspec

from .agent import frames
from .sandbox import Exit, HookOutcome, Reply
from .task import HANDLED, UNHANDLED

RETRY_AFTER_SECONDS_MAX = 604_800.0
"""The longest delay that code may ask for: a task's greatest age."""
_DOCUMENT_BYTES_MAX = 1024 * 1024
_KINDS = {frames.UNHANDLED: UNHANDLED, frames.HANDLED: HANDLED}
CANCELLED = b'{"errorMessage": "Invocation canceled by client", "errorType": "InvocationCanceled", "stackTrace": []}'
"""The document of an execution that its instance gave up because it was asked to."""


class Created(msgspec.Struct, frozen=True, kw_only=True):
    """An agent's answer to a create: the parts of the start in milliseconds, or `cause` and `message`."""

    parts: dict[str, float] = {}
    pid: int = 0
    zygote: int = 0
    cause: str = ""
    message: str = ""


class Hooked(msgspec.Struct, frozen=True, kw_only=True):
    """What a hook came to, as JSON tells it."""

    outcome: int
    duration_us: int = 0
    document: str = ""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an EXIT frame."""

    code: int | None = None
    signal: int | None = None
    signals_sent: tuple[str, ...] = ()
    oom: bool = False
    memory_peak_bytes: int = 0
    memory_limit_bytes: int = 0
    files_bytes: int = 0
    processes_refused: int = 0
    processes_left: int = 0
    elapsed_ms: float = 0.0
    lost: bool = False
    pre_stop: Hooked | None = None


class _Document(msgspec.Struct, frozen=True, rename="camel"):
    """What is read of an error document; the wishes may have any type."""

    error_message: str = ""
    error_type: str = ""
    retryable: object = None
    retry_after_seconds: object = None


def exit_of(ended: Ended) -> Exit:
    """The contract's form of an end."""
    pre_stop = None
    if ended.pre_stop is not None:
        hooked = ended.pre_stop
        pre_stop = _hook_outcome(hooked.outcome, hooked.duration_us, hooked.document.encode())
    return Exit(
        code=ended.code,
        signal=ended.signal,
        signals_sent=ended.signals_sent,
        oom=ended.oom,
        memory_peak_bytes=ended.memory_peak_bytes,
        memory_limit_bytes=ended.memory_limit_bytes,
        files_bytes=ended.files_bytes,
        processes_refused=ended.processes_refused,
        processes_left=ended.processes_left,
        elapsed_ms=ended.elapsed_ms,
        pre_stop=pre_stop,
    )


def hook_outcome(body: bytes) -> HookOutcome:
    """What a hook came to, out of a HOOKED body.

    Raises
    ------
    Malformed: it has not the form of one.

    """
    outcome, duration_us, _, payload = frames.unpack_hooked(body)
    return _hook_outcome(outcome, duration_us, payload)


def _hook_outcome(outcome: int, duration_us: int, payload: bytes) -> HookOutcome:
    if outcome == frames.OK:
        return HookOutcome(ok=True, duration_ms=duration_us / 1000)
    document = _document(payload)
    return HookOutcome(
        ok=False,
        duration_ms=duration_us / 1000,
        timed_out=outcome == frames.TIMED_OUT,
        payload=payload,
        type=document.error_type,
        message=document.error_message,
        retryable=document.retryable is not False,
        retry_after_seconds=_seconds(document.retry_after_seconds),
    )


def reply_of(outcome: int, duration_us: int, peak_bytes: int, payload: bytes, refused: int = 0) -> Reply:
    """What a handler answered, out of the fields of a RESULT; `refused` counts processes that could not be started."""
    if outcome == frames.OK:
        return Reply(ok=True, payload=payload, duration_us=duration_us, memory_peak_bytes=peak_bytes)
    document = _document(payload)
    return Reply(
        ok=False,
        payload=payload,
        kind=_KINDS[outcome],
        type=document.error_type,
        message=document.error_message,
        duration_us=duration_us,
        memory_peak_bytes=peak_bytes,
        processes_refused=refused,
        retryable=document.retryable is not False,
        retry_after_seconds=_seconds(document.retry_after_seconds),
    )


def _document(payload: bytes) -> _Document:
    """An instance may write what it likes; the caller gets it as it is, without a type."""
    if len(payload) <= _DOCUMENT_BYTES_MAX:
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
            return msgspec.json.decode(payload, type=_Document)
    return _Document()


def _seconds(wish: object) -> float | None:
    if isinstance(wish, bool) or not isinstance(wish, int | float) or not wish >= 0:
        return None
    return float(min(wish, RETRY_AFTER_SECONDS_MAX))
