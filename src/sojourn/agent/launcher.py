"""The launcher: from root to an account's user, with just the paths that are needed in reach.

Run by a root server in front of what it starts. Interpreters, code and the agent itself may lie below directories that
other users cannot enter (`/root`, a data directory of mode 0700). In a mount namespace of its own the launcher puts an
empty filesystem over each such directory, with only the needed paths bound back to where they were; then it becomes
the user and executes the program. The directories of the machine are not touched, and the rest of them stays closed.

Started with one argument, JSON with `uid` (None keeps ours), `reach` (paths), `command`, and `group`: the file through
which to walk into a control group first, so that the sandbox is in it from its start ("" for none).
"""

from __future__ import annotations

import json
import os
import stat
import sys

from . import kernel

_STAGE_OPTIONS = "mode=755,size=1m"
_DEPTH_MAX = 16


def closed_ancestor(path: str) -> str | None:
    """The topmost directory above `path` that other users cannot enter."""
    parts = path.split("/")[1:-1]
    above = ""
    for part in parts:
        above += "/" + part
        if not os.stat(above).st_mode & stat.S_IXOTH:  # noqa: PTH116 - pathlib is not loaded here
            return above
    return None


def open_ways(paths: list[str]) -> None:
    """Bring `paths` in reach of any user, in a mount namespace of our own."""
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    wanted = sorted({os.path.realpath(one) for one in paths})
    for _ in range(_DEPTH_MAX):  # a path may have one closed directory below another
        groups: dict[str, list[str]] = {}
        for path in wanted:
            closed = closed_ancestor(path)
            if closed is not None:
                groups.setdefault(closed, []).append(path)
        if not groups:
            return
        for closed, members in groups.items():
            _stage(closed, members)


def _stage(closed: str, members: list[str]) -> None:
    """Put an empty filesystem over `closed`, with `members` where they were; one within another comes with it."""
    outer = [path for path in members if not any(path.startswith(one + "/") for one in members)]
    opened = [(path, os.open(path, os.O_PATH)) for path in outer]
    kernel.mount("tmpfs", closed, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, _STAGE_OPTIONS)
    for path, fd in opened:
        _bind(fd, path)
        os.close(fd)


def _bind(fd: int, path: str) -> None:
    source = "/proc/self/fd/" + str(fd)
    if os.path.isdir(source):  # noqa: PTH112 - as above
        os.makedirs(path, 0o755, exist_ok=True)  # noqa: PTH103 - as above
    else:
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)  # noqa: PTH103, PTH120 - as above
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
    kernel.mount(source, path, None, kernel.MS_BIND | kernel.MS_REC)


def _become(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def main(_package: str) -> None:
    """Do what the argument says; returns only by an error."""
    wanted = json.loads(sys.argv[1])
    command = [str(one) for one in wanted["command"]]
    if wanted["group"]:
        from . import groups  # noqa: PLC0415 - few sandboxes need it

        groups.join([str(wanted["group"])])  # or its instances cannot, and do without
    if wanted["uid"] is not None:
        os.umask(0o022)
        open_ways([str(one) for one in wanted["reach"]])
        _become(int(wanted["uid"]))
    os.chdir("/")
    os.execv(command[0], command)  # noqa: S606 - executing the program is the point
