"""Logs without the lines that frame their sections: what the function itself wrote."""

from __future__ import annotations

import re

_LINE = re.compile(rb"^FC \w+ (?:Start|End) RequestId: .*\n", re.MULTILINE)


def lines_of(log: bytes) -> list[bytes]:
    """The lines that frame sections, each with its end."""
    return _LINE.findall(log)


def words_of(log: bytes) -> bytes:
    """All but those lines; the function's last line has its end."""
    return _LINE.sub(b"", log)


def said(log: str) -> str:
    """The same for text."""
    return words_of(log.encode()).decode()
