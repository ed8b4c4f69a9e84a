"""What really ran: functions tell the harness where they are, and this remembers it outside the system.

Each word is here, and at the end of an append-only file, before the function goes on. A word that is held is answered
when it is let go, so that a task can be kept where a case wants it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

HOLD = "hold"
"""The word on which a function waits."""
BEGIN, END = "begin", "end"


class Journal:
    """Listens on a port of this machine; `path` is the file."""

    def __init__(self, path: Path) -> None:
        self.words: dict[str, list[tuple[int, str, int]]] = defaultdict(list)
        """By request id: the attempt, the word, and the machine's monotonic time in nanoseconds."""
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._lock = threading.Lock()
        self._holding = False
        self._held: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no more."""
        self.let_go()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        os.close(self._file)

    def hold(self) -> None:
        """Who says `HOLD` waits from now on."""
        with self._lock:
            self._holding = True

    def let_go(self) -> None:
        """Nobody waits any more."""
        with self._lock:
            self._holding = False
            held, self._held = self._held, []
        for each in held:
            _answer(each)

    def said(self, request_id: str, word: str) -> int:
        """How often a request said so."""
        with self._lock:
            return sum(each[1] == word for each in self.words.get(request_id, ()))

    def faults(self) -> list[str]:
        """Attempts that ran twice, or into one another."""
        found = []
        with self._lock:
            for request_id, words in self.words.items():
                times: dict[int, list[int]] = defaultdict(list)
                for attempt, word, at in words:
                    times[attempt].append(at)
                    if word == BEGIN and len(times[attempt]) > 1:
                        found.append(f"{request_id} ran attempt {attempt} twice")
                found += [
                    f"{request_id}: attempt {one} ran into attempt {other}"
                    for one, other in pairwise(sorted(times))
                    if max(times[one]) >= min(times[other])
                ]
        return found

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                wire, _ = self._listener.accept()
                threading.Thread(target=self._take, args=(wire,), daemon=True).start()

    def _take(self, wire: socket.socket) -> None:
        with contextlib.suppress(OSError):
            line = wire.makefile(encoding="utf-8").readline()
            if not line.endswith("\n"):
                wire.close()
                return
            request_id, attempt, word, at = line.split()
            with self._lock:
                os.write(self._file, line.encode())
                self.words[request_id].append((int(attempt), word, int(at)))
                held = word == HOLD and self._holding
                if held:
                    self._held.append(wire)
            if not held:
                _answer(wire)


def _answer(wire: socket.socket) -> None:
    with contextlib.suppress(OSError), wire:
        wire.sendall(b"on\n")
