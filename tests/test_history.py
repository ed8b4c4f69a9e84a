"""Histories as bytes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.history import CODES, NAMES, Event, append_event, last_stamp, unpack_events
from sojourn.task import Status

STAMPS = st.integers(0, (1 << 64) - 1)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-(1 << 53), 1 << 53), st.text(st.characters(codec="utf-8")))
DETAILS = st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=10), VALUES, max_size=4)
STEPS = st.lists(st.tuples(st.sampled_from(sorted(CODES)), STAMPS, st.one_of(st.none(), DETAILS)), max_size=12)


def packed(steps: list[tuple[str, int, dict[str, object] | None]]) -> bytes:
    """The history of `steps`."""
    history = b""
    for status, at, detail in steps:
        history = append_event(history, status, at, detail)
    return history


@given(STEPS)
def test_events_come_back_as_they_went_in(steps: list[tuple[str, int, dict[str, object] | None]]) -> None:
    """Numbers count from 1 without gap, statuses and times are exact, details are the same JSON."""
    events = unpack_events(packed(steps))

    assert [event.number for event in events] == list(range(1, len(steps) + 1))
    assert [(event.status, event.at) for event in events] == [(status, at) for status, at, _ in steps]
    assert [json.loads(event.detail or "{}") for event in events] == [detail or {} for _, _, detail in steps]
    assert last_stamp(packed(steps)) == (steps[-1][1] if steps else 0)


@given(STEPS, st.data())
def test_a_history_cut_off_anywhere_but_between_events_is_refused(
    steps: list[tuple[str, int, dict[str, object] | None]], data: st.DataObject
) -> None:
    """A cut between events is a shorter history; any other cut raises and yields no event made up."""
    history = packed(steps)
    whole = [len(packed(steps[:count])) for count in range(len(steps) + 1)]
    cut = data.draw(st.integers(0, len(history)))
    if cut in whole:
        assert unpack_events(history[:cut]) == unpack_events(history)[: whole.index(cut)]
    else:
        with pytest.raises(ValueError, match="the history ends in the middle of"):
            unpack_events(history[:cut])
        with pytest.raises(ValueError, match="the history ends in the middle of"):
            last_stamp(history[:cut])


@given(st.binary(max_size=80))
def test_any_bytes_are_a_history_or_refused(data: bytes) -> None:
    """Whatever is read, the only error is ValueError."""
    try:
        events = unpack_events(data)
    except ValueError:
        return

    assert all(isinstance(event, Event) for event in events)


@pytest.mark.parametrize("code", sorted(set(range(128)) - set(NAMES)))
def test_an_unknown_code_is_refused(code: int) -> None:
    """A status that this version does not know is named by its code."""
    with pytest.raises(ValueError, match=f"no status has the code {code}$"):
        unpack_events(bytes([code]) + bytes(8))


def test_the_codes_are_those_that_were_stored_first() -> None:
    """Renumbering would change what every stored task means; each status has its code."""
    expected = {
        "Enqueued": 0,
        "Dequeued": 1,
        "Running": 2,
        "Retrying": 3,
        "Stopping": 4,
        "Succeeded": 10,
        "Failed": 11,
        "Stopped": 12,
        "Expired": 13,
        "Invalid": 14,
    }

    assert dict(CODES) == expected
    assert {status.value for status in Status} == set(expected)
    assert dict(NAMES) == {code: name for name, code in expected.items()}


def test_the_bytes_are_those_that_were_stored_first() -> None:
    """The layout is what stored rows have: code, little-endian microseconds, length and text of a detail."""
    history = append_event(b"", "Enqueued", 1)
    assert history == b"\x00" + b"\x01" + bytes(7)

    history = append_event(history, "Failed", 258, {"a": 1})
    assert history[9:] == b"\x8b" + b"\x02\x01" + bytes(6) + b"\x07\x00\x00\x00" + b'{"a":1}'


def test_an_empty_detail_takes_no_room() -> None:
    """No detail and an empty one are the same nine bytes."""
    assert append_event(b"", "Running", 5, {}) == append_event(b"", "Running", 5)
    assert len(append_event(b"", "Running", 5)) == 9
