"""Frames: any cut of a stream gives the same frames, and no garbage gives more than an error."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.agent import frames

FRAMES = st.tuples(st.integers(0, 255), st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.binary(max_size=300))


def _fed(pieces: list[bytes], bound: int = frames.BODY_BYTES_MAX) -> list[tuple[int, int, int, bytes]]:
    parser = frames.Parser(bound)
    return [frame for piece in pieces for frame in parser.feed(piece)]


@given(st.lists(FRAMES, max_size=8), st.lists(st.integers(0, 3000), max_size=20))
def test_any_cut_gives_the_same_frames(said: list[tuple[int, int, int, bytes]], cuts: list[int]) -> None:
    """Frames come out as they were packed, in order, however the bytes were cut."""
    data = b"".join(frames.pack(kind, request, number, body) for kind, request, number, body in said)
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    pieces = [data[start:end] for start, end in itertools.pairwise(places)]

    assert _fed(pieces) == said


@given(st.lists(FRAMES, max_size=4))
def test_byte_by_byte(said: list[tuple[int, int, int, bytes]]) -> None:
    """The finest cut of all."""
    data = b"".join(frames.pack(*frame) for frame in said)

    assert _fed([data[place : place + 1] for place in range(len(data))]) == said


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_garbage_is_frames_or_malformed(pieces: list[bytes]) -> None:
    """Whatever comes in, nothing over the bound comes out, and the only error is `Malformed`."""
    try:
        found = _fed(pieces, bound=1000)
    except frames.Malformed:
        return

    assert all(len(body) <= 1000 for *_, body in found)


def test_a_body_over_the_bound_is_refused_by_its_header() -> None:
    """Nothing of an announced giant is waited for."""
    with pytest.raises(frames.Malformed, match="at most 10"):
        frames.Parser(10).feed(frames.HEADER.pack(11, 1, 0, 0))


@given(
    st.text(max_size=40),
    st.integers(0, 2**30 - 1),
    st.integers(0, 2**64 - 1),
    st.binary(max_size=100),
    st.binary(max_size=100),
)
def test_an_invoke_is_read_as_it_was_written(
    request_id: str, retry: int, deadline_at: int, payload: bytes, checkpoint: bytes
) -> None:
    """Request id, retry count, deadline, payload and checkpoint survive."""
    encoded = request_id.encode("utf-8", "replace")
    frame = frames.pack_invoke(7, 8, encoded, retry, deadline_at, payload, checkpoint)
    ((kind, request, number, body),) = _fed([frame])

    assert (kind, request, number) == (frames.INVOKE, 7, 8)
    assert frames.unpack_invoke(body) == (encoded.decode(), retry, deadline_at, payload)
    assert frames.checkpoint_of(body) == checkpoint


@given(st.binary(max_size=40))
def test_a_result_is_read_or_malformed(body: bytes) -> None:
    """A body that is too short or has an unknown outcome is refused."""
    if len(body) >= frames.RESULT_HEAD.size and body[0] <= frames.HANDLED:
        assert frames.unpack_result(body)[3] == body[frames.RESULT_HEAD.size :]
    else:
        with pytest.raises(frames.Malformed):
            frames.unpack_result(body)


def test_a_result_is_read_as_it_was_written() -> None:
    """Outcome, duration, peak and payload survive."""
    ((kind, request, _, body),) = _fed([frames.pack_result(5, frames.HANDLED, 123, 456, b"x")])

    assert (kind, request) == (frames.RESULT, 5)
    assert frames.unpack_result(body) == (frames.HANDLED, 123, 456, b"x")


@given(st.integers(0, 5), st.integers(0, 2**64 - 1), st.binary(max_size=60))
def test_a_hooked_has_the_form_of_a_result(outcome: int, duration_us: int, document: bytes) -> None:
    """An instance may say what a RESULT may say; only the agent adds that the time was over."""
    ((kind, request, _, body),) = _fed([frames.pack_hooked(5, outcome, duration_us, 7, document)])

    assert (kind, request) == (frames.HOOKED, 5)
    if outcome <= frames.TIMED_OUT:
        assert frames.unpack_hooked(body) == (outcome, duration_us, 7, document)
    else:
        with pytest.raises(frames.Malformed):
            frames.unpack_hooked(body)
    if outcome > frames.HANDLED:
        with pytest.raises(frames.Malformed):
            frames.check_result(body)
