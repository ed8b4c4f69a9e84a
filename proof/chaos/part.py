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

from . import plants
from .run import Plan
from .server import DATABASES

MINUTES = 5.0
MINUTES_LEAST = 0.2
PLANTED_MINUTES, PLANTED_QUIET_SECONDS = 0.12, 8.0
PATIENCE_SECONDS = 300.0
ROOT = Path(__file__).resolve().parents[2]


def run(scale: Scale) -> Result:
    """Chaos for so many minutes, on the store and at the isolation that are asked for."""
    if scale.store not in DATABASES:
        return Result(line=f"chaos: no database for the store {scale.store}", ok=False, details=tuple(DATABASES))
    minutes = scale.minutes or max(MINUTES * scale.share, MINUTES_LEAST)
    sandbox = scale.sandbox or strongest()
    unseen = [f"planted, and not noticed: {name}" for name in plants.PLANTS if not noticed(name, scale, sandbox)]
    plan = Plan(minutes=minutes, seed=scale.seed, store=scale.store, sandbox=sandbox)
    result = run_plan(plan, scale.directory)
    found = f"{result.line}, {len(plants.PLANTS) - len(unseen)} of {len(plants.PLANTS)} planted faults noticed"
    return Result(line=found, ok=result.ok and not unseen, details=(*unseen, *result.details))


def noticed(name: str, scale: Scale, sandbox: str) -> bool:
    """Whether a short run of a server with a mistake is told as breaking the invariant that it breaks."""
    plan = Plan(
        minutes=PLANTED_MINUTES,
        seed=scale.seed,
        store=scale.store,
        sandbox=sandbox,
        only=("kill-server",),
        plant=name,
        quiet_seconds=PLANTED_QUIET_SECONDS,
    )
    invariant = plants.PLANTS[name][0]
    return any(text.startswith(f"{invariant} ") for text in run_plan(plan, scale.directory, keep=False).details)


def run_plan(plan: Plan, directory: Path, *, keep: bool = True) -> Result:
    """One run in a process of its own; with `keep` what it left stays when it fails."""
    place = Path(tempfile.mkdtemp(prefix="run-", dir=directory))
    place.chmod(0o755)
    command = [sys.executable, "-m", "proof.chaos", msgspec.json.encode(plan).decode(), str(place)]
    seconds = plan.minutes * 60 * 3 + PATIENCE_SECONDS
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=seconds)
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        result = Result(line="chaos: the run itself broke", ok=False, details=tuple(done.stderr.splitlines()[-30:]))
    else:
        result = msgspec.json.decode(lines[-1], type=Result)
    return _kept(result, plan, place) if keep and not result.ok else result


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
