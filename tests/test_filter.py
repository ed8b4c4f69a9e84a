"""Which tasks a filter means."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.errors import InvalidArgument
from sojourn.filter import FIELDS, Filter, matches, parse
from sojourn.task import Status, Task
from task_samples import NOW, SECOND, new_task, task_in

FAILED = msgspec.structs.replace(task_in(Status.FAILED), name="order-7", tags={"tenant": "t1", "kind": "pdf"})


def meant(task: Task, **fields: object) -> bool:
    return matches(parse(fields), task, "f", NOW + 5 * SECOND)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, True),
        (dict.fromkeys(FIELDS), True),
        ({"status": ["Failed", "Stopped"]}, True),
        ({"status": "Stopped,Failed"}, True),
        ({"status": ["Stopped"]}, False),
        ({"function": "f"}, True),
        ({"function": "g"}, False),
        ({"createdFrom": NOW // 1000, "createdTo": str(NOW // 1000)}, True),
        ({"createdFrom": NOW // 1000 + 1}, False),
        ({"createdTo": NOW // 1000 - 1}, False),
        ({"createdFrom": "2027-01-15T08:00:00Z"}, True),
        ({"createdFrom": "2027-01-15T08:00:01+00:00"}, False),
        ({"idPrefix": "order-"}, True),
        ({"idPrefix": "rder"}, False),
        ({"errorText": "valueerror"}, True),
        ({"errorText": "UnhandledInvocation"}, True),
        ({"errorText": "KeyError"}, False),
        ({"tags": {"tenant": "t1"}}, True),
        ({"tags": "kind=pdf,tenant=t1"}, True),
        ({"tags": "kind=pdf,tenant=t2"}, False),
        ({"tags": {"other": "t1"}}, False),
        ({"minDurationMs": 0, "maxDurationMs": "0"}, True),
        ({"minDurationMs": 1}, False),
    ],
)
def test_every_field_narrows(fields: dict[str, object], *, expected: bool) -> None:
    """A failed task that took no time, with a name and tags, against one field at a time."""
    assert meant(FAILED, **fields) is expected


def test_a_task_that_runs_has_lasted_until_now_and_one_that_never_ran_has_no_duration() -> None:
    """So that what has been running for long can be found."""
    assert meant(task_in(Status.RUNNING), minDurationMs=5000, maxDurationMs=5000)
    assert not meant(task_in(Status.RUNNING), minDurationMs=5001)
    assert not meant(task_in(Status.EXPIRED), maxDurationMs=10**9)


def test_a_task_without_a_name_is_found_by_its_request_id() -> None:
    """As callers see it."""
    assert meant(new_task(), idPrefix="1-00000000-")
    assert not meant(new_task(), idPrefix="2-")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"state": "Failed"}, "state"),
        ({"status": "failed"}, "status"),
        ({"status": []}, "status"),
        ({"status": 7}, "status"),
        ({"function": "a b"}, "functionName"),
        ({"createdFrom": "yesterday"}, "createdFrom"),
        ({"createdFrom": "2027-01-15T08:00:00"}, "createdFrom"),
        ({"createdTo": True}, "createdTo"),
        ({"createdTo": 10**15}, "createdTo"),
        ({"createdFrom": 5, "createdTo": 4}, "createdFrom"),
        ({"idPrefix": "x" * 129}, "idPrefix"),
        ({"errorText": 1}, "errorText"),
        ({"tags": ["a"]}, "tags"),
        ({"tags": {f"k{n}": "" for n in range(11)}}, "tags"),
        ({"tags": "a"}, "tags"),
        ({"tags": "a=1,a=2"}, "tags"),
        ({"tags": {"a": "1,2"}}, "tags.a"),
        ({"tags": {"": "1"}}, "tags"),
        ({"minDurationMs": -1}, "minDurationMs"),
        ({"maxDurationMs": "1.5"}, "maxDurationMs"),
        ({"minDurationMs": 5, "maxDurationMs": 4}, "minDurationMs"),
    ],
)
def test_what_is_no_filter_is_refused_by_name(fields: dict[str, object], field: str) -> None:
    """The error names the field."""
    with pytest.raises(InvalidArgument) as raised:
        parse(fields)
    assert raised.value.field == field


@given(st.dictionaries(st.sampled_from(FIELDS), st.none() | st.booleans() | st.integers() | st.text() | st.floats()))
def test_whatever_is_given_it_is_a_filter_or_refused(fields: dict[str, object]) -> None:
    """Never another error."""
    try:
        found = parse(fields)
    except InvalidArgument:
        return
    assert isinstance(found, Filter)
