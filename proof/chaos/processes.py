"""The processes of a run, read from /proc: who belongs to the server, what each of them is, and who should be gone.

Ours are those with the data directory's mark in their environment, those below them, and grandchildren that dropped
their environment, found by the odd time they sleep. Nothing else is ever looked at twice, or signalled.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

VARIABLE = "SOJOURN_SANDBOX"


class Process(msgspec.Struct, frozen=True):
    """A process at one moment; `started` tells it from a later one with its pid."""

    pid: int
    parent: int
    started: int
    command: str
    marked: bool


def look(mark: str, sleep: str) -> dict[int, Process]:
    """Ours by `mark`, and the grandchildren that sleep for `sleep`; zombies are no processes any more."""
    found = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - names are what is wanted
        if not name.isdigit():
            continue
        try:
            command = Path("/proc", name, "cmdline").read_bytes()
            marked = f"{VARIABLE}={mark}".encode() in Path("/proc", name, "environ").read_bytes().split(b"\0")
            state, parent, started = status_of(int(name))
        except OSError:
            continue
        if state != "Z" and (marked or command == b"sleep\0" + sleep.encode() + b"\0"):
            text = command.replace(b"\0", b" ").decode("utf-8", "replace")
            found[int(name)] = Process(int(name), parent, started, text, marked)
    return found


def status_of(pid: int) -> tuple[str, int, int]:
    """State letter, parent and start time of a process; `OSError` when it is gone."""
    text = Path("/proc", str(pid), "stat").read_text()
    fields = text[text.rindex(")") + 2 :].split()
    return fields[0], int(fields[1]), int(fields[19])


def alive(pid: int, started: int) -> bool:
    """Whether this very process is still there."""
    try:
        state, _, found = status_of(pid)
    except OSError:
        return False
    return state != "Z" and found == started


def ancestry(pid: int) -> list[int]:
    """Its parent, grandparent and so on up to the first process."""
    found: list[int] = []
    while pid > 1:
        try:
            pid = status_of(pid)[1]
        except OSError:
            break
        found.append(pid)
    return found


def roles(mark: str, server: int) -> dict[str, list[int]]:
    """What the server's processes are: `outer` (bubblewrap, where there is one), `agent`, `zygote`.

    An instance looks like its zygote, from which it was forked: it is told by being a child of one that looks the same.
    """
    ours = look(mark, "")
    found: dict[str, list[int]] = {"outer": [], "agent": [], "zygote": []}
    for process in ours.values():
        parent = ours.get(process.parent)
        if process.parent == server and " agent {" in process.command and "--unshare" in process.command:
            found["outer"].append(process.pid)
        elif " zygote {" in process.command and (parent is None or parent.command != process.command):
            found["zygote"].append(process.pid)
        elif " agent {" in process.command and "--unshare" not in process.command:
            found["agent"].append(process.pid)
    return found


def strangers(mark: str, sleep: str, server: int) -> dict[int, Process]:
    """Ours that are not below the living server: nobody answers for them. With no server (0), all of them."""
    ours = look(mark, sleep)
    return {pid: one for pid, one in ours.items() if not server or server not in ancestry(pid)}
