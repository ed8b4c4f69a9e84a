"""What is kept of a run: the machine, the rows, the curves, as JSON; and an earlier one to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

import sojourn

from .failure import NotMeasured
from .load import ROOT
from .machine import Machine
from .options import Options
from .row import Row, Verdict
from .run import Part

FORMAT = 2
"""Counted up when a field of the document changes its meaning."""
LATEST = ROOT / "bench" / "results" / "latest.json"
BASELINE = ROOT / "bench" / "baseline.json"


class Kept(Protocol):
    """What is kept says its format."""

    @property
    def format(self) -> int:
        """A number that changes with its fields."""
        ...


K = TypeVar("K", bound=Kept)


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A whole result. `quick` says that its figures mean nothing; `points` are the curves, by name."""

    format: int
    sojourn: str
    at: str
    quick: bool
    seconds: float
    machine: Machine
    options: dict[str, object]
    groups: dict[str, float]
    rows: list[Row]
    points: dict[str, list[tuple[float, float]]] = {}

    def having(self, *verdicts: Verdict) -> list[Row]:
        """The rows that were judged so."""
        return [row for row in self.rows if row.verdict in verdicts]


def document(on: Machine, options: Options, parts: Sequence[Part]) -> Document:
    """Everything that is kept of a run."""
    kept = {name: value for name, value in msgspec.structs.asdict(options).items() if name != "directory"}
    shown: dict[str, object] = msgspec.json.decode(msgspec.json.encode(kept))
    return Document(
        format=FORMAT,
        sojourn=sojourn.__version__,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        quick=options.quick,
        seconds=round(sum(part.seconds for part in parts), 1),
        machine=on,
        options=shown,
        groups={part.name: round(part.seconds, 1) for part in parts},
        rows=[row for part in parts for row in part.rows],
        points={name: points for part in parts for name, points in part.points.items()},
    )


def write(result: msgspec.Struct, path: Path) -> None:
    """Keep `result` at `path`; a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    fresh.replace(path)


def load(path: Path) -> Document:
    """The result that was kept at `path`; `NotMeasured` as `read` raises it."""
    return read(path, Document, FORMAT, "result of this benchmark")


def read(path: Path, kind: type[K], form: int, what: str) -> K:
    """What was kept at `path`: a `kind`, whose format is `form`, called `what`.

    Raises
    ------
    NotMeasured: there is none, or its format is another one.

    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise NotMeasured(f"{path} cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise NotMeasured(f"{path} is no {what}: {error}") from error
    if found.format != form:
        raise NotMeasured(f"{path} has the format {found.format}, here it is {form}")
    return found
