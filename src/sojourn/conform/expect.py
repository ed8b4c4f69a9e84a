"""What was expected, and what was seen instead."""

from __future__ import annotations

from collections.abc import Collection

SHOWN_CHARACTERS_MAX = 300


class Differs(Exception):
    """The endpoint does something else.

    Parameters
    ----------
    expected, seen: for people, short.

    """

    def __init__(self, expected: object, seen: object) -> None:
        self.expected, self.seen = short(expected), short(seen)
        super().__init__(f"expected {self.expected}, seen {self.seen}")


def same(what: str, expected: object, seen: object) -> None:
    """`what` must be `expected`."""
    if seen != expected or type(seen) is bool is not type(expected):
        raise Differs(f"{what}: {shown(expected)}", shown(seen))


def member(what: str, expected: Collection[object], seen: object) -> None:
    """`what` must be one of several things."""
    if seen not in expected:
        raise Differs(f"{what}: one of {', '.join(map(shown, expected))}", shown(seen))


def holds(what: str, truth: object, seen: object) -> None:
    """`what` must be true; `seen` is what it was judged by."""
    if not truth:
        raise Differs(what, shown(seen))


def shown(value: object) -> str:
    """A value for people: text as it is, the rest as Python writes it."""
    if isinstance(value, bytes):
        value = value[:SHOWN_CHARACTERS_MAX].decode("utf-8", "replace")
    return value if isinstance(value, str) and value else repr(value)


def short(value: object) -> str:
    """`value` as one line that fits a cell."""
    text = " ".join(str(value).split())
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]}…"
