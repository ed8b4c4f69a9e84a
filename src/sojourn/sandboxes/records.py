"""What a sandbox leaves in its directory so that the next server can end what this one could not.

A record names processes by pid and start time, which together mean one process for ever (until the next boot, whose id
is in the record too). Beside the records every process carries the server's mark in its environment. `reap` uses both,
and looks again until it finds nothing.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from sojourn.agent import tree
from sojourn.crashpoint import crashpoint

FILE = "sandbox.json"
VARIABLE = "SOJOURN_SANDBOX"
ID_VARIABLE = "SOJOURN_SANDBOX_ID"
_PAUSE_SECONDS = 0.01
_PATIENCE_SECONDS = 30.0


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Processes of a sandbox: pid and start time of each, and the boot in which these mean something."""

    mark: str
    boot: str
    processes: tuple[tuple[int, int], ...]


def write(directory: Path, mark: str, processes: Iterable[tuple[int, int]]) -> None:
    """Record that `processes` (pid, start time) belong to the sandbox of `directory`."""
    record = Record(mark=mark, boot=_boot(), processes=tuple(processes))
    fresh = directory / (FILE + ".new")
    fresh.write_bytes(msgspec.json.encode(record))
    crashpoint("sandbox.record.written")
    fresh.replace(directory / FILE)


def remove(directory: Path) -> None:
    """Forget the record: nothing of the sandbox is left."""
    (directory / FILE).unlink(missing_ok=True)


def reap(directory: Path, mark: str) -> int:
    """Kill what sandboxes below `directory` with `mark` left behind, and wait until it is gone; returns how many.

    Raises
    ------
    TimeoutError: some process does not go although it was killed.

    """
    killed: set[tuple[int, int]] = set()
    files = [file for pattern in (FILE, "*/" + FILE) for file in directory.glob(pattern)]
    recorded = [process for file in files for process in _recorded(file, mark)]

    def left() -> list[int]:
        found = {pid for pid, start in recorded if start and tree.start_time(pid) == start}
        return sorted(found.union(marked(lambda variables: variables.get(VARIABLE) == mark)))

    kill_until_gone(left, killed)
    for file in files:
        file.unlink(missing_ok=True)
    return len(killed)


def kill_until_gone(left: Callable[[], list[int]], killed: set[tuple[int, int]]) -> None:
    """Kill what `left` finds, with everything below it, until it finds nothing; notes each process in `killed`.

    Raises
    ------
    TimeoutError: after half a minute.

    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while pids := left():
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {pids} were killed and are still there")
        for pid in pids:
            killed.update((one, tree.start_time(one)) for one in (pid, *tree.descendants(pid)))
            tree.kill_tree(pid)
        time.sleep(_PAUSE_SECONDS)


def marked(wanted: Callable[[dict[str, str]], bool]) -> Iterator[int]:
    """The processes whose environment (as far as we may read it) `wanted` accepts; never ourselves."""
    for name in os.listdir("/proc"):  # noqa: PTH208 - names are what is wanted, thousands of them
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            text = Path("/proc", name, "environ").read_bytes()
        except OSError:
            continue
        if VARIABLE.encode() not in text:
            continue
        pairs = (item.partition("=") for item in text.decode("utf-8", "replace").split("\0"))
        if wanted({key: value for key, _, value in pairs}) and tree.start_time(int(name)):
            yield int(name)


def kill(pid_fd: int) -> None:
    """SIGKILL to the process behind a pidfd, if it is still there."""
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pid_fd, signal.SIGKILL)


def _recorded(file: Path, mark: str) -> tuple[tuple[int, int], ...]:
    try:
        record = msgspec.json.decode(file.read_bytes(), type=Record)
    except (OSError, msgspec.MsgspecError):
        return ()
    return record.processes if record.mark == mark and record.boot == _boot() else ()


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
