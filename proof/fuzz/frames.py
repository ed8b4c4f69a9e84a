"""Fuzzing what an agent may send: the parser of frames, and the channel that believes them.

Promises: the frames found in a stream do not depend on how it was cut; bytes that are no frames raise `Malformed` and
nothing else; a channel that hears anything whatever goes on or says that it is lost, and answers a call at most once.
"""

from __future__ import annotations

import asyncio
import struct
from contextlib import suppress

from hypothesis import strategies as st

from sojourn.agent import frames
from sojourn.channel import Channel
from sojourn.sandbox import Exit, Invocation

from .target import Target

BODY_BYTES_MAX = 256

_small = st.integers(0, 3)
_kinds = st.one_of(st.integers(0, 40), st.integers(0, 255))
_document = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["code", "signal", "signals_sent", "oom", "lost", "parts", "pid", "cause", "message", "x"]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=6,
)


def _json(document: object) -> bytes:
    import json  # noqa: PLC0415 - the standard library's, which also writes what a strict reader refuses

    return json.dumps(document).encode("utf-8", "surrogatepass")


_bodies = st.one_of(
    st.binary(max_size=40),
    _document.map(_json),
    st.integers(1, 3_000).map(lambda depth: b'{"x":' + b"[" * depth),
    st.builds(
        lambda outcome, times, payload: struct.pack(">BQQ", outcome, *times) + payload,
        st.integers(0, 4),
        st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)),
        st.one_of(st.binary(max_size=20), _document.map(_json)),
    ),
)
_frames = st.builds(frames.pack, _kinds, _small, _small, _bodies)
_streams = st.lists(st.one_of(_frames, _frames, st.binary(max_size=20)), max_size=8).map(b"".join)


def check_parser(data: bytes) -> None:
    """At once, byte by byte, and in two halves: the same frames, or the same refusal."""
    whole = _parsed([data])
    for cut in (
        [data[place : place + 1] for place in range(len(data))],
        [data[: len(data) // 2], data[len(data) // 2 :]],
    ):
        if _parsed(cut) != whole:
            raise AssertionError("the frames depend on how the stream is cut")
    for unpack in (frames.unpack_invoke, frames.unpack_result, frames.check_result):
        with suppress(frames.Malformed):
            unpack(data)


def _parsed(pieces: list[bytes]) -> tuple[list[tuple[int, int, int, bytes]], bool]:
    parser, found = frames.Parser(BODY_BYTES_MAX), []
    try:
        for piece in pieces:
            found += parser.feed(piece)
    except frames.Malformed:
        # What came before it in the same piece is not given: the channel ends there anyway.
        return [], True
    return found, False


def check_channel(data: bytes) -> None:
    """A channel with two instances, one of which is busy, hears the bytes."""
    asyncio.run(_hear(data))


async def _hear(data: bytes) -> None:
    lost: list[str] = []
    exits: list[int] = []

    def on_exit(number: int, ended: Exit, lost: bool) -> None:  # noqa: FBT001 - the channel's form
        del ended, lost
        exits.append(number)

    channel = Channel(on_exit, lost.append)
    made = channel.create(1, b"{}")
    answer = channel.invoke(2, Invocation(request_id="r", payload=b"p"), lambda *_: None)
    channel.data_received(data)
    await asyncio.sleep(0)
    if channel.open == bool(lost):
        raise AssertionError("a channel is open, or says once that it is lost")
    channel.close()
    channel.fail()
    await asyncio.sleep(0)
    if not made.done() or not answer.done():
        raise AssertionError("somebody waits for a channel that is gone")
    with suppress(Exception):
        answer.result()
    if not channel.hello.done():
        channel.hello.cancel()
    with suppress(Exception, asyncio.CancelledError):
        channel.hello.result()


TARGETS = (
    Target("frames", _streams, check_parser, bytes=True),
    Target("channel", _streams, check_channel, bytes=True),
)
