"""The bounded output of an attempt."""

from __future__ import annotations

import random

from sojourn.output import HEAD_BYTES_MAX, TAIL_BYTES_MAX, Output
from sojourn.store import Log

BOUND = HEAD_BYTES_MAX + TAIL_BYTES_MAX


def test_silence_is_no_log() -> None:
    """An attempt that wrote nothing leaves no row."""
    output = Output()
    output.write(b"")

    assert output.log(1) is None


def test_a_little_text_is_kept_whole() -> None:
    """Piece after piece, under the attempt's number."""
    output = Output()
    output.write(b"one\n")
    output.write(b"two\n")

    assert output.log(3) == Log(3, b"one\ntwo\n")


def test_text_up_to_the_bound_is_kept_whole_and_one_byte_more_makes_the_hole() -> None:
    """The first and the last part are kept; the byte between them is counted."""
    text = random.Random(1).randbytes(BOUND)
    output = Output()
    output.write(text)
    assert output.log(1) == Log(1, text[:HEAD_BYTES_MAX], text[HEAD_BYTES_MAX:])

    output.write(b"!")

    assert output.log(1) == Log(1, text[:HEAD_BYTES_MAX], text[HEAD_BYTES_MAX + 1 :] + b"!", 1)


def test_a_flood_costs_no_more_than_the_bound_and_no_byte_is_unaccounted() -> None:
    """However the flood is cut into pieces: head + hole + tail is all of it."""
    chance = random.Random(2)
    flood = chance.randbytes(1_000_000)
    output, sent = Output(), 0
    while sent < len(flood):
        size = chance.choice((0, 1, 100, 70_000))
        output.write(flood[sent : sent + size])
        sent += size
        assert len(output._head) + len(output._tail) <= BOUND

    log = output.log(1)

    assert log is not None
    assert (log.head, log.tail) == (flood[:HEAD_BYTES_MAX], flood[-TAIL_BYTES_MAX:])
    assert log.dropped == len(flood) - BOUND


def test_what_was_dropped_on_the_way_is_counted_and_nothing_is_glued_across_the_hole() -> None:
    """Text after a hole goes behind it, even while the head has room."""
    output = Output()
    output.write(b"before")
    output.write(b"after", 1_000)
    output.write(b" more")

    assert output.log(1) == Log(1, b"before", b"after more", 1_000)


def test_a_hole_alone_is_told() -> None:
    """Nothing kept, something lost: that is a log."""
    output = Output()
    output.write(b"", 5)

    assert output.log(1) == Log(1, b"", b"", 5)
