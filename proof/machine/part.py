"""The part `machine`: drawn histories against the reference model, on every store there is.

Hypothesis draws the rules, shrinks what shows a difference, and draws the same again from the same seed.
"""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from proof.result import Result, Scale

from .elsewhere import Place, factories
from .rules import Machine

EXAMPLES, STEPS = 300, 60


def drive(store: str, examples: int, steps: int, first_seed: int, base: Path, *, shrinks: bool = True) -> tuple[Counter[str], str]:
    """What examples on one store came to: how often each rule was taken, and the smallest difference."""
    done: Counter[str] = Counter()
    place = Place()
    kind = type("Drawn", (Machine,), {"make": staticmethod(factories()[store]), "place": place, "base": base, "done": done})
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        database=None,
        deadline=None,
        print_blob=False,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink) if shrinks else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run_state_machine_as_test(seed(first_seed)(kind), settings=chosen)
    except Exception as error:  # noqa: BLE001 - whatever it is
        notes = "\n".join(getattr(error, "__notes__", ()))
        return done, f"{store}, seed {first_seed}: {type(error).__name__}: {error}\n{notes}"
    finally:
        place.close()
    return done, ""


def run(scale: Scale) -> Result:
    """As many examples on each store as the scale asks for."""
    examples = scale.count(EXAMPLES, 3)
    steps = STEPS if scale.share >= 1.0 else max(round(STEPS * min(scale.share * 10, 1.0)), 10)
    done: Counter[str] = Counter()
    differences: list[str] = []
    stores = list(factories())
    for store in stores:
        rules, difference = drive(store, examples, steps, scale.seed, scale.directory)
        done.update(rules)
        differences += [difference] if difference else []
    total = sum(done.values())
    line = (
        f"machine: {examples:,} examples × {steps} steps × {len(stores)} stores, {total:,} rules of {len(done)} kinds, "
        f"{len(differences)} differences"
    )
    return Result(line=line, ok=not differences, details=tuple(differences))
