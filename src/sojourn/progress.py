"""Progress: what a task says of itself while it runs, and the checkpoint that its next attempt begins with.

Pure: what a report may hold, and what two reports in a row amount to. Who may report, and when it becomes durable, is
left to `reports`.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping

import msgspec

from .errors import InvalidArgument, PayloadTooLarge

MESSAGE_CHARACTERS_MAX = 1024
CHECKPOINT_BYTES_MAX = 64 * 1024
PERCENT_BOUNDS = (0.0, 100.0)
FIELDS = ("percent", "message", "checkpoint", "checkpointEncoding")


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What is reported at once; None leaves what was reported before. An empty `checkpoint` takes it away."""

    percent: float | None = None
    message: str | None = None
    checkpoint: bytes | None = None


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a task's progress: reported by attempt number `attempt`, last at `at` (microseconds)."""

    task_id: int
    attempt: int
    percent: float | None = None
    message: str = ""
    at: int = 0
    checkpoint: bytes = b""


def parse(fields: Mapping[str, object]) -> Report:
    """The report that JSON `fields` spell; a checkpoint is text, or base64 when `checkpointEncoding` says so.

    Raises
    ------
    InvalidArgument: a field is not known, or not what it must be, or nothing is reported.
    PayloadTooLarge: the checkpoint is over its bound.

    """
    for name in fields:
        if name not in FIELDS:
            raise InvalidArgument(name, fields[name], f"is no field of a report, which has {', '.join(FIELDS)}")
    report = Report(
        percent=_percent(fields.get("percent")),
        message=_message(fields.get("message")),
        checkpoint=_checkpoint(fields.get("checkpoint"), fields.get("checkpointEncoding")),
    )
    if report == Report():
        raise InvalidArgument("percent", None, "or message or checkpoint must be given")
    return report


def merged(before: Progress, report: Report, attempt: int, at: int) -> Progress:
    """What is known after `report`; another attempt begins anew, with the checkpoint of the one before."""
    kept = before if before.attempt == attempt else Progress(task_id=before.task_id, attempt=attempt)
    return Progress(
        task_id=before.task_id,
        attempt=attempt,
        percent=kept.percent if report.percent is None else report.percent,
        message=kept.message if report.message is None else report.message,
        checkpoint=before.checkpoint if report.checkpoint is None else report.checkpoint,
        at=max(at, before.at),
    )


def _percent(value: object) -> float | None:
    if value is None:
        return None
    low, high = PERCENT_BOUNDS
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not low <= value <= high:  # type: ignore[arg-type,operator]  # it is a number
        raise InvalidArgument("percent", value, f"must be a number from {low:g} to {high:g}")
    return float(value)  # type: ignore[arg-type]  # as above


def _message(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MESSAGE_CHARACTERS_MAX:
        raise InvalidArgument("message", value, f"must be text of at most {MESSAGE_CHARACTERS_MAX} characters")
    return value


def _checkpoint(value: object, encoding: object) -> bytes | None:
    if encoding not in (None, "base64"):
        raise InvalidArgument("checkpointEncoding", encoding, "must be base64, or left out for text")
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidArgument("checkpoint", value, "must be text, or base64 with checkpointEncoding")
    try:
        data = base64.b64decode(value, validate=True) if encoding else value.encode()
    except (binascii.Error, UnicodeEncodeError, ValueError):
        raise InvalidArgument("checkpoint", value, "must be UTF-8 text, or base64 with checkpointEncoding") from None
    if len(data) > CHECKPOINT_BYTES_MAX:
        raise PayloadTooLarge("checkpoint", len(data), CHECKPOINT_BYTES_MAX)
    return data
