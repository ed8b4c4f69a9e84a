"""What a server uses, read from outside: memory, descriptors, threads of its processes, and the size of its files."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import msgspec


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One look at one process: `who` it is, when (microseconds, monotonic), what it holds; sizes in KiB or bytes.

    `database_bytes` and `wal_bytes` are of the server's files, `cached_bytes` what it says that it keeps of them in
    memory; 0 for other processes.
    """

    who: str
    pid: int
    at: int
    rss_kib: int
    descriptors: int
    threads: int
    database_bytes: int = 0
    wal_bytes: int = 0
    cached_bytes: int = 0


def sample(who: str, pid: int, data: Path | None = None, cached_bytes: int = 0) -> Sample | None:
    """A sample of a process now, with the files below `data`; None when it is gone."""
    try:
        status = _fields(Path("/proc", str(pid), "status"))
    except OSError:
        return None
    if "VmRSS" not in status:
        return None
    descriptors = 0
    with contextlib.suppress(OSError):  # a process that hides from its own user shows them to root only
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - only their number is wanted
    return Sample(
        who=who,
        pid=pid,
        at=time.monotonic_ns() // 1_000,
        rss_kib=status["VmRSS"],
        descriptors=descriptors,
        threads=status["Threads"],
        database_bytes=_size(data, "") if data else 0,
        wal_bytes=_size(data, "-wal") if data else 0,
        cached_bytes=cached_bytes,
    )


def _size(data: Path, suffix: str) -> int:
    """The size of the database's main file, or of the one beside it with this suffix."""
    return sum(path.stat().st_size for path in data.glob(f"*.db{suffix}"))


def _fields(path: Path) -> dict[str, int]:
    """The numbers of a file of `Name: number` lines."""
    found = {}
    for line in path.read_text().splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            found[name] = int(words[0])
    return found
