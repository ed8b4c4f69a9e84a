"""Where a run has its data: a small disk of its own, so that it can really be full.

The disk is a tmpfs in a mount namespace that only this process and its children are in: nobody else sees it, and it
goes with the last of them. Where no namespace may be made there is none, and a limit on the size of the server's files
takes the place of a full disk.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000
_BLOCK_BYTES = 64 * 1024
_libc = ctypes.CDLL(None, use_errno=True)


class Disk:
    """The small disk at `path`, which holds nothing yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self) -> None:
        """Leave no room at all."""
        with self._ballast.open("ab", buffering=0) as file:
            size = _BLOCK_BYTES
            while size:
                try:
                    file.write(b"\0" * size)
                except OSError:
                    size //= 2

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)


def own_disk(path: Path, size_mb: int) -> Disk | None:
    """Leave for a mount namespace of our own and mount a disk at `path`; None where that is not allowed.

    To be called while this process has no other threads, and once.
    """
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        if _libc.unshare(_CLONE_NEWNS):
            return None
    else:
        if _libc.unshare(_CLONE_NEWNS | _CLONE_NEWUSER):
            return None
        for file, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            Path("/proc/self", file).write_text(text)
    if _libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None):
        return None
    options = f"size={size_mb}m,mode=755".encode()
    return None if _libc.mount(b"tmpfs", str(path).encode(), b"tmpfs", 0, options) else Disk(path)
