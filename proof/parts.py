"""The parts of the proof, in the order in which they are run.

A part is a module of this folder with `run(scale) -> Result`.
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
    "crash-points": "proof.crash.part",
    "power-loss": "proof.storage.power_loss",
    "storage-faults": "proof.storage.faults",
    "fuzz": "proof.fuzz.part",
    "chaos": "proof.chaos.part",
    "soak": "proof.soak.part",
}
ASKED = frozenset({"soak"})
"""Those that only run when they are named: they say nothing in the time that a run of all parts has."""
WAITING = frozenset({"crash-points", "chaos", "soak"})
"""Those that wait for disks, processes and the clock more than they compute."""


def run(name: str, scale: Scale) -> Result:
    """Run one part."""
    part: Run = import_module(MODULES[name]).run
    return part(scale)
