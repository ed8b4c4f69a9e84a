"""What is written down while a run lasts, each line by one O_APPEND write, and read back by the checker.

Four files, by four who do not know of each other: clients write every call and its answer, the nemesis every fault, the
supervisor every life of a server, the receiver every record of an ended task. The fifth, the journal of what really
ran, is written by the functions themselves (`journal`). All times are microseconds of the machine's monotonic clock.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)

YES, CONFLICT, ABSENT, THROTTLED, REFUSED, UNKNOWN = "yes", "conflict", "absent", "throttled", "refused", "unknown"
"""How a call was answered; UNKNOWN when no answer came or the server failed: it may have happened or not."""


def now() -> int:
    """Microseconds of the monotonic clock."""
    return time.monotonic_ns() // 1_000


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a client: `verb`, of which task of which function, when it was sent and answered, and how.

    `told` is what else the answer said (the statuses seen, an error's code), `digest` that of a submitted payload.
    """

    verb: str
    function: str
    task: str = ""
    began: int
    ended: int
    answer: str
    told: list[tuple[str, int]] = []
    code: str = ""
    digest: str = ""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What the nemesis did, to which process, from when to when; `aim` is the phase it waited for."""

    kind: str
    at: int
    until: int
    pid: int = 0
    aim: str = ""
    instance: str = ""


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """One life of the server: started, ready (0: never), over; its exit status, and whether we ended it."""

    pid: int
    began: int
    ready: int
    ended: int
    status: int
    ours: bool
    last_words: str = ""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """One record that came to the webhook: of which request, under which key, with which condition, our answer."""

    request: str
    key: str
    at: int
    status: int


class Writer:
    """Appends lines to a file."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._encode = msgspec.json.Encoder().encode

    def write(self, record: msgspec.Struct) -> None:
        """One line, in one write."""
        os.write(self._fd, self._encode(record) + b"\n")

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)


def read(path: Path, kind: type[T]) -> list[T]:
    """All lines of a file; none when it is not there."""
    if not path.exists():
        return []
    decode = msgspec.json.Decoder(kind).decode
    return [decode(line) for line in path.read_bytes().splitlines()]
