"""The parts of the proof, in the order in which they are run.

A part is a module of this folder with `run(scale) -> Result`. Those in `LATER` have their place in the report and are
not built yet: they say so, and a run of all parts passes over them.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from .result import Result, Run, Scale

MODULES: Mapping[str, str] = {
    "model": "proof.model.part",
    "instances": "proof.model.instances",
    "machine": "proof.machine.part",
    "linearizability": "proof.machine.callers",
    "simulation": "proof.simulation.part",
    "mutants": "proof.mutants.part",
    "power-loss": "proof.storage.power_loss",
    "storage-faults": "proof.storage.faults",
    "fuzz": "proof.fuzz.part",
}
LATER = ("crash-points", "chaos", "soak")
"""`crash-points`: a process exit at each durable step. `chaos`: kills of real processes. `soak`: growth over hours."""


def run(name: str, scale: Scale) -> Result:
    """Run one part."""
    part: Run = import_module(MODULES[name]).run
    return part(scale)
