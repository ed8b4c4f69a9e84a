"""What is kept of a comparison, as JSON: the machine, the rows with their targets, what each peer did each round."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from bench.failure import NotMeasured
from bench.load import ROOT
from bench.machine import Machine
from bench.row import Row

import sojourn

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


def write(result: Comparison, path: Path) -> None:
    """Keep `result` at `path`; a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    fresh.replace(path)


def load(path: Path) -> Comparison:
    """The comparison that was kept at `path`.

    Raises
    ------
    NotMeasured: there is none, or its format is another one.

    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Comparison)
    except OSError as error:
        raise NotMeasured(f"{path} cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise NotMeasured(f"{path} is no comparison with peers: {error}") from error
    if found.format != FORMAT:
        raise NotMeasured(f"{path} has the format {found.format}, here it is {FORMAT}")
    return found


def kept() -> Comparison | None:
    """The repository's comparison, if it has one."""
    return load(BASELINE) if BASELINE.exists() else None
