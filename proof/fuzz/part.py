"""The part `fuzz`: every reader of foreign bytes, each for some seconds, what broke it before first."""

from __future__ import annotations

from proof.result import Result, Scale

from . import api, archives, frames, logs, manifests, older_signatures, schedules, signatures
from .target import ROUND_EXAMPLES, Target, fuzz

TARGETS: tuple[Target, ...] = (
    *signatures.TARGETS,
    *older_signatures.TARGETS,
    *frames.TARGETS,
    *archives.TARGETS,
    *logs.TARGETS,
    *manifests.TARGETS,
    *schedules.TARGETS,
    *api.TARGETS,
)


def run(scale: Scale) -> Result:
    """Fuzz each target for the scale's seconds."""
    seconds = scale.seconds * min(scale.share, 1.0)
    examples = min(scale.count(ROUND_EXAMPLES, 20), ROUND_EXAMPLES)
    found = {target.name: fuzz(target, seconds, scale.seed, examples) for target in TARGETS}
    broken = [fuzzed.broken for fuzzed in found.values() if fuzzed.broken]
    counts = ", ".join(f"{name} {fuzzed.examples:,}" for name, fuzzed in found.items())
    total = sum(fuzzed.examples for fuzzed in found.values())
    return Result(
        line=f"fuzz: {total:,} examples of {len(found)} targets, {len(broken)} broken (seed {scale.seed}; {counts})",
        ok=not broken and all(fuzzed.examples for fuzzed in found.values()),
        details=tuple(broken),
    )
