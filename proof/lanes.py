"""Several parts at a time: those that wait for disks and processes beside those that compute.

Each part is a process of its own (`python -m proof PART`), so that none sees what another did to the product. Two lanes
go side by side, each one part at a time; what computes gives way to what is timed against the clock of the machine.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from . import parts

NICENESS = 10
"""Of what computes: it fills the pauses of the other lane, and lengthens them little."""


def run(names: Sequence[str], options: Sequence[str]) -> int:
    """Run the parts `names`, each with the same `options`; returns the exit status of all.

    The lines of a part are printed when it ends, so that they stay together.
    """
    waiting = [name for name in names if name in parts.WAITING]
    computing = [name for name in names if name not in parts.WAITING]
    printing = threading.Lock()
    with ThreadPoolExecutor(2) as lanes:
        ends = [lanes.submit(_lane, lane, options, printing) for lane in (waiting, computing)]
    return max(end.result() for end in ends)


def _lane(names: Sequence[str], options: Sequence[str], printing: threading.Lock) -> int:
    status = 0
    for name in names:
        niceness = 0 if name in parts.WAITING else NICENESS
        command = [sys.executable, "-m", "proof", name, *options]
        done = subprocess.run(_niced(command, niceness), stdout=subprocess.PIPE, text=True, check=False)
        status = max(status, int(done.returncode != 0))
        with printing:
            print(done.stdout, end="", flush=True)
            if done.returncode not in (0, 1):
                print(f"FAILED {name}: ended with {done.returncode}", flush=True)
    return status


def _niced(command: Sequence[str], niceness: int) -> Sequence[str]:
    """`command` at a lower priority by `niceness`."""
    return ["nice", "-n", str(niceness), *command] if niceness else command
