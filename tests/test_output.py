"""The bounded output of an attempt."""

from __future__ import annotations

import random

from sojourn.output import (
    HEAD_BYTES_MAX,
    INITIALIZE,
    INVOKE,
    PRE_STOP,
    TAIL_BYTES_MAX,
    UNHANDLED_ERROR,
    Output,
    canceled_error,
)
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


def text(output: Output) -> bytes:
    """All that was kept."""
    log = output.log(1)
    return b"" if log is None else log.head + log.tail


def test_a_section_stands_between_its_lines() -> None:
    """What is written in it is framed, and a last line without its end gets one."""
    output = Output()
    output.begin(INVOKE, "1-a")
    output.write(b"no end of line")
    output.end()

    assert text(output) == b"FC Invoke Start RequestId: 1-a\nno end of line\nFC Invoke End RequestId: 1-a\n"


def test_a_section_says_what_it_ended_in() -> None:
    """The error stands on the last line."""
    output = Output()
    output.begin(PRE_STOP, "1-a")
    output.end(UNHANDLED_ERROR)

    assert text(output) == (
        b"FC PreStop Start RequestId: 1-a\nFC PreStop End RequestId: 1-a, Error: Unhandled function error\n"
    )


def test_a_quiet_section_in_which_nothing_is_written_leaves_no_log() -> None:
    """A silent task costs no row."""
    output = Output()
    output.begin(INVOKE, "1-a", quiet=True)
    output.end()

    assert output.log(1) is None


def test_a_quiet_section_is_told_when_something_is_written_or_fails() -> None:
    """Its first line comes before the first word."""
    wrote, failed = Output(), Output()
    wrote.begin(INVOKE, "1-a", quiet=True)
    wrote.write(b"word\n")
    wrote.end()
    failed.begin(INVOKE, "1-a", quiet=True)
    failed.end(UNHANDLED_ERROR)

    assert text(wrote) == b"FC Invoke Start RequestId: 1-a\nword\nFC Invoke End RequestId: 1-a\n"
    assert text(failed).startswith(b"FC Invoke Start RequestId: 1-a\nFC Invoke End RequestId: 1-a, Error: ")


def test_sections_do_not_nest() -> None:
    """A section that begins ends the one before, and ending twice is ending once."""
    output = Output()
    output.begin(INITIALIZE, "1-a")
    output.begin(INVOKE, "1-a")
    output.end()
    output.end()

    assert [line.split()[1:3] for line in text(output).splitlines()] == [
        [b"Initialize", b"Start"],
        [b"Initialize", b"End"],
        [b"Invoke", b"Start"],
        [b"Invoke", b"End"],
    ]


def test_no_line_of_a_section_falls_into_the_hole() -> None:
    """Floods in and after a section leave its lines, and every byte is kept or counted."""
    chance = random.Random(3)
    output, written = Output(), 0
    for name in (INITIALIZE, INVOKE, PRE_STOP):
        output.begin(name, "1-a")
        for _ in range(40):
            size = chance.choice((1, 1_000, 20_000, 70_000))
            output.write(b"x" * size)
            written += size
        output.end("late" if name == INVOKE else "")

    log = output.log(1)

    assert log is not None
    lines = [line for line in (log.head + b"\n" + log.tail).split(b"\n") if line.startswith(b"FC ")]
    assert [line.split()[1:3] for line in lines] == [
        [name, what] for name in (b"Initialize", b"Invoke", b"PreStop") for what in (b"Start", b"End")
    ]
    assert lines[3].endswith(b", Error: late")
    assert len(log.head) + len(log.tail) < BOUND + 1_000
    frames = sum(len(line) + 1 for line in lines) + 3  # and the end of each section's last line
    assert len(log.head) + len(log.tail) + log.dropped == written + frames


def test_the_error_of_a_stop_tells_time_and_memory() -> None:
    """In the words of Function Compute."""
    assert canceled_error(1_234_567, 3 * 1024 * 1024) == (
        "Invocation canceled by client (duration: 1234.57ms, maxMemoryUsage: 3.00MB)"
    )
