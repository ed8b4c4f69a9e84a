"""What is kept of a comparison, as JSON: the machine, the rows with their targets, what each peer did each round."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from bench.load import ROOT
from bench.machine import Machine
from bench.row import Row

import sojourn
from bench import document

from .figures import rows

FORMAT = 1
"""Counted up when a field changes its meaning."""
LATEST = ROOT / "bench" / "results" / "peers.json"
BASELINE = ROOT / "bench" / "baseline-peers.json"
Turns = dict[str, list[dict[str, Any]]]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison. `quick` says that its figures mean nothing; `peers` has what each did in each round."""

    format: int
    sojourn: str
    at: str
    quick: bool
    machine: Machine
    options: dict[str, int]
    rows: list[Row]
    peers: Turns


def comparison(on: Machine, options: dict[str, int], turns: Turns, *, quick: bool) -> Comparison:
    """Everything that is kept of a comparison."""
    return Comparison(
        format=FORMAT,
        sojourn=sojourn.__version__,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        quick=quick,
        machine=on,
        options=options,
        rows=rows(turns),
        peers=turns,
    )


def load(path: Path) -> Comparison:
    """The comparison that was kept at `path`; `NotMeasured` as `document.read` raises it."""
    return document.read(path, Comparison, FORMAT, "comparison with peers")


def kept() -> Comparison | None:
    """The repository's comparison, if it has one."""
    return load(BASELINE) if BASELINE.exists() else None
