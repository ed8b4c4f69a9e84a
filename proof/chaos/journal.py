"""The journal: what really ran, written by those who ran, outside of the system under test.

A sandbox sees none of our files. So we hold a socket in the abstract namespace, which needs no file, and hand to every
instance that asks the open journal itself: a descriptor with O_APPEND, so that each word is one write that the kernel
puts after all others. Who asks tells its id, and the kernel tells us its process: so the nemesis knows whom to hit.
"""

from __future__ import annotations

import array
import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import msgspec

BEGIN, BEAT, END = "begin", "beat", "end"
HOOKS = ("initializer", "preFreeze", "preStop")
_CREDENTIALS = struct.Struct("3i")
_PATIENCE_SECONDS = 5.0


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """One word of the journal: which attempt (from 1; 0 in a hook) of which request says what, where, and when.

    `word` is `begin`, `beat` or `end` of a handler, or `<hook>-begin` and `<hook>-end`. `label` is that of the code
    that runs, `at` in microseconds of the monotonic clock.
    """

    request: str
    attempt: int
    instance: str
    label: str
    pid: int
    word: str
    at: int


def words_of(text: str) -> Iterator[Word]:
    """The words of a journal's text; a last line that is not whole is passed over."""
    whole, _, _ = text.rpartition("\n")
    for line in whole.splitlines():
        request, attempt, instance, label, pid, word, stamp = line.split(" ")
        yield Word(
            request=request,
            attempt=int(attempt),
            instance=instance,
            label=label,
            pid=int(pid),
            word=word,
            at=int(stamp) // 1_000,
        )


class Journal:
    """The file at `path`, handed out under `name`; `pids` are the processes of instances as this machine counts."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, f"sojourn-chaos-{os.getpid()}-{os.urandom(4).hex()}"
        self.pids: dict[str, int] = {}
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"\0{self.name}")
        self._listener.listen(512)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._read = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(_PATIENCE_SECONDS)
        self._listener.close()
        os.close(self._fd)

    def fresh(self) -> list[Word]:
        """What was written since the last look."""
        with self.path.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        return list(words_of(whole.decode()))

    def _serve(self) -> None:
        while True:
            try:
                wire, _ = self._listener.accept()
            except OSError:
                return
            with wire:
                wire.settimeout(_PATIENCE_SECONDS)
                try:
                    self._hand_over(wire)
                except OSError:
                    continue  # it was killed while it asked

    def _hand_over(self, wire: socket.socket) -> None:
        pid, _, _ = _CREDENTIALS.unpack(wire.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
        self.pids[wire.recv(256).decode()] = pid
        wire.sendmsg([b"j"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [self._fd]))])
