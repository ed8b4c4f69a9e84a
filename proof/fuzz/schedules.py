"""Fuzzing schedules: any text is a schedule or is refused, and the next firing lies ahead.

Promises: nothing but a refusal is raised; the next firing is later than the time that is asked for, whatever the zone;
the firing after it is later still.
"""

from __future__ import annotations

from hypothesis import strategies as st

from sojourn import cron
from sojourn.errors import InvalidArgument

from .target import Target

_numbers = st.integers(-1, 70).map(str)
_words = st.sampled_from(
    ["*", "?", "*/5", "1-5", "5-1", "MON", "MON-FRI", "JAN", "0/15", "1,2,3", "29", "31", "W", "L", "#"]
)
_cells = st.one_of(_numbers, _words, st.text(max_size=3))
_plain = st.lists(_cells, min_size=4, max_size=8).map(" ".join)
_zones = st.sampled_from(
    ["", "CRON_TZ=Asia/Shanghai ", "TZ=Europe/Berlin ", "CRON_TZ=../etc/passwd ", "CRON_TZ= ", "TZ=Nowhere "]
)
_every = st.builds("@every {}{}".format, st.integers(-1, 100_000), st.sampled_from(["s", "m", "h", "1m", "d", ""]))
_texts = st.one_of(st.builds("{}{}".format, _zones, st.one_of(_plain, _every)), st.text(max_size=20))


def check_schedule(text_and_time: tuple[str, int]) -> None:
    """Parse it, and ask twice when it fires next."""
    text, now = text_and_time
    try:
        schedule = cron.parse(text)
    except InvalidArgument:
        return
    first = schedule.after(now)
    if not first:
        return
    second = schedule.after(first)
    if not now < first or (second and not first < second):
        raise AssertionError(f"{text!r} at {now} fires at {first} and then at {second}")


TARGETS = (Target("cron", st.tuples(_texts, st.integers(0, 3_000_000_000_000_000)), check_schedule),)
