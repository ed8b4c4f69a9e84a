"""What the disk can do at best: the price of making something durable once, and which file system pays it.

Figures of the product are read as ratios of yardsticks, because absolute ones move with the machine and with who else
uses it. The other yardsticks, servers that do nothing, are in `responders`.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

BLOCK = bytes(4096)
MEMORY_FILE_SYSTEMS = frozenset({"tmpfs", "ramfs", "devtmpfs"})


def fdatasync_us(directory: Path, samples: int) -> list[int]:
    """Microseconds that appending 4 KiB and fdatasync took, `samples` times, in a file that is removed again."""
    times = []
    with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
        for _ in range(samples):
            start = time.perf_counter_ns()
            file.write(BLOCK)
            os.fdatasync(file.fileno())
            times.append((time.perf_counter_ns() - start) // 1000)
    return times


def file_system(directory: Path) -> str:
    """The kind of file system that `directory` is on, such as `ext4`; "" when the kernel does not tell."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    here, found, kind = directory.resolve(), Path(), ""
    for line in lines:
        _, place, type_, *_ = line.split(" ")
        mounted = Path(place.encode().decode("unicode_escape"))
        if here.is_relative_to(mounted) and len(mounted.parts) >= len(found.parts):
            found, kind = mounted, type_
    return kind
