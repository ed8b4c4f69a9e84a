"""`python -m bench`: measure Sojourn beside its yardsticks, print a table, keep a JSON document and a page.

Exit status: 0 when everything that was asked for was measured and every target is kept, 1 when a target is missed, 2
when something could not be measured. Figures of a smoke run mean nothing, so with `--quick` no target is looked at.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType

import msgspec

from . import document, machine, page, programs, report
from .document import BASELINE, LATEST, Document
from .failure import NotMeasured
from .load import ROOT
from .options import QUICK, Options
from .peers import comparison
from .registry import GROUPS
from .row import Verdict
from .run import run

KEPT, MISSED, INCOMPLETE = 0, 1, 2
FLAGS = {"rounds": "rounds, of which the median counts", "connections": "", "instances": "", "store_tasks": ""}


def main() -> int:
    """Run the benchmark; returns the exit status."""
    signal.signal(signal.SIGTERM, _ended)
    arguments = _arguments()
    given = {name: getattr(arguments, name) for name in FLAGS if getattr(arguments, name) is not None}
    directory: Path = arguments.dir.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    changes = (QUICK if arguments.quick else {}) | given
    options = msgspec.structs.replace(Options(directory=directory, sandbox=arguments.sandbox), **changes)
    try:
        baseline = _baseline(arguments.baseline)
    except NotMeasured as error:
        print(f"bench: {error}", file=sys.stderr)
        return INCOMPLETE
    here = machine.machine(directory)
    print("\n".join(machine.told(here)), flush=True)
    if not here.durable_disk:
        _warn(f"{directory} is on {here.disk}, which no fdatasync reaches: choose a disk with --dir")
    if here.load_average > here.cores / 2:
        _warn(f"the machine is busy (load average {here.load_average}): its figures will say little")
    programs.install()
    names = arguments.groups or list(GROUPS)
    parts = run([GROUPS[name] for name in names], options, lambda what: print(what, flush=True))
    result = document.document(here, options, parts)
    _keep(result, arguments.json, whole=not arguments.groups)
    print(f"\n{report.table(result, baseline)}\n\n{report.verdict(result)}")
    return status(result, judge=not arguments.no_targets)


def status(result: Document, *, judge: bool) -> int:
    """The exit status that a result deserves; `judge` says whether missed targets count."""
    if result.having(Verdict.NOT_MEASURED):
        return INCOMPLETE
    return MISSED if judge and not result.quick and result.having(Verdict.MISSED) else KEPT


def _keep(result: Document, path: Path | None, *, whole: bool) -> None:
    """A whole run is the latest one, and the page shows it; what was asked for by `path` is kept in any case."""
    for place in (LATEST if whole and not result.quick else None, path):
        if place is not None:
            document.write(result, place)
    if whole and not result.quick:
        page.write(result, beside=comparison.kept())


def _baseline(path: Path | None) -> Document | None:
    """What is compared with: the file that was named, or the repository's if it has one."""
    if path is None and not BASELINE.exists():
        return None
    return document.load(path or BASELINE)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Sojourn beside its yardsticks.")
    default = Path(os.environ.get("TMPDIR") or ROOT / "build") / "bench"
    parser.add_argument("groups", nargs="*", type=_group, metavar="GROUP", help=f"of {', '.join(GROUPS)} [all]")
    parser.add_argument("--quick", action="store_true", help="a smoke run; its figures mean nothing")
    parser.add_argument("--dir", type=Path, default=default, help="where data goes; must be a real disk [%(default)s]")
    parser.add_argument("--sandbox", default="auto", choices=("auto", "bubblewrap", "process"))
    parser.add_argument("--baseline", type=Path, help="a result to compare with [bench/baseline.json if it is there]")
    parser.add_argument("--json", type=Path, help="keep the result here too")
    parser.add_argument("--no-targets", action="store_true", help="exit 0 even when a target is missed")
    defaults = Options(directory=default)
    for name, text in FLAGS.items():
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=_count, help=f"{text} [{getattr(defaults, name)}]".strip())
    return parser.parse_args()


def _group(text: str) -> str:
    if text not in GROUPS:
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(GROUPS)}, got {text!r}")
    return text


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 up, got {text!r}")
    return int(text)


def _ended(_signal: int, _frame: FrameType | None) -> None:
    """Told to end: leave through every `with`, so that nothing stays behind."""
    sys.exit(INCOMPLETE)


def _warn(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
