"""How a command's words become a task's payload and times: `-`, `@FILE`, text; `10m`, a date, milliseconds."""

from __future__ import annotations

import os
import re
import sys
from datetime import datetime
from pathlib import Path

from . import exits
from .failure import CommandFailed

_AGO = re.compile(r"(\d{1,9})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_MILLISECONDS = re.compile(r"\d{12,14}")


def payload_of(text: str) -> bytes:
    """What `text` stands for: standard input for `-`, a file for `@FILE`, else itself.

    Raises
    ------
    CommandFailed: the file cannot be read.

    """
    if text == "-":
        return sys.stdin.buffer.read()
    if not text.startswith("@"):
        return os.fsencode(text)
    try:
        return Path(text[1:]).read_bytes()
    except OSError as error:
        raise CommandFailed(
            f"the payload file {text[1:]!r} cannot be read ({error.strerror})",
            "check the path; a payload that begins with @ can be sent through standard input with --payload -",
            exits.USAGE,
        ) from None


def seconds_of(text: str, option: str) -> int:
    """How long `text` is, in seconds: `900`, `15m`, `2h`.

    Raises
    ------
    CommandFailed: it is none of these; `option` is what it was given for.

    """
    found = _AGO.fullmatch(text)
    if found:
        return int(found[1]) * _SECONDS[found[2]]
    if not text.isdecimal():
        raise CommandFailed(f"{option} must be a time, got {text!r}", f"write it as {option} 15m, 2h, or in seconds")
    return int(text)


def milliseconds_of(text: str, now_ms: int) -> int:
    """The time that `text` names, in milliseconds since 1970.

    Parameters
    ----------
    text: how long ago (`30s`, `10m`, `2h`, `1d`), a date and time in ISO 8601 (local unless it says otherwise), or
        milliseconds since 1970.
    now_ms: now.

    Raises
    ------
    CommandFailed: it is none of these.

    """
    ago = _AGO.fullmatch(text)
    if ago:
        return now_ms - int(ago[1]) * _SECONDS[ago[2]] * 1000
    if _MILLISECONDS.fullmatch(text):
        return int(text)
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise CommandFailed(
            f"--since must be a time, got {text!r}", "write it as 10m, 2h, 1d, 2026-11-24T01:50:00Z or milliseconds"
        ) from None
