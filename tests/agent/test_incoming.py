"""Frames as an instance takes them: however they were cut, and whatever their size."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from sojourn.agent import frames
from sojourn.agent.incoming import READ_BYTES, Incoming

SIZES = (0, 1, READ_BYTES - frames.HEADER.size, READ_BYTES - frames.HEADER.size + 1, 5 * READ_BYTES)


@pytest.fixture(name="pair")
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize("cut", [1, 7, READ_BYTES, 1 << 20])
def test_frames_come_whole_and_in_order(pair: tuple[socket.socket, socket.socket], cut: int) -> None:
    """Small and large ones, sent in pieces of any size, also with the next one behind."""
    ours, theirs = pair
    sent = [(frames.INVOKE, number, bytes([number]) * size) for number, size in enumerate(SIZES)]
    stream = b"".join(frames.pack(kind, number, 9, body) for kind, number, body in sent)
    if cut < READ_BYTES:
        sent, stream = sent[:2], b"".join(frames.pack(kind, number, 9, body) for kind, number, body in sent[:2])

    def send() -> None:
        for start in range(0, len(stream), cut):
            ours.sendall(stream[start : start + cut])
        ours.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    incoming = Incoming(theirs)
    found = []
    while (frame := incoming.next()) is not None:
        found.append(frame)
    sender.join()

    assert found == sent


@pytest.mark.parametrize("left", [1, frames.HEADER.size, frames.HEADER.size + 10, READ_BYTES + 100])
def test_an_end_in_the_middle_is_the_end(pair: tuple[socket.socket, socket.socket], left: int) -> None:
    """Nothing half is handed out."""
    ours, theirs = pair
    ours.sendall(frames.pack(frames.INVOKE, 1, 9, b"x" * 3 * READ_BYTES)[:left])
    ours.close()

    assert Incoming(theirs).next() is None
