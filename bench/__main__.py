"""`python -m bench`: measure Sojourn beside its yardsticks, print a table, keep a JSON document.

Exit status 0 when every floor is kept (or nobody asked), 1 when one is missed, 2 when it could not be measured.
"""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from pathlib import Path

import msgspec

from . import report
from .life import measure_life
from .life_rows import life_rows
from .load import ROOT
from .measures import measure
from .round import Options
from .rows import rows
from .served import NotMeasured

LATEST = ROOT / "bench" / "results" / "latest.json"
QUICK = {
    "rounds": 1,
    "connections": 8,
    "instances": 4,
    "tasks": 100,
    "bare_requests": 500,
    "single_tasks": 5,
    "cold_instances": 2,
    "cold_sandboxes": 1,
    "disk_samples": 20,
    "idle_seconds": 0.2,
    "freezes": 3,
    "stops": 2,
    "initialized_tasks": 3,
    "crowd": 3,
    "queued": 100,
    "first_tasks": 2,
}
"""A smoke run: everything once and a little of it. Its figures mean nothing, so they are not kept as the latest."""


def main() -> int:
    """Run the benchmark; returns the exit status."""
    arguments = _arguments()
    directory = arguments.dir
    directory.mkdir(parents=True, exist_ok=True)
    given = {name: value for name, value in vars(arguments).items() if name in QUICK and value is not None}
    options = Options(directory=directory, sandbox=arguments.sandbox, **((QUICK if arguments.quick else {}) | given))
    machine = report.machine(directory)
    print(report.head(machine), flush=True)
    if not machine.durable_disk:
        _warn(f"{directory} is on {machine.disk}, which no fdatasync reaches: choose a disk with --dir")
    rounds = []
    try:
        for number in range(options.rounds):
            say = partial(_say, f"round {number + 1} of {options.rounds}")
            rounds += [measure(options, say)]
        life = measure_life(options, partial(_say, "lives"))
    except NotMeasured as error:
        _warn(f"not measured: {error}")
        return 2
    table = [*rows(rounds), *life_rows(life)]
    result = report.document(machine, options, rounds, table)
    print(f"\nisolation {result.isolation}\n\n{report.table(table)}")
    for path in (None if arguments.quick else LATEST, arguments.json):
        if path is not None:
            report.write(result, path)
    if not result.kept:
        print("\na floor is missed")
    return 0 if result.kept or arguments.no_floors else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Sojourn beside its yardsticks.")
    default = Path(os.environ.get("TMPDIR") or ROOT / "build") / "bench"
    parser.add_argument("--dir", type=Path, default=default, help="where data goes; must be a real disk [%(default)s]")
    parser.add_argument(
        "--json",
        type=Path,
        help=f"keep the document here too; it is always kept in {LATEST.relative_to(ROOT)}, but not with --quick",
    )
    parser.add_argument("--quick", action="store_true", help="a smoke run of a few seconds; its figures mean nothing")
    parser.add_argument("--no-floors", action="store_true", help="exit 0 even when a floor is missed")
    parser.add_argument("--sandbox", default="auto", choices=("auto", "bubblewrap", "process"))
    for field in msgspec.structs.fields(Options):
        if field.name in QUICK:
            flag = f"--{field.name.replace('_', '-')}"
            kind = _seconds if isinstance(field.default, float) else _count
            parser.add_argument(flag, type=kind, help=f"[{field.default}]")
    return parser.parse_args()


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 up, got {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, got {text!r}")
    return seconds


def _say(where: str, what: str) -> None:
    print(f"{where}: {what}", flush=True)


def _warn(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
