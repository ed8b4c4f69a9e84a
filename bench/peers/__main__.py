"""`python -m bench.peers`: Sojourn beside other task queues, each in its best documented configuration.

Peers take turns, round after round, so that what else the machine does meets all of them alike. Each turn is a process
of its own in the peers' venv (`build/peers`, made from requirements/peers.txt when it is missing), on a fresh
directory. It prints what each of them did, and Sojourn's figures against the best of them with their targets; both are
kept as JSON. Exit status 0; 1 when a peer that was asked for gave no figures.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import venv
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench import document, machine, report

from . import comparison, table
from .comparison import LATEST
from .figures import OWN
from .worker import descendants

ROOT = Path(__file__).resolve().parents[2]
VENV, PINS = ROOT / "build" / "peers", ROOT / "requirements" / "peers.txt"
ADAPTERS = sorted(path.stem for path in (Path(__file__).parent / "adapters").glob("[a-z]*.py"))
FULL = {"singles": 2_000, "width": 100, "batch": 2_000, "latencies": 100, "again_seconds_max": 90}
QUICK = {"singles": 100, "width": 20, "batch": 100, "latencies": 10, "again_seconds_max": 15}
TURN_SECONDS_MAX = 400


def main() -> int:
    """Let them compete; returns the exit status."""
    arguments = _arguments()
    names = [OWN, *(name for name in arguments.peers if name != OWN)]
    _install()
    arguments.dir.mkdir(parents=True, exist_ok=True)
    here, options = machine.machine(arguments.dir), QUICK if arguments.quick else FULL
    turns: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for number in range(1 if arguments.quick else arguments.rounds):
        for name in names:
            print(f"round {number + 1}: {name}", file=sys.stderr, flush=True)
            turns[name].append(_turn(name, arguments.dir, options))
    result = comparison.comparison(here, options, turns, quick=arguments.quick)
    document.write(result, arguments.json or LATEST)
    print(f"{table.of(turns)}\n\n{report.told(result.rows, {})}")
    failed = [name for name, each in turns.items() if not any("rates" in turn for turn in each)]
    for name in failed:
        print(f"{name}: {turns[name][-1].get('error', '')}", file=sys.stderr)
    return 1 if failed else 0


def _turn(name: str, directory: Path, options: dict[str, int]) -> dict[str, Any]:
    """The figures of one peer in one round, or the last line of what it said instead."""
    python = sys.executable if name == OWN else str(VENV / "bin" / "python")
    place = Path(tempfile.mkdtemp(prefix="sojourn-peer-", dir=directory))
    place.chmod(0o711)  # before anything starts there: a sandbox covers what other users cannot enter
    command = [python, "-m", "bench.peers.contest", name, str(place), json.dumps(options)]
    try:
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                out, err = process.communicate(timeout=TURN_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                for pid in (*descendants(process.pid), process.pid):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                return {"error": f"not over within {TURN_SECONDS_MAX} s"}
        if process.returncode:
            return {"error": (err.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"])[-1]}
        figures: dict[str, Any] = json.loads(out.splitlines()[-1])
        return figures
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _install() -> None:
    """Make the peers' venv when it is missing or older than the pins."""
    made = VENV / ".made"
    if made.exists() and made.stat().st_mtime >= PINS.stat().st_mtime:
        return
    print("installing the peers", file=sys.stderr, flush=True)
    venv.create(VENV, with_pip=True, clear=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "-r", str(PINS)], check=True)
    made.touch()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description="Sojourn beside other task queues.")
    others = [name for name in ADAPTERS if name != OWN]
    parser.add_argument("--peers", type=_names, default=others, help=f"some of {','.join(others)}, by comma")
    parser.add_argument("--quick", action="store_true", help="everything once and a little of it; figures mean nothing")
    parser.add_argument("--rounds", type=int, default=3)
    about = "where data goes: a disk, and not below /tmp, of which every sandbox has its own"
    parser.add_argument("--dir", default=str(ROOT / "build"), type=_outside_tmp, help=about)
    parser.add_argument("--json", type=Path, help=f"where the figures are kept [default: {LATEST.relative_to(ROOT)}]")
    return parser.parse_args()


def _outside_tmp(text: str) -> Path:
    path = Path(text).resolve()
    if path.is_relative_to("/tmp"):  # noqa: S108 - what is not to be used
        raise argparse.ArgumentTypeError(f"must not be below /tmp, of which every sandbox has its own, got {path}")
    return path


def _names(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in ADAPTERS]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}; there are {', '.join(ADAPTERS)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
