"""What an attempt came to: every way user code can end becomes one of two outcomes, here and nowhere else.

Pure. A `Reply` or an `Exit` comes in, a `Success` or a `Failure` goes out, with the error type, the message and the
error document that callers of Function Compute expect (FC: error handling, request-level logs).
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from .agent.namespace import PROCESSES_MAX
from .sandbox import Exit, HookOutcome, Reply
from .task import (
    HANDLED,
    INITIALIZATION,
    INSTANCE_LOST,
    RETRY_AFTER_SECONDS_MAX,
    UNHANDLED,
    Failure,
    Outcome,
    Success,
)

TIMEOUT = "FunctionTimeoutError"
OUT_OF_MEMORY = "FunctionOOMError"
CRASHED = "FunctionUnhandledError"
_MEBIBYTE = 1024 * 1024


def of_reply(reply: Reply, memory_mb: int) -> Outcome:
    """What a handler's answer amounts to."""
    evidence: dict[str, object] = {
        "durationMs": reply.duration_us / 1000,
        "maxMemoryUsageMB": _megabytes(reply.memory_peak_bytes),
        **_refusals(reply.processes_refused),
    }
    if reply.ok:
        return Success(result=reply.payload, evidence=evidence)
    kind = HANDLED if reply.kind == HANDLED else UNHANDLED
    if reply.type == "MemoryError":
        return _out_of_memory(memory_mb, reply.memory_peak_bytes, evidence)
    return Failure(
        kind=kind,
        type=reply.type,
        message=reply.message,
        document=reply.payload,
        retryable=reply.retryable,
        retry_after_seconds=_usable(reply.retry_after_seconds),
        evidence=evidence,
    )


def of_timeout(exit_: Exit, timeout_seconds: float) -> Failure:
    """The handler did not answer within the function's timeout and was ended."""
    peak = _megabytes(exit_.memory_peak_bytes)
    message = f"Function timed out after {timeout_seconds:g} seconds (maxMemoryUsage: {peak:.2f}MB)"
    return _failure(TIMEOUT, message, evidence_of(exit_))


def of_exit(exit_: Exit, duration_us: int, memory_mb: int) -> Failure:
    """The process ended before it answered, by its own doing or for want of memory."""
    evidence = {"durationMs": duration_us / 1000, **evidence_of(exit_)}
    if exit_.oom:
        return _out_of_memory(memory_mb, exit_.memory_peak_bytes, evidence, exit_.files_bytes)
    went = f"signal {exit_.signal}" if exit_.signal is not None else f"exit status {exit_.code}"
    message = (
        "Process exited unexpectedly before completing request "
        f"(duration: {duration_us / 1000:.2f}ms, maxMemoryUsage: {_megabytes(exit_.memory_peak_bytes):.2f}MB): {went}"
    )
    return _failure(CRASHED, message, evidence)


def of_initializer(came: HookOutcome, timeout_seconds: float) -> Failure:
    """Initializer failed, or did not return within its own timeout."""
    if came.timed_out:
        failure = _failure(TIMEOUT, f"Function initialization timed out after {timeout_seconds:g} seconds", {})
        return msgspec.structs.replace(failure, kind=INITIALIZATION)
    failure = _failure(came.type or CRASHED, came.message or "the initializer failed", {})
    return msgspec.structs.replace(
        failure,
        kind=INITIALIZATION,
        document=came.payload or failure.document,
        retryable=came.retryable,
        retry_after_seconds=_usable(came.retry_after_seconds),
    )


def of_initializer_exit(exit_: Exit, duration_us: int, memory_mb: int) -> Failure:
    """The process ended in Initializer; want of memory is told as such, as everywhere."""
    failure = of_exit(exit_, duration_us, memory_mb)
    return failure if exit_.oom else msgspec.structs.replace(failure, kind=INITIALIZATION)


def of_loss(why: str) -> Failure:
    """The attempt was lost through our own fault: a server, an agent or a sandbox went away."""
    return msgspec.structs.replace(_failure(INSTANCE_LOST, why, {}), lost=True)


def evidence_of(exit_: Exit) -> dict[str, object]:
    """How a process tree ended, as the proof that it did."""
    evidence: dict[str, object] = {"processesLeft": exit_.processes_left, "elapsedMs": round(exit_.elapsed_ms, 3)}
    if exit_.signals_sent:
        evidence["signalsSent"] = list(exit_.signals_sent)
    if exit_.signal is not None:
        evidence["signal"] = exit_.signal
    if exit_.code is not None:
        evidence["exitStatus"] = exit_.code
    if exit_.memory_peak_bytes:
        evidence["maxMemoryUsageMB"] = _megabytes(exit_.memory_peak_bytes)
    evidence |= _refusals(exit_.processes_refused)
    if exit_.pre_stop is not None:
        evidence["preStop"] = hook_evidence(exit_.pre_stop)
    return evidence


def hook_evidence(came: HookOutcome) -> dict[str, object]:
    """What a lifecycle hook came to: `ok`, how long it took, and what it failed with."""
    evidence: dict[str, object] = {"ok": came.ok, "ms": round(came.duration_ms, 3), "timedOut": came.timed_out}
    if not came.ok:
        evidence |= {"errorType": came.type, "errorMessage": came.message}
    return evidence


def _out_of_memory(memory_mb: int, peak_bytes: int, evidence: Mapping[str, object], files_bytes: int = 0) -> Failure:
    """The memory limit did it; files in /tmp are named when they took a part that can be seen."""
    peak, files = _megabytes(peak_bytes), _megabytes(files_bytes)
    told: dict[str, object] = {**evidence, "memoryLimitMB": memory_mb}
    message = f"Function exceeded its memory limit of {memory_mb} MB (maxMemoryUsage: {peak:.2f}MB)"
    if files >= 1:
        message += f"; {files:.2f}MB of it were files in /tmp and /dev/shm"
        told["temporaryFilesMB"] = files
    return _failure(OUT_OF_MEMORY, message, told)


def _refusals(count: int) -> dict[str, object]:
    """That the limit of processes was met, if it was."""
    return {"processLimit": PROCESSES_MAX, "processesRefused": count} if count else {}


def _failure(type_: str, message: str, evidence: Mapping[str, object]) -> Failure:
    document = msgspec.json.encode({"errorMessage": message, "errorType": type_})
    return Failure(kind=UNHANDLED, type=type_, message=message, document=document, evidence=evidence)


def _usable(retry_after_seconds: float | None) -> float | None:
    """The wait that a function asks for: cut to the longest one; what is no time at all was not asked for."""
    if retry_after_seconds is None or not retry_after_seconds >= 0:  # not a number is not at least 0 either
        return None
    return min(retry_after_seconds, RETRY_AFTER_SECONDS_MAX)


def _megabytes(size_bytes: int) -> float:
    return round(size_bytes / _MEBIBYTE, 2)
