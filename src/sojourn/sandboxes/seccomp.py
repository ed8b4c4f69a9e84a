"""The sandbox-wide system call filter, in the form that bubblewrap takes: a descriptor to read it from."""

from __future__ import annotations

import os

from sojourn.agent import seccomp


def available() -> bool:
    """Whether there is a filter for this machine's architecture."""
    return seccomp.program(seccomp.COARSE) is not None


def filter_fd() -> int | None:
    """A descriptor holding the filter, to be closed by the caller; None where there is none."""
    program = seccomp.program(seccomp.COARSE)
    return None if program is None else data_fd("seccomp", program)


def data_fd(name: str, data: bytes) -> int:
    """A descriptor of an anonymous file holding `data`, positioned at its start."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC)
    os.write(fd, data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
