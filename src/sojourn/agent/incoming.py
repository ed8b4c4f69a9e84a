"""Frames as an instance takes them from its socket: one system call for a small one, no copy too many of a large one.

Most invocations fit into one read. Of a larger body the rest is read into the place where it stays, because what an
instance holds counts for its function.
"""

from __future__ import annotations

import socket

from . import frames

READ_BYTES = 16 * 1024


class Incoming:
    """The frames on `channel`, which blocks."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._read = b""

    def next(self) -> tuple[int, int, bytes] | None:
        """The type, request number and body of the next frame; None when the other side is gone."""
        while len(self._read) < frames.HEADER.size:
            piece = self._channel.recv(READ_BYTES)
            if not piece:
                return None
            self._read += piece
        length, kind, request, _ = frames.HEADER.unpack_from(self._read)
        start, end = frames.HEADER.size, frames.HEADER.size + length
        read, self._read = self._read, self._read[end:]
        body = read[start:end] if len(read) >= end else self._rest(read, start, length)
        return None if body is None else (kind, request, body)

    def _rest(self, read: bytes, start: int, length: int) -> bytes | None:
        """A body of which only the first part was read; None when the other side is gone."""
        body = bytearray(length)
        got = len(read) - start
        body[:got] = memoryview(read)[start:]
        with memoryview(body) as view:
            while got < length:
                count = self._channel.recv_into(view[got:])
                if not count:
                    return None
                got += count
        return bytes(body)
