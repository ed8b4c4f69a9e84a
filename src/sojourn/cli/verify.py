"""`sojourn verify`: whether what a data directory holds could have come about without a broken promise."""

from __future__ import annotations

import os
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sojourn import config
from sojourn.audit import Report, audit
from sojourn.store import Store

from . import exits
from .display import print_facts, print_one
from .options import Form


def verify(
    *, data_dir: Path | None = None, output: Annotated[Form, Parameter(alias="-o", show_default=False)] = "table"
) -> int:
    """Check every task's history, counters and links in a data directory.

    It reads beside a running server, takes no lock and writes nothing; a copy
    of a data directory will do too. The exit code is 1 when anything is wrong.

    For example:

        sojourn verify --data-dir /var/lib/sojourn

    Parameters
    ----------
    data_dir
        Where the data is. [default: SOJOURN_DATA_DIR, or the user's data directory]
    output
        Print a table, JSON, or one JSON object a line. [default: table]

    """
    settings = config.load({"data_dir": data_dir}, os.environ)
    (entry,) = entry_points(group="sojourn.stores", name="sqlite")
    store: Store = entry.load()(settings.data_dir)
    with store.records() as records:
        report = audit(records)
    print_one(output, report, lambda: _print(settings.data_dir, report))
    return exits.OTHER if report.violations_count else exits.OK


def _print(directory: Path, report: Report) -> None:
    """The counts on stdout, what is wrong on stderr."""
    statuses = ", ".join(f"{count:,} {status}" for status, count in report.statuses.items())
    print_facts(
        [
            ("Data", str(directory)),
            ("Functions", f"{report.functions:,}"),
            ("Tasks", f"{report.tasks:,}{f' ({statuses})' if statuses else ''}"),
            ("Events", f"{report.events:,}"),
            ("Violations", f"{report.violations_count:,}"),
        ]
    )
    for violation in report.violations:
        print(violation, file=sys.stderr)
    if report.violations_count > len(report.violations):
        print(f"and {report.violations_count - len(report.violations):,} more", file=sys.stderr)
