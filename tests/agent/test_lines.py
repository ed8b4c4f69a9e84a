"""Whose line is it, when several executions share a pipe."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from sojourn.agent import lines as module
from sojourn.agent.lines import Lines


class Sorted:
    """A sorter and what it passed on."""

    def __init__(self, running: dict[int, bytes]) -> None:
        self.pieces: dict[int, bytes] = {}
        self.dropped: dict[int, int] = {}
        self.lines = Lines(running, self._take)

    def _take(self, request: int, dropped: int, piece: bytes) -> None:
        self.pieces[request] = self.pieces.get(request, b"") + piece
        self.dropped[request] = self.dropped.get(request, 0) + dropped


def test_a_line_with_an_id_is_for_that_one_any_other_for_all() -> None:
    """Order is kept, and the beginning of a line waits for its end or for a flush."""
    found = Sorted({1: b"1-aa", 2: b"1-bb"})
    found.lines.take(0, b"all\nfor 1-aa\nfor 1-b")
    found.lines.take(0, b"b\nfor 1-aa and 1-bb\nend")
    assert found.pieces == {1: b"all\nfor 1-aa\nfor 1-aa and 1-bb\n", 2: b"all\nfor 1-bb\nfor 1-aa and 1-bb\n"}
    found.lines.flush()
    found.lines.flush()

    assert found.pieces[1].endswith(b"1-bb\nend")
    assert found.pieces[2].endswith(b"1-bb\nend")


@given(st.lists(st.sampled_from([b"x", b"1-aa", b"\n", b"1-", b"bb"]), max_size=30), st.lists(st.integers(0, 60)))
def test_however_it_is_cut_nothing_is_lost(words: list[bytes], cuts: list[int]) -> None:
    """Every line reaches somebody, whole and once."""
    text = b"".join(words)
    found = Sorted({1: b"1-aa", 2: b"1-bb"})
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    for start, end in itertools.pairwise(places):
        found.lines.take(0, text[start:end])
    found.lines.flush()
    expected = {
        1: b"".join(one for one in text.splitlines(keepends=True) if b"1-aa" in one or b"1-bb" not in one),
        2: b"".join(one for one in text.splitlines(keepends=True) if b"1-bb" in one or b"1-aa" not in one),
    }

    assert {request: piece for request, piece in expected.items() if piece} == found.pieces


def test_copies_are_bounded_and_counted() -> None:
    """What would be copied past the allowance is dropped for everyone, with a count, like what was dropped before."""
    found = Sorted({request: b"1-%05d" % request for request in range(200)})
    line = b"x" * 60_000 + b"\n"
    for _ in range(10):
        found.lines.take(0, line)
    found.lines.take(7, b"1-00003\n")

    copied = sum(len(piece) for piece in found.pieces.values())
    assert copied <= module.COPIES_BYTES_MAX * 1.5 + 100
    assert found.dropped[5] + len(found.pieces[5]) == 10 * len(line) + 7
    assert found.pieces[3].endswith(b"1-00003\n")
