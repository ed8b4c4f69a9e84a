"""The kernel calls that Python 3.8 has no word for: prctl, mount, unshare, capset, and the one that starts a network.

Thin: a call that fails raises `OSError` with the kernel's reason. What to call and when is decided by `namespace`,
`zygote` and `agent`.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP = 1, 4, 22
_PR_CAPBSET_READ, _PR_CAPBSET_DROP = 23, 24
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 36, 38, 47
_PR_CAP_AMBIENT_CLEAR_ALL, _SECCOMP_MODE_FILTER = 4, 2
_CAPABILITY_VERSION_3 = 0x20080522
_CAPABILITIES = 64
_CLOSE_RANGE, _DESCRIPTOR_MAX = 436, 0xFFFFFFFF
"""The number of the system call is the same on every architecture."""
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_INTERFACE = struct.Struct("16sh14x")

_libc = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number) + " (" + what + ")")


def _prctl(option: int, *arguments: object) -> int:
    values = [ctypes.c_ulong(one) if isinstance(one, int) else one for one in arguments]
    values += [ctypes.c_ulong(0)] * (4 - len(values))
    return int(_libc.prctl(option, *values))


def hide() -> None:
    """No core dump, no ptrace, and /proc files closed to processes of the same user."""
    _check(_prctl(_PR_SET_DUMPABLE, 0), "dumpable")


def unhide() -> None:
    """The opposite of `hide`, for an instance: its own /proc files are its own again."""
    _check(_prctl(_PR_SET_DUMPABLE, 1), "dumpable")


def adopt_orphans() -> None:
    """Descendants that lose their parent become our children."""
    _check(_prctl(_PR_SET_CHILD_SUBREAPER, 1), "child subreaper")


def die_with_parent() -> None:
    """SIGKILL for us when our parent ends; the caller checks whether it has ended already."""
    _check(_prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL)), "parent death signal")


def unshare(flags: int) -> None:
    """New namespaces; a new pid namespace begins with our next child."""
    _check(_libc.unshare(flags), "unshare")


def enter(pid: int, kind: str, flag: int) -> None:
    """Walk into a namespace of another process; `kind` is its name in /proc. A user namespace takes a single thread."""
    fd = os.open("/proc/" + str(pid) + "/ns/" + kind, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.setns(fd, flag), "setns " + kind)
    finally:
        os.close(fd)


def close_from(lowest: int) -> None:
    """Close every descriptor from `lowest` on."""
    if _libc.syscall(_CLOSE_RANGE, ctypes.c_uint(lowest), ctypes.c_uint(_DESCRIPTOR_MAX), 0) == 0:
        return
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - pathlib is not loaded here
        if int(name) >= lowest:
            with contextlib.suppress(OSError):  # the descriptor of the listing itself
                os.close(int(name))


def raise_loopback() -> None:
    """Bring up the loopback of this network namespace, which a new one has down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        _, flags = _INTERFACE.unpack(fcntl.ioctl(sock, _SIOCGIFFLAGS, _INTERFACE.pack(b"lo", 0)))
        fcntl.ioctl(sock, _SIOCSIFFLAGS, _INTERFACE.pack(b"lo", flags | _IFF_UP))


def mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """Mount, bind, remount or change propagation, as mount(2)."""
    words = [word.encode() if word is not None else None for word in (source, target, kind, data)]
    result = _libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3])
    _check(result, "mount " + target)


def bounding_set() -> list[int]:
    """The capabilities that this process and its descendants may ever have; to be looked up before many forks."""
    return [number for number in range(_CAPABILITIES) if _prctl(_PR_CAPBSET_READ, number) == 1]


def drop_capabilities(bounding: list[int]) -> None:
    """Give up every capability, and the way to get one back by executing a file; `bounding` is our bounding set."""
    for number in bounding:
        if _prctl(_PR_CAPBSET_DROP, number) != 0:
            break  # we never had the right to
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _check(_libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")


def no_new_privileges() -> None:
    """No program that is executed from here on gets more rights than we have."""
    _check(_prctl(_PR_SET_NO_NEW_PRIVS, 1), "no new privileges")


def filter_system_calls(program: bytes) -> None:
    """Apply a seccomp program (see `seccomp`) to this process and its descendants."""
    prepared = _Program(len(program) // 8, program)
    _check(_prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(prepared)), "seccomp")
