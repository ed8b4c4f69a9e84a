"""What one attempt writes, bounded: the first and the last part are kept, what falls between is counted.

A function that floods its output costs 64 KiB and not more (Firecracker's warning about consoles applies to every
runner). The pieces come from `sandbox`, the result goes to `store` as a `Log`. The lines that frame a section
(`FC Invoke Start RequestId: …`) are written here and never fall into the hole: however much a function writes, its log
says which parts of it ran and how they ended.
"""

from __future__ import annotations

from collections.abc import Callable

from .store import Log

HEAD_BYTES_MAX = 16 * 1024
TAIL_BYTES_MAX = 48 * 1024

EXCERPT_BYTES_MAX = 2048

INITIALIZE = "Initialize"
INVOKE = "Invoke"
PRE_FREEZE = "PreFreeze"
PRE_STOP = "PreStop"
UNHANDLED_ERROR = "Unhandled function error"
FRAMES_MAX = 16
"""Lines that are kept out of the hole: more than the sections of an attempt have."""


def canceled_error(duration_us: int, memory_peak_bytes: int) -> str:
    """The error at the end of a call that was stopped, in Function Compute's words."""
    megabytes = memory_peak_bytes / 1024 / 1024
    return f"Invocation canceled by client (duration: {duration_us / 1000:.2f}ms, maxMemoryUsage: {megabytes:.2f}MB)"


def gap(dropped: int) -> bytes:
    """What stands in the place of `dropped` bytes; nothing in the place of none."""
    return b"\n... %d bytes dropped ...\n" % dropped if dropped else b""


def whole(log: Log) -> bytes:
    """What was kept of an attempt's output, with a line where something was not."""
    return log.head + gap(log.dropped) + log.tail


Listener = Callable[[bytes, int], None]
"""Hears of a piece of output and of how many bytes were dropped before it; must not raise and must not wait."""


class Output:
    """A growing piece of text with a hole in the middle, in sections that do not nest."""

    __slots__ = (
        "_dropped",
        "_frames",
        "_frames_count",
        "_head",
        "_listeners",
        "_mid_line",
        "_saved",
        "_section",
        "_silent",
        "_tail",
    )

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0
        self._mid_line = False
        self._section: tuple[str, str] | None = None
        self._silent = False
        self._frames: list[tuple[int, int]] = []  # where in the tail frame lines begin and end
        self._frames_count = 0
        self._saved = bytearray()  # frame lines that would have fallen into the hole
        self._listeners: list[Listener] = []

    def begin(self, name: str, request_id: str, *, quiet: bool = False) -> None:
        """Begin a section; one that is still open ends.

        Parameters
        ----------
        name: what runs, such as `INVOKE`.
        request_id: on whose behalf.
        quiet: whether its lines are left out when nothing is written in it and it ends without an error.

        """
        self.end()
        self._section, self._silent = (name, request_id), True
        if not quiet:
            self._announce()

    def end(self, error: str = "") -> None:
        """End the section that is open, if any, with the `error` it ended in; a last line without its end gets one."""
        if self._section is None:
            return
        if error:
            self._announce()
        if not self._silent:
            self._frame("End", f", Error: {error}" if error else "")
        self._section, self._silent = None, False

    def write(self, piece: bytes, dropped: int = 0) -> None:
        """Add `piece`, which came after `dropped` bytes that nobody kept."""
        if piece or dropped:
            self._announce()
            self._add(piece, dropped)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have all that comes told to `listener` too, whole; returns what ends that. `log` has what came before."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def log(self, attempt: int) -> Log | None:
        """What attempt number `attempt` wrote; None when it was silent."""
        if not self._head and not self._tail and not self._dropped:
            return None
        return Log(attempt, bytes(self._head), bytes(self._saved + self._tail), self._dropped)

    def excerpt(self) -> dict[str, object]:
        """The beginning of it as `output`, for an event; nothing when it was silent."""
        return {"output": self._head[:EXCERPT_BYTES_MAX].decode(errors="replace")} if self._head else {}

    def _announce(self) -> None:
        """Write the line by which the open section begins, if it is not there yet."""
        if self._silent:
            self._silent = False
            self._frame("Start", "")

    def _frame(self, what: str, error: str) -> None:
        assert self._section is not None  # noqa: S101 - both callers have seen to it
        name, request_id = self._section
        line = f"FC {name} {what} RequestId: {request_id}{error}\n".encode()
        if self._mid_line:
            self._add(b"\n", 0)
        self._tell(line, 0)
        if self._in_head and len(self._head) + len(line) <= HEAD_BYTES_MAX:
            self._head += line
            self._mid_line = False
            return
        if self._frames_count < FRAMES_MAX:
            self._frames_count += 1
            self._frames.append((len(self._tail), len(self._tail) + len(line)))
        self._append(line, 0)
        self._mid_line = False

    def _tell(self, piece: bytes, dropped: int) -> None:
        for listener in self._listeners:
            listener(piece, dropped)

    @property
    def _in_head(self) -> bool:
        return not self._tail and not self._dropped

    def _add(self, piece: bytes, dropped: int) -> None:
        self._tell(piece, dropped)
        if piece:
            self._mid_line = not piece.endswith(b"\n")
        if not dropped and self._in_head:
            room = HEAD_BYTES_MAX - len(self._head)
            self._head += piece[:room]
            piece = piece[room:]
        if piece or dropped:
            self._append(piece, dropped)

    def _append(self, piece: bytes, dropped: int) -> None:
        """Add to the tail, and let what is too much at its beginning go, but for the frame lines in it."""
        self._dropped += dropped
        self._tail += piece
        over = len(self._tail) - TAIL_BYTES_MAX
        if over <= 0:
            return
        while self._frames and self._frames[0][0] < over:
            begin, end = self._frames.pop(0)
            over = max(over, end)
            self._saved += self._tail[begin:end]
            self._dropped -= end - begin
        del self._tail[:over]
        self._dropped += over
        self._frames = [(begin - over, end - over) for begin, end in self._frames]
