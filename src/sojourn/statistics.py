"""What functions' tasks did lately: counts, rates, how long they waited and ran; kept in memory, never searched for.

Each step of a task that became durable is counted once, in the bucket of its function and of these 5 seconds. A bucket
that is over is added to that of its minute, and a minute to that of its half hour, so that a window of a day costs no
more to read than one of a minute, and each function costs a bounded amount of memory. It is counted from this start of
the server on, which `since` tells. How many tasks there are in each status is counted by `tally`.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator, Mapping, Sequence

from .clock import MICROSECONDS_PER_SECOND, Clock
from .task import Status, Task, moved_at

WINDOWS: Mapping[str, int] = {"1m": 60, "5m": 300, "1h": 3600, "1d": 86_400}
"""Seconds by name."""
FUNCTIONS_MAX = 1_000
"""Functions whose past is kept; of more, those that did nothing for longest lose it."""
_LEVELS = ((5, 60), (60, 60), (1800, 48))
"""Seconds in a bucket, and how many of them are kept."""
_FACTOR, _FIRST_SECONDS, _BOUNDS = 1.5, 0.0005, 48
BOUNDS = tuple(_FIRST_SECONDS * _FACTOR**power for power in range(_BOUNDS))
"""Of the histograms, in seconds: up to about a day, a percentile is right to within half of itself."""


class Bucket:
    """What happened in a stretch of time: `index` times its length since 1970."""

    __slots__ = ("ended", "index", "runs", "submitted", "waits")

    def __init__(self, index: int = 0) -> None:
        self.index = index
        self.submitted = 0
        self.ended: Counter[Status] = Counter()
        self.waits, self.runs = (array("L", bytes(array("L").itemsize * (_BOUNDS + 1))) for _ in range(2))

    def add(self, other: Bucket) -> None:
        """Count what `other` has, too."""
        self.submitted += other.submitted
        self.ended.update(other.ended)
        for mine, theirs in ((self.waits, other.waits), (self.runs, other.runs)):
            for place, count in enumerate(theirs):
                mine[place] += count


class Series:
    """The buckets of one function, the newest last, on each level."""

    __slots__ = ("_rings",)

    def __init__(self) -> None:
        self._rings: tuple[deque[Bucket], ...] = tuple(deque(maxlen=kept) for _, kept in _LEVELS)

    def bucket(self, now_seconds: int) -> Bucket:
        """Where to count what happens now."""
        return self._at(0, now_seconds // _LEVELS[0][0])

    def within(self, seconds: int, now_seconds: int) -> Bucket:
        """What happened in the last `seconds`, to within a bucket."""
        level = next(place for place, (length, kept) in enumerate(_LEVELS) if length * kept >= seconds)
        total, begin = Bucket(), now_seconds - seconds
        for place in range(level + 1):
            length, ring = _LEVELS[place][0], self._rings[place]
            for each in ring if place == level else list(ring)[-1:]:  # of finer ones the last is not added yet
                if (each.index + 1) * length > begin:
                    total.add(each)
        return total

    def _at(self, level: int, index: int) -> Bucket:
        ring = self._rings[level]
        if ring and ring[-1].index >= index:  # a clock that was set back counts into the newest
            return ring[-1]
        if ring and level + 1 < len(_LEVELS):
            over = ring[-1]
            self._at(level + 1, over.index * _LEVELS[level][0] // _LEVELS[level + 1][0]).add(over)
        ring.append(Bucket(index))
        return ring[-1]


class Statistics:
    """Counts of all functions.

    Parameters
    ----------
    clock: what time it is.

    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.since = clock.now()
        self._series: OrderedDict[int, Series] = OrderedDict()

    def moved(self, before: Task | None, after: Task) -> None:
        """A step of a task is durable."""
        bucket = self._of(after.function_id).bucket(self._clock.now() // MICROSECONDS_PER_SECOND)
        if before is None:
            bucket.submitted += 1
            return
        if not before.attempts and after.attempts:
            _observe(bucket.waits, after.started_at - after.created_at)
        if before.status is Status.RUNNING and after.status not in (Status.RUNNING, Status.STOPPING):
            _observe(bucket.runs, moved_at(after) - moved_at(before))
        if after.over:
            bucket.ended[after.status] += 1

    def within(self, function_id: int, seconds: int) -> Bucket:
        """What happened to tasks of a function in the last `seconds`."""
        series = self._series.get(function_id)
        now_seconds = self._clock.now() // MICROSECONDS_PER_SECOND
        return series.within(seconds, now_seconds) if series is not None else Bucket()

    def _of(self, function_id: int) -> Series:
        series = self._series.get(function_id)
        if series is None:
            series = self._series[function_id] = Series()
            if len(self._series) > FUNCTIONS_MAX:
                self._series.popitem(last=False)
        else:
            self._series.move_to_end(function_id)
        return series


def percentiles(counts: Sequence[int], shares: Sequence[float]) -> Iterator[float | None]:
    """Seconds that so large a share of the observations did not exceed; None when there is none."""
    total = sum(counts)
    for share in shares:
        if not total:
            yield None
            continue
        wanted, seen = share * total, 0
        for place, count in enumerate(counts):
            if count and seen + count >= wanted:
                low = BOUNDS[place - 1] if place else 0.0
                high = BOUNDS[place] if place < len(BOUNDS) else low * _FACTOR
                yield low + (high - low) * (wanted - seen) / count
                break
            seen += count


def _observe(counts: array[int], microseconds: int) -> None:
    counts[bisect_left(BOUNDS, microseconds / MICROSECONDS_PER_SECOND)] += 1
