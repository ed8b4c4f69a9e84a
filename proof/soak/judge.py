"""The verdict on samples: what grows, how fast, and whether that is too fast.

Growth is the slope of a robust line (Theil and Sen: the median of the slopes between pairs) through the samples after
the warm-up, so that a few odd samples do not decide. What a server remembers on purpose fills up meanwhile: the nonces
of a quarter of an hour, the last 512 instances. Memory is the resident set of a process: what it shares counts in full,
so that the verdict does not move with how many others share its pages at the time. The pages of the database that it
keeps, which it tells, are taken off and have a bound of their own. A run that is not well beyond that cannot tell a MiB
an hour: there a coarse bound holds, which finds what leaks fast.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from itertools import combinations

import msgspec

from .samples import Sample

WARM_UP_SHARE = 0.3
FILLING_SECONDS = 25 * 60
"""How long it takes until what is remembered is full, at most; half of a run that is shorter."""
SAMPLES_LEAST = 6
POINTS_MAX = 200
RSS_MIB_PER_HOUR_MAX, RSS_NOISE_MIB = 1.0, 2.0
SHORT_HOURS, SHORT_MIB = 0.5, 24.0
"""Below so many hours after the warm-up memory may grow by so much."""
FLAT_MAX, SHORT_FLAT_MAX = 4.0, 6.0
"""By how many descriptors or threads the end of a run may differ from its beginning: what one instance more holds."""
CACHED_BYTES_MAX = 64 * 1024 * 1024
"""How much of the database a store may keep in memory."""
WAL_BYTES_MAX = 64 * 1024 * 1024
HOUR_US = 3_600_000_000
MIB = 1024 * 1024


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """How one quantity of one process went: its median and its slope over so many hours."""

    who: str
    what: str
    median: float
    per_hour: float
    hours: float

    @property
    def over_run(self) -> float:
        """What the slope makes over the run."""
        return self.per_hour * self.hours

    @property
    def allowed(self) -> float:
        """How much it may be."""
        short = self.hours < SHORT_HOURS
        if self.what == "RSS":
            return SHORT_MIB if short else max(RSS_MIB_PER_HOUR_MAX * self.hours, RSS_NOISE_MIB)
        return SHORT_FLAT_MAX if short else FLAT_MAX


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The median of the slopes between pairs of points; 0 for fewer than two."""
    thinned = points[:: max(1, len(points) // POINTS_MAX)]
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(thinned, 2) if b[0] != a[0]]
    return statistics.median(slopes) if slopes else 0.0


def growths(samples: Iterable[Sample]) -> list[Growth]:
    """How each process's memory, descriptors and threads went after the warm-up; the short-lived are passed over."""
    found = []
    by_process: dict[tuple[str, int], list[Sample]] = {}
    for sample in samples:
        by_process.setdefault((sample.who, sample.pid), []).append(sample)
    for (who, _), own in by_process.items():
        settled = _settled(own)
        if len(settled) < SAMPLES_LEAST:
            continue
        hours = (settled[-1].at - settled[0].at) / HOUR_US
        for what, values in (
            ("RSS", [one.rss_kib / 1024 - one.cached_bytes / MIB for one in settled]),
            ("descriptors", [float(one.descriptors) for one in settled]),
            ("threads", [float(one.threads) for one in settled]),
        ):
            per_hour = slope([(one.at / HOUR_US, value) for one, value in zip(settled, values, strict=True)])
            growth = Growth(
                who=who,
                what=what,
                median=statistics.median(values),
                per_hour=per_hour,
                hours=hours,
            )
            found.append(growth)
    return found


def _settled(own: Sequence[Sample]) -> list[Sample]:
    """The samples after the warm-up."""
    first, length = own[0].at, own[-1].at - own[0].at
    begins = first + max(length * WARM_UP_SHARE, min(FILLING_SECONDS * 1e6, length / 2))
    return [one for one in own if one.at >= begins]


def problems(samples: Sequence[Sample]) -> list[str]:
    """What grows too fast or is too large, and whether there were samples enough to tell."""
    found = []
    known = growths(samples)
    if not any(one.who == "server" for one in known):
        found.append(f"{len(samples)} samples are too few to judge")
    for one in known:
        if one.over_run > one.allowed:
            unit = " MiB" if one.what == "RSS" else ""
            text = f"{one.what} of the {one.who} grows by {one.per_hour:.2f}{unit} an hour"
            found.append(f"{text}: {one.over_run:.2f}{unit} in this run, {one.allowed:.2f} are allowed")
    wal = max((sample.wal_bytes for sample in samples), default=0)
    if wal >= WAL_BYTES_MAX:
        found.append(f"the WAL grew to {wal:,} bytes, it must stay below {WAL_BYTES_MAX:,}")
    cached = max((sample.cached_bytes for sample in samples), default=0)
    if cached > CACHED_BYTES_MAX:
        found.append(f"the store keeps {cached:,} bytes in memory, at most {CACHED_BYTES_MAX:,} are allowed")
    return found
