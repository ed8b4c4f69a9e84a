"""A run: group after group, round after round, each within its time; what fails in one does not end the others."""

from __future__ import annotations

import signal
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import msgspec

from .failure import NotMeasured
from .figures import of_group
from .group import Bench, Group, Seen
from .options import Options
from .row import Row, row, unknown
from .stock import Stocks

Say = Callable[[str], None]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one group: its rows, its curves, and how long it took."""

    name: str
    rows: list[Row]
    points: dict[str, list[tuple[float, float]]]
    seconds: float


def run(groups: Sequence[Group], options: Options, say: Say) -> list[Part]:
    """Measure `groups` one after the other; `say` is told what comes next."""
    with Stocks(options, say) as stocks:
        return [_measured(group, options, stocks, say) for group in groups]


def _measured(group: Group, options: Options, stocks: Stocks, say: Say) -> Part:
    count = min(options.rounds, group.rounds_max or options.rounds)
    rounds: list[Seen] = []
    failure = ""
    began = time.monotonic()

    def tell(what: str) -> None:
        say(f"{group.name}: {what}")

    try:
        with _deadline(group.seconds_max), group.open(Bench(options, stocks, tell)) as measure:
            for number in range(count):
                tell(f"round {number + 1} of {count}")
                rounds.append(measure())
    except NotMeasured as error:
        failure = str(error)
    except Exception as error:  # noqa: BLE001 - whatever a group runs into costs its own rows, which say so
        failure = f"{type(error).__name__}: {error}"
    strange = sorted(set().union(*map(unknown, rounds)))
    if strange:
        failure = f"figures without a row: {', '.join(strange)}"
    if failure:
        tell(f"not measured: {failure}")
    return Part(
        name=group.name,
        rows=[row(figure, rounds, failure) for figure in of_group(group.name)],
        points=_curves(rounds) if not failure else {},
        seconds=time.monotonic() - began,
    )


def _curves(rounds: Sequence[Seen]) -> dict[str, list[tuple[float, float]]]:
    """The medians of the rounds' curves, point by point."""
    names = rounds[0].points if rounds else {}
    return {
        name: [(x, statistics.median(seen.points[name][at][1] for seen in rounds)) for at, (x, _) in enumerate(points)]
        for name, points in names.items()
    }


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Give up what the block does when it takes longer; what it has open is closed on the way out."""

    def over(_signal: int, _frame: FrameType | None) -> None:
        raise NotMeasured(f"it took longer than {seconds:g} s and was given up")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
