"""A fuzz target and how it is run: examples for as long as the time lasts, the smallest one that breaks it.

What ever broke a target is kept: as a file below `corpus/<target>` where examples are bytes, and tried first each time.
Files are named for what they showed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

CORPUS = Path(__file__).with_name("corpus")
ROUND_EXAMPLES = 200


class Target(NamedTuple):
    """What is fuzzed: a name, where examples come from, and a check that raises when one breaks a promise.

    `bytes` is whether examples are bytes, so that the files of its corpus are examples too.
    """

    name: str
    examples: SearchStrategy[Any]
    check: Callable[[Any], None]
    bytes: bool = False


class Fuzzed(NamedTuple):
    """How many examples there were, and the smallest that broke the target, told with the seed that finds it again."""

    examples: int
    broken: str = ""


def regressions(target: Target) -> list[bytes]:
    """What broke this target before."""
    if not target.bytes:
        return []
    return [path.read_bytes() for path in sorted((CORPUS / target.name).glob("*")) if path.is_file()]


def fuzz(
    target: Target, seconds: float, first_seed: int, round_examples: int = ROUND_EXAMPLES, *, shrinks: bool = True
) -> Fuzzed:
    """Try what broke it before, then new examples for `seconds`, a round of `round_examples` at least.

    `shrinks` is whether the smallest example is looked for, which may take longer than finding one.
    """
    count = 0
    for known in regressions(target):
        try:
            target.check(known)
        except Exception as error:  # noqa: BLE001 - whatever it is
            return Fuzzed(count, f"{target.name}: {_told(error)} (an example of the corpus)")
        count += 1
    deadline = time.monotonic() + seconds
    number = first_seed
    while True:
        tried, broken = _round(target, number, round_examples, shrinks=shrinks)
        count += tried
        if broken:
            return Fuzzed(count, f"{target.name}: seed {number}: {broken}")
        number += 1
        if time.monotonic() >= deadline:
            return Fuzzed(count)


def _round(target: Target, number: int, examples: int, *, shrinks: bool) -> tuple[int, str]:
    """Some examples that begin with seed `number`: how many there were, and what a bad one showed."""
    tried = 0

    @seed(number)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.target, *([Phase.shrink] if shrinks else [])),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
        report_multiple_bugs=False,
    )
    @given(target.examples)
    def run(example: Any) -> None:
        nonlocal tried
        tried += 1
        target.check(example)

    try:
        run()
    except Exception as error:  # noqa: BLE001 - whatever it is
        return tried, _told(error)
    return tried, ""


def _told(error: Exception) -> str:
    """The error and the example, on few lines."""
    notes = " ".join(" ".join(note.split()) for note in getattr(error, "__notes__", ()))
    return f"{type(error).__name__}: {str(error)[:300]} {notes[:1500]}"
