"""Fuzzing the log of an attempt: sections, pieces and gaps in any order, kept, rendered and followed.

Promises: what listeners hear is what a few plain rules make of it; what is kept is bounded, begins and ends as the
whole did, and counts every byte that it lacks; the lines that frame a section stay whatever a function writes; a
follower that comes at any moment and reads at any other gets the text without a loss; nothing that is shown moves a
cursor.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from sojourn.cli.display import CELL_CHARACTERS_MAX, plain
from sojourn.logs import Unread, in_a_row
from sojourn.output import FRAMES_MAX, HEAD_BYTES_MAX, INITIALIZE, INVOKE, PRE_STOP, TAIL_BYTES_MAX, Output, whole

from .target import Target

_FOLLOWED_BYTES_MAX = 200_000
"""More than that between two looks, and a follower is told of a gap."""
_MARK_CHARACTERS_MAX = 60
"""What stands behind a text that was cut."""

_sizes = st.one_of(st.integers(0, 3), st.sampled_from([100, 16_000, 40_000, 70_000]))
_words = st.sampled_from(
    [b"x", b"\n", b"line\n", b"FC Invoke End RequestId: 1-a\n", b"\x1b[2J", b"\xff\xfe", "ü\r".encode()]
)
_writes = st.tuples(
    st.just("write"), _words, _sizes, st.one_of(st.just(0), st.just(0), st.integers(0, 1_000))
)  # a word, over and over again for so many bytes, after so many that nobody has
_begins = st.tuples(
    st.just("begin"), st.sampled_from([INITIALIZE, INVOKE, PRE_STOP]), st.sampled_from(["1-a", "1-b"]), st.booleans()
)
_ends = st.tuples(st.just("end"), st.sampled_from(["", "Unhandled function error"]))
_looks = st.tuples(st.just("look"))
_steps = st.lists(st.one_of(_writes, _writes, _begins, _ends, _looks), max_size=14)


class Rules:
    """What an output is told, written down by its rules: `text` without any bound, `lines` that frame sections."""

    def __init__(self) -> None:
        self.text = bytearray()
        self.followed = bytearray()
        self.lines: list[bytes] = []
        self.dropped = 0
        self._section: tuple[str, str] | None = None
        self._silent = False

    def begin(self, name: str, request_id: str, quiet: bool) -> None:  # noqa: FBT001 - a step's own form
        """A section begins, and one that is open ends."""
        self.end("")
        self._section, self._silent = (name, request_id), True
        if not quiet:
            self._announce()

    def end(self, error: str) -> None:
        """The open section ends."""
        if self._section is None:
            return
        if error:
            self._announce()
        if not self._silent:
            self._line("End", f", Error: {error}" if error else "")
        self._section, self._silent = None, False

    def write(self, piece: bytes, dropped: int) -> None:
        """A piece after so many bytes that nobody has."""
        if not piece and not dropped:
            return
        self._announce()
        self.dropped += dropped
        self._add(piece, b"\n... %d bytes dropped ...\n" % dropped if dropped else b"")

    def _announce(self) -> None:
        if self._section is not None and self._silent:
            self._silent = False
            self._line("Start", "")

    def _line(self, what: str, error: str) -> None:
        assert self._section is not None  # noqa: S101 - the callers have looked
        name, request_id = self._section
        line = f"FC {name} {what} RequestId: {request_id}{error}\n".encode()
        self.lines.append(line)
        self._add(line if not self.text or self.text.endswith(b"\n") else b"\n" + line, b"")

    def _add(self, piece: bytes, before: bytes) -> None:
        self.text += piece
        self.followed += before + piece


def check_log(steps: Sequence[tuple[Any, ...]]) -> None:
    """Take the steps, with a follower from the first look on."""
    output, rules = Output(), Rules()
    heard = bytearray()
    output.listen(lambda piece, _: heard.extend(piece))
    follower: Unread | None = None
    expected, since = b"", 0
    for name, *arguments in steps:
        if name == "look":
            if follower is None:
                follower = Unread(output, lambda: None)
                so_far = output.log(1)
                expected, since = whole(so_far) if so_far is not None else b"", len(rules.followed)
            _check_followed(follower, expected + rules.followed[since:])
            expected, since = b"", len(rules.followed)
        elif name == "begin":
            output.begin(arguments[0], arguments[1], quiet=arguments[2])
            rules.begin(*arguments)
        elif name == "end":
            output.end(*arguments)
            rules.end(*arguments)
        else:
            word, size, dropped = arguments
            piece = (word * (size // len(word) + 1))[:size]
            output.write(piece, dropped)
            rules.write(piece, dropped)
    if heard != rules.text:
        raise AssertionError("listeners do not hear what was written")
    if follower is not None:
        _check_followed(follower, expected + rules.followed[since:])
        follower.close()
    _check_kept(output, rules)


def _check_followed(follower: Unread, expected: bytes) -> None:
    taken = follower.take()
    if len(expected) <= _FOLLOWED_BYTES_MAX and taken != expected:
        raise AssertionError(f"a follower gets {len(taken)} bytes that are not the {len(expected)} that came")


def _check_kept(output: Output, rules: Rules) -> None:
    """What is kept, and how it is shown."""
    log = output.log(1)
    if log is None:
        if rules.text or rules.dropped:
            raise AssertionError("there is no log of what was written")
        return
    lines = b"".join(rules.lines[-FRAMES_MAX:])
    if len(log.head) > HEAD_BYTES_MAX or len(log.tail) > TAIL_BYTES_MAX + len(lines):
        raise AssertionError(f"{len(log.head)} and {len(log.tail)} bytes are kept")
    if len(log.head) + len(log.tail) + log.dropped != len(rules.text) + rules.dropped:
        raise AssertionError("a byte is neither kept nor counted")
    end = log.tail[max(len(log.tail) - (TAIL_BYTES_MAX - len(lines)), 0) :] if log.dropped else log.tail
    if not rules.text.startswith(log.head) or not rules.text.endswith(end):
        raise AssertionError("it does not begin and end as it was written")
    text, place = whole(log), 0
    for line in rules.lines if len(rules.lines) <= FRAMES_MAX else ():
        found = text.find(line, place)
        if found < 0 or (found and text[found - 1 : found] != b"\n"):
            raise AssertionError(f"the line {line!r} is lost, or stands in another one")
        place = found + len(line)
    if in_a_row([log]) != text:
        raise AssertionError("one attempt is shown with more than it wrote")
    shown = plain(text.decode("utf-8", "replace"))
    if len(shown) > 4 * CELL_CHARACTERS_MAX + _MARK_CHARACTERS_MAX or any(
        unicodedata.category(one) == "Cc" for one in shown
    ):
        raise AssertionError("what is shown is not one bounded line")


TARGETS = (Target("log", _steps, check_log),)
