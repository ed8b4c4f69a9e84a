"""What is shown and kept of a run: the machine, the table, the JSON document."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import apsw
import msgspec

import sojourn

from .round import Options, Round
from .rows import Row
from .yardsticks import MEMORY_FILE_SYSTEMS, file_system

FORMAT = 1
"""Counted up when a field of the document changes its meaning."""
LIBRARIES = ("uvicorn", "uvloop", "httptools", "apsw")


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where it ran."""

    cpu: str
    cores: int
    load_average: float
    memory_mb: int
    kernel: str
    python: str
    sqlite: str
    libraries: dict[str, str]
    disk: str
    durable_disk: bool


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """The whole result; `kept` tells whether every floor is."""

    format: int
    sojourn: str
    at: str
    machine: Machine
    isolation: str
    options: dict[str, object]
    rows: list[dict[str, object]]
    kept: bool


def machine(directory: Path) -> Machine:
    """The machine this runs on, with the file system of `directory`."""
    kind = file_system(directory)
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        load_average=os.getloadavg()[0],
        memory_mb=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20,
        kernel=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        sqlite=apsw.sqlite_lib_version(),
        libraries={name: version(name) for name in LIBRARIES},
        disk=kind or "unknown",
        durable_disk=kind not in MEMORY_FILE_SYSTEMS,
    )


def document(on: Machine, options: Options, rounds: Sequence[Round], rows: Sequence[Row]) -> Document:
    """Everything that is kept of a run."""
    shown = {name: value for name, value in msgspec.structs.asdict(options).items() if name != "directory"}
    return Document(
        format=FORMAT,
        sojourn=sojourn.__version__,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=on,
        isolation=rounds[0].isolation,
        options=shown,
        rows=[{**msgspec.structs.asdict(row), "kept": row.kept} for row in rows],
        kept=all(row.kept is not False for row in rows),
    )


def write(result: Document, path: Path) -> None:
    """Keep `result` at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")


def head(on: Machine) -> str:
    """The machine in three lines."""
    libraries = " · ".join(f"{name} {text}" for name, text in on.libraries.items())
    return (
        f"{on.cpu} · {on.cores} cores · {on.memory_mb} MiB · load average {on.load_average:.2f}\n"
        f"{on.kernel} · {on.python} · SQLite {on.sqlite} · data on {on.disk}\n{libraries}"
    )


def table(rows: Sequence[Row]) -> str:
    """The rows as text: name, median, all runs, floor."""
    lines = [("", "median", "unit", "runs", "floor", "")]
    for row in rows:
        runs = " ".join(_number(each) for each in row.runs)
        lines.append((row.name, _number(row.median), row.unit, runs, _floor(row), row.note))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(_line(line, widths) for line in lines)


def _line(cells: tuple[str, ...], widths: Sequence[int]) -> str:
    name, median, *others = cells
    shown = [name.ljust(widths[0]), median.rjust(widths[1])]
    shown += [cell.ljust(width) for cell, width in zip(others, widths[2:], strict=True)]
    return "  ".join(shown).rstrip()


def _floor(row: Row) -> str:
    if row.kept is None:
        return ""
    sign, bound = ("≥", row.at_least) if row.at_least is not None else ("≤", row.at_most or 0.0)
    return f"{sign} {_number(bound)} {'kept' if row.kept else 'MISSED'}"


def _number(value: float) -> str:
    """Three digits that count."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
