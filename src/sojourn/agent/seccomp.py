"""System call filters, as classic BPF programs.

Three of them. `COARSE` is for the whole sandbox: what neither agent nor functions have any business with. `STRICT` is
for an instance and adds what only the agent needs to make one (mounts and namespaces). `TEMPLATE` is for the process
that instances of a function are forked from: of these it may mount, and unshare what an instance has for itself. A
refused call answers EPERM, as it would without the right to it; clone3 answers ENOSYS, so that libc falls back to
clone, whose flags a filter can read.

Architectures without a row in `_ARCHITECTURES` get no filter; drivers say so.
"""

from __future__ import annotations

import errno
import os
import struct

_INSTRUCTION = struct.Struct("=HBBI")
_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_AT_NUMBER, _AT_ARCHITECTURE, _AT_ARGUMENT_0, _AT_ARGUMENT_1 = 0, 4, 16, 24

_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""Audit number of the architecture, and its column in the tables below."""
_X32_BIT = 0x40000000
_NEW_NAMESPACES = 0x7E020080  # every CLONE_NEW… flag, time namespaces included
_NOT_OF_INSTANCES = 0x16000080  # those of control groups, host names, users and times
COARSE, STRICT, TEMPLATE = "coarse", "strict", "template"
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C

_COARSE: dict[str, tuple[int | None, int | None]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "modify_ldt": (154, None),
    "move_pages": (279, 239),
    "name_to_handle_at": (303, 264),
    "nfsservctl": (180, 42),
    "open_by_handle_at": (304, 265),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "settimeofday": (164, 170),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "uselib": (134, None),
    "userfaultfd": (323, 282),
    "vhangup": (153, 58),
}
_MAKING: dict[str, tuple[int | None, int | None]] = {
    "chroot": (161, 51),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "pivot_root": (155, 41),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "umount2": (166, 39),
    "unshare": (272, 97),
}
_CLONE, _CLONE3, _IOCTL = (56, 220), (435, 435), (16, 29)


def program(level: str, machine: str | None = None) -> bytes | None:
    """The filter `level` for `machine` (as `uname -m` says it, default this one), None when there is none for it."""
    found = _ARCHITECTURES.get(machine or os.uname().machine)
    if found is None:
        return None
    architecture, column = found
    denied = errno.EPERM
    lines: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, _AT_ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
        (_LOAD, 0, 0, _AT_NUMBER),
    ]
    if architecture == _ARCHITECTURES["x86_64"][0]:
        lines += [(_JUMP_GREATER_EQUAL, 0, 1, _X32_BIT), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    making = {} if level == COARSE else dict(_MAKING)
    if level == TEMPLATE:
        del making["mount"], making["unshare"]
    rows = [*_COARSE.values(), *making.values()]
    for number in sorted(row[column] or 0 for row in rows if row[column] is not None):
        lines += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | denied)]
    if level == TEMPLATE:
        lines += [
            (_JUMP_EQUAL, 0, 4, _MAKING["unshare"][column] or 0),
            (_LOAD, 0, 0, _AT_ARGUMENT_0),
            (_JUMP_ANY_BIT, 0, 1, _NOT_OF_INSTANCES),
            (_RETURN, 0, 0, _ERRNO | denied),
            (_RETURN, 0, 0, _ALLOW),
        ]
    if level != COARSE:
        lines += [(_JUMP_EQUAL, 0, 1, _CLONE3[column]), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
        lines += [
            (_JUMP_EQUAL, 0, 4, _CLONE[column]),
            (_LOAD, 0, 0, _AT_ARGUMENT_0),
            (_JUMP_ANY_BIT, 0, 1, _NEW_NAMESPACES),
            (_RETURN, 0, 0, _ERRNO | denied),
            (_RETURN, 0, 0, _ALLOW),
        ]
    lines += [
        (_JUMP_EQUAL, 0, 4, _IOCTL[column]),
        (_LOAD, 0, 0, _AT_ARGUMENT_1),
        (_JUMP_EQUAL, 1, 0, _TIOCSTI),
        (_JUMP_EQUAL, 0, 1, _TIOCLINUX),
        (_RETURN, 0, 0, _ERRNO | denied),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(_INSTRUCTION.pack(*line) for line in lines)
