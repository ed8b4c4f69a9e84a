"""The kit's checks as the tables of `docs/compat.md`: what is checked, where it applies, and how it was established.

Pure; `docs/diagrams.py` puts the text into the page, and a test compares.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from .check import ALL, Check
from .generations import GENERATIONS

HEAD = "| assertion | behaviour | generations | origin |\n|---|---|---|---|\n"


def tables(checks: Sequence[Check]) -> str:
    """A table for each noun, in the order of the alphabet, with a count for each generation above them."""
    ordered = sorted(checks, key=lambda check: check.nouns[0])
    text = ", ".join(f"{len(_in(checks, version))} in {version}" for version in reversed(ALL))
    parts = [f"{len(checks)} assertions: {text}.\n"]
    for noun, some in groupby(ordered, key=lambda check: check.nouns[0]):
        parts.append(f"\n### {noun}\n\n{HEAD}" + "".join(_row(check) for check in some))
    return "".join(parts)


def _in(checks: Sequence[Check], version: str) -> list[Check]:
    return [check for check in checks if not check.missing(version, GENERATIONS[version].has)]


def _row(check: Check) -> str:
    versions = [version for version in reversed(ALL) if _in([check], version)]
    where = "all" if len(versions) == len(ALL) else ", ".join(versions)
    sources = {version: check.sources[version].value for version in versions}
    origin = check.origin if len(set(sources.values())) > 1 else next(iter(sources.values()))
    slow = " (`--slow`)" if check.slow else ""
    return f"| `{check.id}`{slow} | {check.sentence.replace('|', chr(92) + '|')} | {where} | {origin} |\n"
