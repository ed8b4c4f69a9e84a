"""One server per data directory: an exclusive lock that ends with the process, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from sojourn.errors import DataDirectoryLocked


class DirectoryLock:
    """Holds `<directory>/lock` from `take` to `release`; no child process inherits it."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "lock"
        self._descriptor = -1

    def take(self) -> None:
        """Lock the directory, without waiting.

        Raises
        ------
        DataDirectoryLocked: another holder is alive.

        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                raise DataDirectoryLocked(str(self._path.parent)) from None
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go; doing so twice is fine. The file stays: removing it would let two holders lock two files."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
