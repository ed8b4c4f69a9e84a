"""What separates an instance from everything else in its sandbox: namespaces, mounts, rights, limits.

An instance of a sandbox with namespaces is the first process of its own pid namespace; when it ends, the kernel ends
every process in there, and reports the end only when all are gone. It sees its own processes, its own code and its
own `/tmp`, and gives up every right to change that before user code is loaded. Order matters: what takes rights comes
first.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Collection

from . import kernel, seccomp

CODE = "/code"
TEMPORARY, SHARED_MEMORY = "/tmp", "/dev/shm"  # noqa: S108 - each instance has its own
ROOM = "/sojourn"
"""Where the sandbox keeps the account's code trees and the agent; out of sight for instances."""
_MEBIBYTE = 1024 * 1024
_SHARED_MEMORY_MB_MAX = 64
FILES_MAX = 100_000
PROCESSES_MAX = 1024
_STRICT = seccomp.program(seccomp.STRICT)
_TEMPLATE = seccomp.program(seccomp.TEMPLATE)


class CodeMissing(Exception):
    """The code tree of a digest is not there."""


def begin() -> None:
    """Make the pid namespace that our next child will be the first process of; once in a process."""
    kernel.unshare(kernel.CLONE_NEWPID)


def part() -> None:
    """Take mounts and ipc of our own."""
    kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC)


def furnish(digest: str, tmp_mb: int) -> None:
    """Mount what an instance sees: an empty /tmp, its code read-only, its own /proc; nothing of the others.

    Raises
    ------
    CodeMissing: there is no code tree `digest`.
    OSError: a mount failed.

    """
    private = kernel.MS_NOSUID | kernel.MS_NODEV
    source = ROOM + "/code/" + digest
    if not os.path.isdir(source):  # noqa: PTH112 - pathlib is not loaded here
        raise CodeMissing("the code of digest " + digest + " is not there")
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount(source, CODE, None, kernel.MS_BIND)
    read_only = kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | private
    kernel.mount(None, CODE, None, read_only)
    _furnish_own(tmp_mb)
    # What lies below cannot be unmounted (the kernel locks mounts that came from outside), only covered; without rights
    # an instance can lift the cover as little as a mount.
    kernel.mount("tmpfs", ROOM, "tmpfs", private | kernel.MS_NOEXEC | kernel.MS_RDONLY, "mode=000,size=4k")


def refurnish(tmp_mb: int) -> None:
    """Mount what an instance has for itself over what its template has; the code it sees already.

    Raises
    ------
    OSError: a mount failed.

    """
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    _furnish_own(tmp_mb)


def _furnish_own(tmp_mb: int) -> None:
    private = kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount("tmpfs", TEMPORARY, "tmpfs", private, "mode=1777,size=" + str(tmp_mb) + "m")
    shared_mb = min(tmp_mb, _SHARED_MEMORY_MB_MAX)
    kernel.mount("tmpfs", SHARED_MEMORY, "tmpfs", private, "mode=1777,size=" + str(shared_mb) + "m")
    kernel.mount("proc", "/proc", "proc", private | kernel.MS_NOEXEC)


def reign() -> None:
    """Give up all rights over what is there for rights over a user namespace of our own, which has nothing in it yet.

    Of a template: it runs code of the function's and must still be able to make namespaces for its instances. The
    rights it has hold for what is made from here on only.

    Raises
    ------
    OSError: such a namespace cannot be made here.

    """
    uid, gid = os.geteuid(), os.getegid()
    kernel.unshare(kernel.CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        fd = os.open("/proc/self/" + name, os.O_WRONLY)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)
    kernel.no_new_privileges()
    if _TEMPLATE is not None:
        kernel.filter_system_calls(_TEMPLATE)


def go_offline() -> None:
    """Take a network of our own: a loopback, and no way out."""
    kernel.unshare(kernel.CLONE_NEWNET)
    kernel.raise_loopback()


def confine(bounding: list[int], *, must: bool) -> None:
    """Give up all rights and filter system calls; with `must` a failure raises `OSError`, else as much as goes.

    `bounding` is the bounding set of this process, see `kernel.bounding_set`.
    """
    try:
        kernel.drop_capabilities(bounding)
        kernel.no_new_privileges()
        if _STRICT is not None:
            kernel.filter_system_calls(_STRICT)
    except OSError:
        if must:
            raise


def limit(memory_mb: int, tmp_mb: int, *, namespaces: bool, own_user: bool, held: Collection[str] = ()) -> None:
    """Set resource limits.

    The memory limit proper is the instance's group or the agent's guard, which see the whole tree; the limit on data
    here is a backstop, wide enough for thread stacks and arenas that are reserved and never used, so that one process
    cannot outrun the guard, and an allocation that could never be used is refused rather than fatal.

    Parameters
    ----------
    memory_mb: the function's memory.
    tmp_mb: the size of its /tmp; bounds a single file where /tmp itself has no bound.
    namespaces: whether /tmp is a filesystem of its own.
    own_user: whether the user's processes are all this account's, so that counting them is fair.
    held: what the instance's group holds, as `memory` or `pids`.

    """
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, FILES_MAX)
    _lower(resource.RLIMIT_DATA, (2 * memory_mb + 512) * _MEBIBYTE)
    if own_user and "pids" not in held:
        _lower(resource.RLIMIT_NPROC, PROCESSES_MAX)
    if not namespaces:
        _lower(resource.RLIMIT_FSIZE, tmp_mb * _MEBIBYTE)


def _lower(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (bound, bound))


def volunteer_for_oom() -> None:
    """When the machine itself runs out of memory, let it take an instance rather than the server."""
    try:
        fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)  # a text file would cost 600 KiB for its codec
        try:
            os.write(fd, b"500")
        finally:
            os.close(fd)
    except OSError:
        pass  # some kernels and containers do not allow it; nothing else depends on it
