"""Whose line is it: the output of an instance that serves several executions at a time.

The pipe says nothing about who wrote. A line that holds the request id of a running execution belongs to that one, any
other line to all of them, as far as an allowance for such copies goes: one line for two hundred executions is two
hundred lines.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

_LINE_BYTES_MAX = 64 * 1024
COPIES_BYTES_MAX = 4 * 1024 * 1024
_COPIES_BYTES_PER_SECOND = 2 * 1024 * 1024


class Lines:
    """Cuts output into lines; `send(request, dropped, piece)` gets what is for one execution.

    `running` maps the numbers of the executions that run to their request ids.
    """

    def __init__(self, running: Mapping[int, bytes], send: Callable[[int, int, bytes], None]) -> None:
        self._running, self._send = running, send
        self._begun = b""
        self._allowance = float(COPIES_BYTES_MAX)
        self._counted_at = time.monotonic()

    def take(self, dropped: int, piece: bytes) -> None:
        """Take a piece of output before which `dropped` bytes were left out."""
        if dropped:
            self.flush()
            for request in self._running:
                self._send(request, dropped, b"")
        data = self._begun + piece
        whole, end, self._begun = data.rpartition(b"\n")
        if end:
            self._sort([line + b"\n" for line in whole.split(b"\n")])
        if len(self._begun) > _LINE_BYTES_MAX:
            self.flush()

    def flush(self) -> None:
        """Pass on the beginning of a line; its rest counts as a line of its own."""
        begun, self._begun = self._begun, b""
        if begun:
            self._sort([begun])

    def _sort(self, lines: list[bytes]) -> None:
        """Pass on lines, those for the same execution together and in order."""
        gathered: dict[int, list[bytes]] = {}
        for line in lines:
            self._share(gathered, line)
        for request, found in gathered.items():
            self._send(request, 0, b"".join(found))

    def _share(self, gathered: dict[int, list[bytes]], line: bytes) -> None:
        owners = [request for request, name in self._running.items() if name and name in line]
        if not owners:
            owners = list(self._running)
            if not self._allowed(len(line) * (len(owners) - 1)):
                for request in owners:
                    self._send(request, len(line), b"")
                return
        for request in owners:
            gathered.setdefault(request, []).append(line)

    def _allowed(self, size: int) -> bool:
        """Whether copies of `size` bytes are within the allowance; takes them off it."""
        now = time.monotonic()
        earned = (now - self._counted_at) * _COPIES_BYTES_PER_SECOND
        self._allowance, self._counted_at = min(self._allowance + earned, float(COPIES_BYTES_MAX)), now
        if size > self._allowance:
            return False
        self._allowance -= size
        return True
