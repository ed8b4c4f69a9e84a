"""The part `chaos`: real processes that are killed, stopped and starved for minutes, judged by an outside journal.

A run that fails leaves its directory: the server's log and data, the journal, and the records of clients, nemesis and
supervisor. The seed makes the same plan again; what the machine makes of it in time is not the same.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
from proof.result import Result, Scale

from sojourn.sandboxes.bubblewrap import BubblewrapDriver

from .run import Plan
from .server import DATABASES

MINUTES = 5.0
MINUTES_LEAST = 0.2
PATIENCE_SECONDS = 240.0
ROOT = Path(__file__).resolve().parents[2]


def run(scale: Scale) -> Result:
    """Chaos for so many minutes, on the store and at the isolation that are asked for."""
    if scale.store not in DATABASES:
        return Result(line=f"chaos: no database for the store {scale.store}", ok=False, details=tuple(DATABASES))
    minutes = scale.minutes or max(MINUTES * scale.share, MINUTES_LEAST)
    plan = Plan(minutes=minutes, seed=scale.seed, store=scale.store, sandbox=scale.sandbox or strongest())
    return run_plan(plan, scale.directory)


def run_plan(plan: Plan, directory: Path) -> Result:
    """One run in a process of its own."""
    place = Path(tempfile.mkdtemp(prefix="run-", dir=directory))
    place.chmod(0o755)
    command = [sys.executable, "-m", "proof.chaos", msgspec.json.encode(plan).decode(), str(place)]
    seconds = plan.minutes * 60 * 2 + PATIENCE_SECONDS
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=seconds)
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        result = Result(line="chaos: the run itself broke", ok=False, details=tuple(done.stderr.splitlines()[-30:]))
    else:
        result = msgspec.json.decode(lines[-1], type=Result)
    return result if result.ok else _kept(result, plan, place)


def strongest() -> str:
    """The strongest isolation that works here."""
    return "bubblewrap" if asyncio.run(BubblewrapDriver().probe()).works else "process"


def _kept(result: Result, plan: Plan, place: Path) -> Result:
    """Put what a failed run left where it stays."""
    shutil.rmtree(place / "disk", ignore_errors=True)
    kept = Path(tempfile.mkdtemp(prefix=f"sojourn-chaos-{plan.seed}-"))
    shutil.copytree(place, kept, dirs_exist_ok=True)
    again = f"seed {plan.seed}, {plan.minutes:g} minutes, {plan.store}, {plan.sandbox}; everything is in {kept}"
    return Result(line=result.line, ok=False, details=(again, *result.details))
