"""`python -m proof [PART…]`: run the parts of the proof, one summary line each, several at a time.

Exit status 0 when every part that ran is in order, 1 when one is not, 2 when a part is asked for that is not there.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

from . import lanes, parts
from .result import Result, Scale

SCALES = {"tiny": 0.01, "ci": 1.0, "night": 25.0}
TESTS = Path(__file__).resolve().parent.parent / "tests"
"""The test kit: from it come what must not be the product's own, such as a second signer and archives that lie."""
MEMORY = Path("/dev/shm")  # noqa: S108 - only the parent of a fresh directory of our own


def main() -> int:
    """Run what the command line asks for; returns the exit status."""
    arguments = _arguments()
    names = arguments.part or [name for name in parts.MODULES if name not in parts.ASKED]
    for name in names:
        if name not in parts.MODULES:
            known = ", ".join(parts.MODULES)
            print(f"proof: there is no part {name!r}; there are {known}", file=sys.stderr)
            return 2
    if len(names) > 1:
        return lanes.run(names, [word for word in sys.argv[1:] if word not in arguments.part])
    base = arguments.dir or (MEMORY if os.access(MEMORY, os.W_OK) else None)
    kept = True
    sys.path.append(str(TESTS))
    logging.disable(logging.CRITICAL)  # what parts do to the product would fill screens
    with tempfile.TemporaryDirectory(prefix="sojourn-proof-", dir=base) as directory:
        share = SCALES[arguments.scale]
        for name in names:
            place = Path(directory, name)
            place.mkdir()
            scale = Scale(
                share=share,
                seconds=arguments.seconds,
                seed=arguments.seed,
                directory=place,
                minutes=arguments.minutes,
                store=arguments.store,
                sandbox=arguments.sandbox,
            )
            began = time.monotonic()
            result = parts.run(name, scale)
            kept = kept and result.ok
            _show(result, time.monotonic() - began)
    return 0 if kept else 1


def _show(result: Result, seconds: float) -> None:
    print(f"{'' if result.ok else 'FAILED '}{result.line} ({seconds:.1f} s)", flush=True)
    if not result.ok:
        for detail in result.details:
            print(f"    {detail}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m proof", description="Prove what docs/guarantees.md promises.")
    parser.add_argument("part", nargs="*", help=f"of {', '.join(parts.MODULES)}; all but soak when none is named")
    parser.add_argument("--scale", choices=SCALES, default="ci", help="how much of each part [%(default)s]")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each fuzz target [%(default)s]")
    parser.add_argument("--seed", type=int, default=1, help="begins every random choice [%(default)s]")
    parser.add_argument("--minutes", type=float, default=0.0, help="for chaos and soak [as --scale has it]")
    parser.add_argument("--store", default="sqlite", help="for chaos and soak [%(default)s]")
    parser.add_argument(
        "--sandbox", choices=("bubblewrap", "process"), default="", help="for chaos and soak [strongest]"
    )
    parser.add_argument("--dir", type=Path, help="where data goes while it runs [memory, where there is some]")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
