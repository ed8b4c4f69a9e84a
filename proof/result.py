"""What a part of the proof is asked for and what it comes to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a part is run.

    `share` scales every count: 1.0 is what CI runs, more is for nights, and a few thousandths show only that the part
    works. `seconds` is what each fuzz target gets. `seed` begins every random choice. `directory` is for data; loss of
    power is simulated in it, so it may lie in memory. `minutes`, where it is given, is how long parts last that load a
    server, `store` the entry point of its store, `sandbox` its isolation, "" for the strongest one that works.
    """

    share: float = 1.0
    seconds: float = 3.0
    seed: int = 1
    directory: Path
    minutes: float = 0.0
    store: str = "sqlite"
    sandbox: str = ""

    def count(self, at_ci: int, least: int = 1) -> int:
        """`at_ci` as this scale has it."""
        return max(round(at_ci * self.share), least)


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a part came to: one line to compare with later runs, and what to know when it is not `ok`."""

    line: str
    ok: bool
    details: tuple[str, ...] = ()


Run = Callable[[Scale], Result]
