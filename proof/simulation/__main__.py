"""`python -m proof.simulation SEED [--shrink]`: one run, with everything that happened in it."""

from __future__ import annotations

import argparse
import sys

from .seed import run
from .shrink import shrink


def main() -> int:
    """Run one seed and print its event log; exit status 1 when something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m proof.simulation", description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("--shrink", action="store_true", help="leave out what the failure does without")
    parser.add_argument("--quiet", action="store_true", help="no event log")
    arguments = parser.parse_args()
    muted: list[str] = []
    report = run(arguments.seed)
    if arguments.shrink and report.violations:
        report, muted = shrink(report)
    if not arguments.quiet:
        report = run(arguments.seed, muted, told=True)
        print("\n".join(report.events))
    if arguments.shrink:
        print(f"faults and acts: {', '.join(report.tape)}")
    print(f"seed {report.seed}: {report.tasks} tasks, {report.faults} faults, digest {report.digest:016x}")
    print("\n".join(report.violations) or "0 violations")
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
