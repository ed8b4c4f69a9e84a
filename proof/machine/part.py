"""The part `machine`: drawn histories against the reference model, on every store there is.

Hypothesis draws the rules, shrinks what shows a difference, and draws the same again from the same seed. Then faults
are planted in the engine, one at a time, and each has to show as a difference.
"""

from __future__ import annotations

import logging
import multiprocessing
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from proof.mutants import part as mutants
from proof.mutants.mutant import applied
from proof.result import Result, Scale

from .elsewhere import Place, factories
from .rules import Machine

EXAMPLES, STEPS = 300, 60
EXAMPLES_PLANTED = 600
"""Examples within which a planted fault has to show."""
PLANTED = (
    "an age is not looked at before a start",
    "what grows too old is not looked for",
    "a due time is not looked at",
    "a stop needs somebody who runs the task",
    "a stop ends nothing",
    "losses are charged to retries",
    "one retry too many",
    "no timeout",
    "what was waiting is not loaded",
)
WORDS = (
    *("submit", "stop", "create", "delete", "update", "configure", "limit"),
    *("restart", "crash", "tick", "come about", "page"),
)
"""What a whole run has done at least once, or it has looked at less than it says."""
PROCESSES = 2
SHARE_OF_PROCESSES = 0.05
"""From which share on it is worth starting processes."""


class Order(NamedTuple):
    """What to drive: a store, with a fault when `planted` names one."""

    store: str
    planted: str
    examples: int
    steps: int
    seed: int
    base: Path


class Driven(NamedTuple):
    """What came of it: how often each rule was taken, and the smallest difference, "" for none."""

    store: str
    planted: str
    done: Counter[str]
    difference: str


def drive(order: Order) -> Driven:
    """Drive a store through as many examples as are ordered, or until there is a difference."""
    heard = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # a start that fails is logged, and here it fails on purpose
    try:
        if not order.planted:
            return Driven(order.store, "", *_drive(order, (Phase.generate, Phase.shrink)))
        assert mutants.MODULES  # noqa: S101 - importing them makes the list
        with applied(order.planted):
            return Driven(order.store, order.planted, *_drive(order, (Phase.generate,)))
    finally:
        logging.disable(heard)


def _drive(order: Order, phases: Iterable[Phase]) -> tuple[Counter[str], str]:
    done: Counter[str] = Counter()
    place = Place()
    facts = {"make": staticmethod(factories()[order.store]), "place": place, "base": order.base, "done": done}
    kind: type[Machine] = type("Drawn", (Machine,), facts)
    chosen = settings(
        max_examples=order.examples,
        stateful_step_count=order.steps,
        database=None,
        deadline=None,
        print_blob=False,
        report_multiple_bugs=False,
        phases=tuple(phases),
        suppress_health_check=list(HealthCheck),
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run_state_machine_as_test(seed(order.seed)(kind), settings=chosen)
    except Exception as error:  # noqa: BLE001 - whatever it is
        notes = "\n    ".join(line for note in getattr(error, "__notes__", ()) for line in note.splitlines())
        return done, f"{order.store}, seed {order.seed}: {type(error).__name__}: {error}\n    {notes}"
    finally:
        place.close()
    return done, ""


def _driven(orders: list[Order], processes: int) -> Iterator[Driven]:
    if processes == 1:
        yield from map(drive, orders)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap_unordered(drive, orders, chunksize=1)


def run(scale: Scale) -> Result:
    """As many examples on each store as the scale asks for, then the planted faults on the plain one."""
    examples = scale.count(EXAMPLES, 3)
    steps = STEPS if scale.share >= SHARE_OF_PROCESSES else STEPS // 3
    stores = list(factories())
    planted = PLANTED if scale.share >= 1.0 else ()
    orders = [Order(store, "", examples, steps, scale.seed, scale.directory) for store in reversed(stores)]
    orders += [Order("reference", name, EXAMPLES_PLANTED, STEPS, scale.seed, scale.directory) for name in planted]
    done: Counter[str] = Counter()
    wrong, noticed = list[str](), 0
    for driven in _driven(orders, PROCESSES if scale.share >= SHARE_OF_PROCESSES else 1):
        if driven.planted:
            noticed += bool(driven.difference)
            wrong += [] if driven.difference else [f"not noticed: {driven.planted}"]
            continue
        done.update(driven.done)
        wrong += [driven.difference] if driven.difference else []
    differences = len(wrong) - len(planted) + noticed
    if scale.share >= 1.0:
        wrong += [f"never done: {word}" for word in WORDS if not done[word]]
    line = (
        f"machine: {examples:,} examples × {steps} steps × {len(stores)} stores, {sum(done.values()):,} rules, "
        f"{differences} differences; {noticed}/{len(planted)} planted faults noticed"
    )
    return Result(line=line, ok=not wrong, details=(*wrong, str(dict(done.most_common()))))
