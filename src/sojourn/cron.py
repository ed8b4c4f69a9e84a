"""Schedules of timer triggers: when one fires next.

Two forms, as Function Compute has them: `@every 5m` (hours, minutes, seconds: `1h30m`), and a cron expression of 6
fields (seconds first), also of 5 (without seconds) or 7 (with a year); `CRON_TZ=Area/City` before it says whose clock
it means, else it is UTC. When both day fields are restricted, either one is enough. A local time that is skipped when
clocks go forward fires at the moment of the change's other side; one that comes twice fires the first time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from .errors import InvalidArgument

FIELD = "cronExpression"
CHARACTERS_MAX = 256
YEARS = (1970, 2099)
DAYS_AHEAD_MAX = 366 * 30
"""How far a firing may lie ahead; beyond it the schedule never fires."""
SECONDS_OF = {"h": 3600, "m": 60, "s": 1}
_EVERY = re.compile(r"@every\s+((?:[0-9]{1,6}[hms])+)")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_ANY = ("*", "?")
_MICROSECONDS = 1_000_000


class Every(NamedTuple):
    """Fires each `seconds`, counted from 1970."""

    seconds: int

    def after(self, now: int) -> int:
        """The first firing later than `now`, both in microseconds since 1970."""
        step = self.seconds * _MICROSECONDS
        return (now // step + 1) * step


class Cron(NamedTuple):
    """Fires when the clock of `zone` shows what all fields allow; `either` day is enough when both are restricted."""

    second: frozenset[int]
    minute: frozenset[int]
    hour: frozenset[int]
    day: frozenset[int]
    month: frozenset[int]
    weekday: frozenset[int]
    year: frozenset[int]
    either: bool
    zone: tzinfo

    def after(self, now: int) -> int:
        """The first firing later than `now`, both in microseconds since 1970; 0 for never."""
        begin = datetime.fromtimestamp(now // _MICROSECONDS, UTC).astimezone(self.zone).replace(tzinfo=None)
        for day in self._days(begin):
            for hour in sorted(self.hour):
                for minute in sorted(self.minute):
                    for second in sorted(self.second):
                        local = day.replace(hour=hour, minute=minute, second=second)
                        if local < begin - timedelta(hours=3):  # what clocks may be set back
                            continue
                        at = int(local.replace(tzinfo=self.zone).timestamp()) * _MICROSECONDS
                        if at > now:
                            return at
        return 0

    def _days(self, begin: datetime) -> Iterator[datetime]:
        first = begin.replace(hour=0, minute=0, second=0) - timedelta(days=1)
        for ahead in range(DAYS_AHEAD_MAX):
            day = first + timedelta(days=ahead)
            if day.year > max(self.year):
                return
            if day.month in self.month and day.year in self.year and self._matches(day):
                yield day

    def _matches(self, day: datetime) -> bool:
        by_date, by_weekday = day.day in self.day, (day.weekday() + 1) % 7 in self.weekday
        return (by_date or by_weekday) if self.either else (by_date and by_weekday)


Schedule = Every | Cron


@lru_cache(maxsize=1024)
def parse(text: str) -> Schedule:
    """The schedule that `text` spells.

    Raises
    ------
    InvalidArgument: it spells none; the message says which part is wrong.

    """
    if len(text) > CHARACTERS_MAX:
        raise InvalidArgument(FIELD, text, f"must hold at most {CHARACTERS_MAX} characters")
    zone: tzinfo = UTC
    rest = text.strip()
    for prefix in ("CRON_TZ=", "TZ="):
        if rest.startswith(prefix):
            name, _, rest = rest.removeprefix(prefix).partition(" ")
            zone = _zone(text, name)
            break
    rest = rest.strip()
    if rest.startswith("@"):
        return _every(text, rest)
    fields = rest.upper().split()
    if len(fields) == 5:  # noqa: PLR2004 - classic cron: no seconds
        fields = ["0", *fields]
    if len(fields) == 6:  # noqa: PLR2004 - Function Compute's: no year
        fields = [*fields, "*"]
    if len(fields) != 7:  # noqa: PLR2004 - with a year
        raise InvalidArgument(FIELD, text, "must be @every DURATION, or have 5, 6 or 7 fields")
    bounds = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 7), YEARS)
    names: tuple[tuple[str, ...], ...] = ((), (), (), (), ("", *_MONTHS), _DAYS, ())
    sets = [_values(text, field, bound, known) for field, bound, known in zip(fields, bounds, names, strict=True)]
    second, minute, hour, day, month, weekday, year = sets
    weekday = frozenset(number % 7 for number in weekday)
    either = fields[3] not in _ANY and fields[5] not in _ANY
    return Cron(second, minute, hour, day, month, weekday, year, either, zone)


def _every(text: str, rest: str) -> Every:
    match = _EVERY.fullmatch(rest)
    seconds = 0
    if match is not None:
        for number, unit in re.findall(r"([0-9]+)([hms])", match[1]):
            seconds += int(number) * SECONDS_OF[unit]
    if not seconds:
        raise InvalidArgument(FIELD, text, "must read @every with a duration such as 5m, 1h30m or 10s")
    return Every(seconds)


def _zone(text: str, name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise InvalidArgument(FIELD, text, f"names a time zone that is not known here: {name[:64]}") from None


def _values(text: str, field: str, bounds: tuple[int, int], names: tuple[str, ...]) -> frozenset[int]:
    """The numbers that a field allows: `*`, `?`, numbers, names, ranges, steps, and lists of them."""
    low, high = bounds
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span in _ANY:
            begin, end = low, high
        else:
            begin = _number(text, first, bounds, names)
            end = _number(text, last, bounds, names) if dash else (high if step else begin)
        if begin > end or ("/" in part and not re.fullmatch(r"[1-9][0-9]{0,3}", step)):
            raise InvalidArgument(FIELD, text, f"has a field that cannot be: {field[:64]}")
        found.update(range(begin, end + 1, int(step or 1)))
    return frozenset(found)


def _number(text: str, word: str, bounds: tuple[int, int], names: tuple[str, ...]) -> int:
    low, high = bounds
    if word and word in names:
        return names.index(word)
    if not re.fullmatch(r"[0-9]{1,4}", word) or not low <= int(word) <= high:
        raise InvalidArgument(FIELD, text, f"has a field that must be between {low} and {high}: {word[:64]}")
    return int(word)
