"""`python -m proof.chaos PLAN DIRECTORY`: one run in a process of its own; the result goes to its last line as JSON.

It is a process of its own because it leaves for a mount namespace, in which its small disk is. `part` starts it.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
from pathlib import Path

import msgspec
from proof.result import Result

from . import checker
from .place import own_disk
from .run import Chaos, Plan

DISK_MB, DISK_MB_PER_MINUTE = 64, 16


def main() -> int:
    """Run the plan of the command line, and print what it came to."""
    plan, directory = msgspec.json.decode(sys.argv[1], type=Plan), Path(sys.argv[2])
    logging.disable(logging.CRITICAL)
    place = directory / "disk"
    place.mkdir()
    disk = own_disk(place, DISK_MB + int(DISK_MB_PER_MINUTE * plan.minutes))
    chaos = Chaos(plan, directory, disk)
    evidence = asyncio.run(chaos.run())
    verdict = checker.check(evidence)
    told = checker.summary(evidence) + checker.details(evidence, verdict)
    if not verdict.ok and disk is not None:
        shutil.copytree(chaos.data, directory / "data", ignore=shutil.ignore_patterns("sandboxes"))
    result = Result(line=checker.line(evidence, verdict), ok=verdict.ok, details=tuple(told))
    print(msgspec.json.encode(result).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
