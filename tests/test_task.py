"""The task table and the pure functions over it: every cell, every history, every budget."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn import machine
from sojourn.errors import IllegalFact
from sojourn.function import RETRIES_BOUNDS
from sojourn.history import CODES, last_stamp
from sojourn.task import (
    LEASE_LOST,
    LEGAL_STEPS,
    LOSSES_MAX,
    MESSAGE_TOO_OLD,
    TERMINAL,
    TRANSITIONS,
    UNHANDLED,
    Aged,
    Backoff,
    Claimed,
    Ended,
    Fact,
    Failure,
    Faltered,
    GaveUp,
    Outcome,
    Returned,
    Started,
    Status,
    StopRequested,
    Success,
    Task,
    advance,
    judge,
    moved_at,
)
from task_samples import ERROR, FACTS, LOSS, NOW, SECOND, new_task, task_in, walk

LEGAL_PAIRS = {
    (None, "Enqueued"),
    ("Enqueued", "Dequeued"),
    ("Enqueued", "Stopping"),
    ("Dequeued", "Running"),
    ("Dequeued", "Expired"),
    ("Dequeued", "Invalid"),
    ("Dequeued", "Stopping"),
    ("Dequeued", "Dequeued"),
    ("Running", "Succeeded"),
    ("Running", "Failed"),
    ("Running", "Retrying"),
    ("Running", "Stopping"),
    ("Retrying", "Running"),
    ("Retrying", "Failed"),
    ("Retrying", "Stopping"),
    ("Stopping", "Stopped"),
}
"""The legal table, written out by hand: what may stand next to what in a history."""

CELLS = {
    ("Enqueued", "Claimed"): "Dequeued",
    ("Enqueued", "StopRequested"): "Stopping",
    ("Dequeued", "Claimed"): "Dequeued",
    ("Dequeued", "Aged"): "Expired",
    ("Dequeued", "Refused"): "Invalid",
    ("Dequeued", "Started"): "Running",
    ("Dequeued", "StopRequested"): "Stopping",
    ("Running", "Returned"): "Succeeded",
    ("Running", "Faltered"): "Retrying",
    ("Running", "GaveUp"): "Failed",
    ("Running", "StopRequested"): "Stopping",
    ("Retrying", "Claimed"): "Retrying",
    ("Retrying", "Started"): "Running",
    ("Retrying", "Aged"): "Failed",
    ("Retrying", "Refused"): "Failed",
    ("Retrying", "StopRequested"): "Stopping",
    ("Stopping", "Ended"): "Stopped",
}
"""Every cell of the table that leads somewhere; all others must raise."""


def pairs_of(task: Task) -> list[tuple[str | None, str]]:
    """The neighbours in a task's history, from before its first event on."""
    names: list[str | None] = [None, *(event.status for event in task.events)]
    return [(before, str(after)) for before, after in itertools.pairwise(names)]


@pytest.mark.parametrize("fact", FACTS)
@pytest.mark.parametrize("status", Status)
def test_every_cell_moves_as_the_table_says_or_raises_and_changes_nothing(status: Status, fact: str) -> None:
    """No (status, fact) pair is undecided: it leads where it should, or raises and leaves the task as it was."""
    task = task_in(status)
    before = msgspec.json.encode(task)
    expected = CELLS.get((status.value, fact))
    if expected is None:
        with pytest.raises(IllegalFact, match=f"{status.value} on {fact}"):
            advance(task, FACTS[fact], NOW)
    else:
        assert Status(expected) is advance(task, FACTS[fact], NOW).status

    assert before == msgspec.json.encode(task)


def test_the_facts_of_this_test_are_all_facts_there_are() -> None:
    """A new kind of fact cannot slip past the walk over all cells."""
    assert {kind.__name__ for _, kind in TRANSITIONS} == set(FACTS)


def test_the_legal_steps_are_the_ones_written_out_here() -> None:
    """The steps a history may contain are exactly the legal table, no more and no fewer."""
    assert {(before and before.value, after.value) for before, after in LEGAL_STEPS} == LEGAL_PAIRS


def test_the_terminal_statuses() -> None:
    """Exactly these five end a sojourn."""
    expected = {Status.SUCCEEDED, Status.FAILED, Status.STOPPED, Status.EXPIRED, Status.INVALID}

    assert expected == TERMINAL
    assert expected == {status for status in Status if task_in(status).over}


def test_every_status_is_reachable_from_submission() -> None:
    """No status is decoration."""
    assert set(Status) == machine.reachable(TRANSITIONS, None)


@pytest.mark.parametrize("status", [one for one in Status if one not in TERMINAL])
def test_every_open_status_can_end_and_can_be_stopped(status: Status) -> None:
    """From wherever a task stands, some facts end it, and a stop can always be one of them."""
    reachable = machine.reachable(TRANSITIONS, status)

    assert reachable & TERMINAL
    assert Status.STOPPED in reachable


@pytest.mark.parametrize("status", [Status.ENQUEUED, Status.DEQUEUED])
def test_expired_and_invalid_are_only_reached_without_a_start(status: Status) -> None:
    """Expired and Invalid keep meaning *never started*: neither follows a status in which user code has run."""
    started = {Status.RUNNING, Status.RETRYING}
    after_start = set().union(*(machine.reachable(TRANSITIONS, each) for each in started))

    assert {Status.EXPIRED, Status.INVALID} <= machine.reachable(TRANSITIONS, status)
    assert not {Status.EXPIRED, Status.INVALID} & after_start


def test_after_a_stop_nothing_starts_again() -> None:
    """Stopping leads to Stopped and nowhere else."""
    assert {Status.STOPPED} == machine.reachable(TRANSITIONS, Status.STOPPING)


def test_every_status_has_a_stored_code() -> None:
    """A history can hold every status."""
    assert {status.value for status in Status} == set(CODES)


def test_submission_makes_the_first_row() -> None:
    """A submitted task is Enqueued at epoch 1, due after its delay, with one event that names the delay."""
    task = new_task(delay=5 * SECOND)
    (event,) = task.events

    assert (task.status, task.epoch, task.created_at, task.due_at) == (Status.ENQUEUED, 1, NOW, NOW + 5 * SECOND)
    assert (event.number, event.status, event.at) == (1, "Enqueued", NOW)
    assert msgspec.json.decode(event.detail) == {"delaySeconds": 5.0}


def test_a_claim_of_a_retrying_task_is_silent() -> None:
    """It changes the holder and the epoch, and no client sees an event."""
    task = task_in(Status.RETRYING)
    claimed = advance(task, Claimed(9), NOW)

    assert task.events == claimed.events
    assert (9, 0, task.epoch + 1) == (claimed.owner, claimed.due_at, claimed.epoch)


def test_a_claim_that_is_taken_over_says_so() -> None:
    """Dequeued after Dequeued is a second event whose cause is the lost lease; its status never goes backwards."""
    task = advance(task_in(Status.DEQUEUED), Claimed(8), NOW)

    assert [event.status for event in task.events] == ["Enqueued", "Dequeued", "Dequeued"]
    assert msgspec.json.decode(task.events[-1].detail) == {"cause": LEASE_LOST}
    assert task.owner == 8


def test_a_start_counts_and_a_second_start_keeps_the_first_time() -> None:
    """`attempts` counts starts of user code, `started_at` stays with the first."""
    first = advance(task_in(Status.DEQUEUED), Started("one"), NOW + 1)
    second = walk(first, [Faltered(ERROR, NOW + 2), Claimed(7), Started("two")], NOW + 3)

    assert (second.attempts, second.started_at, second.instance_id) == (2, NOW + 1, "two")
    assert msgspec.json.decode(second.events[-1].detail) == {"attempt": 2, "instanceId": "two"}


def test_a_task_that_runs_again_shows_nothing_of_the_attempt_before() -> None:
    """Error and document go from the row when the next attempt begins; the history keeps the error."""
    waiting = task_in(Status.RETRYING)
    task = walk(waiting, [Claimed(7), Started("two")])

    assert (waiting.error, waiting.result) == (UNHANDLED, ERROR.document)
    assert (task.error, task.result) == ("", b"")
    detail = msgspec.json.decode(task.events[3].detail)
    assert (detail["Error"], detail["errorType"], detail["errorMessage"]) == (UNHANDLED, "ValueError", "no")


def test_what_a_function_says_about_another_attempt_is_in_the_history() -> None:
    """The wait it asked for, or that it wants none."""
    later = msgspec.structs.replace(ERROR, retry_after_seconds=7.5)
    never = msgspec.structs.replace(ERROR, retryable=False)
    running = task_in(Status.RUNNING)
    waits = advance(running, judge(running, later, NOW, Backoff(), 0.0), NOW)
    ends = advance(running, judge(running, never, NOW, Backoff(), 0.0), NOW)

    assert (waits.status, waits.due_at) == (Status.RETRYING, NOW + 7_500_000)
    assert msgspec.json.decode(waits.events[-1].detail)["retryAfterSeconds"] == 7.5
    assert (ends.status, ends.retries) == (Status.FAILED, 0)
    assert msgspec.json.decode(ends.events[-1].detail)["retryable"] is False


def test_a_result_replaces_the_error_of_an_earlier_attempt() -> None:
    """After a retry that succeeds nothing of the failed attempt is left in result and error."""
    task = walk(task_in(Status.RETRYING), [Claimed(7), Started("two"), Returned(Success(result=b"42"))])

    assert (task.result, task.error, task.status, task.ended_at) == (b"42", "", Status.SUCCEEDED, NOW)


def test_a_failed_attempt_keeps_its_error_and_names_the_next_try() -> None:
    """The event of a Retrying task holds class, type, message and the time of the retry in milliseconds."""
    task = task_in(Status.RETRYING)
    detail = msgspec.json.decode(task.events[-1].detail)

    assert detail == {
        "Error": UNHANDLED,
        "errorType": "ValueError",
        "errorMessage": "no",
        "retryAt": (NOW + SECOND) // 1_000,
    }
    assert (ERROR.document, UNHANDLED, NOW + SECOND, 0) == (task.result, task.error, task.due_at, task.owner)


@pytest.mark.parametrize(("failure", "charged"), [(ERROR, (1, 0)), (LOSS, (0, 1))])
def test_a_failure_is_charged_to_one_budget(failure: Failure, charged: tuple[int, int]) -> None:
    """A function error costs a retry, a loss costs a loss, never both."""
    task = advance(task_in(Status.RUNNING), Faltered(failure, NOW), NOW)

    assert charged == (task.retries, task.losses)


def test_a_retrying_task_that_grew_too_old_fails_with_its_last_error() -> None:
    """The age ends it as Failed, and the event says both why it ended and what the last attempt died of."""
    task = advance(task_in(Status.RETRYING), Aged(), NOW)

    assert (task.status, task.error) == (Status.FAILED, UNHANDLED)
    assert msgspec.json.decode(task.events[-1].detail) == {"cause": MESSAGE_TOO_OLD, "Error": UNHANDLED}


def test_a_stop_keeps_actor_and_evidence() -> None:
    """The Stopping event says who asked, the Stopped event what proves that nothing runs."""
    task = walk(task_in(Status.RUNNING), [StopRequested("key K"), Ended({"signal": 9, "processesLeft": 0})])
    stopping, stopped = task.events[-2:]

    assert msgspec.json.decode(stopping.detail) == {"actor": "key K"}
    assert msgspec.json.decode(stopped.detail) == {"signal": 9, "processesLeft": 0}
    assert (task.owner, task.ended_at) == (0, NOW)


def test_stamps_never_decrease_when_the_clock_steps_back() -> None:
    """An event that happens at an earlier wall time is stamped with the last one's time."""
    task = walk(new_task(), [FACTS["Claimed"], FACTS["Started"], FACTS["Returned"]], NOW - 3600 * SECOND)

    assert [event.at for event in task.events] == [NOW] * 4
    assert (task.started_at, task.ended_at) == (NOW, NOW)


@pytest.mark.parametrize("retries_max", RETRIES_BOUNDS)
def test_function_errors_use_up_the_retries_and_nothing_else(retries_max: int) -> None:
    """With N retries a function that always fails starts N + 1 times, then its task is Failed."""
    task = run_to_end(new_task(retries_max=retries_max), [ERROR] * 20)

    assert (Status.FAILED, retries_max + 1, retries_max, 0) == (task.status, task.attempts, task.retries, task.losses)


@pytest.mark.parametrize("retries_max", RETRIES_BOUNDS)
def test_losses_use_up_their_own_budget(retries_max: int) -> None:
    """Attempts lost through our fault cost no retry, and are given up after their own bound."""
    task = run_to_end(new_task(retries_max=retries_max), [LOSS] * 20)

    assert (task.status, task.attempts, task.retries, task.losses) == (Status.FAILED, LOSSES_MAX + 1, 0, LOSSES_MAX)


def test_an_attempt_lost_before_a_success_costs_no_retry() -> None:
    """With no retry allowed, a lost attempt is still followed by another one."""
    task = run_to_end(new_task(retries_max=0), [LOSS, Success(result=b"")])

    assert (task.status, task.attempts, task.retries, task.losses) == (Status.SUCCEEDED, 2, 0, 1)


def test_the_age_is_no_matter_of_judgement() -> None:
    """An outcome is judged by its own budgets; the age is a fact of its own, found when the task is next claimed."""
    old = msgspec.structs.replace(task_in(Status.RUNNING), expires_at=NOW - 1)

    assert isinstance(judge(old, ERROR, NOW, Backoff(), 0.0), Faltered)
    assert Returned(Success(result=b"x")) == judge(old, Success(result=b"x"), NOW, Backoff(), 0.0)


def run_to_end(task: Task, outcomes: Sequence[Outcome]) -> Task:
    """Give a task one outcome after the other until it is over."""
    for outcome in outcomes:
        task = walk(task, [Claimed(1), Started("instance")])
        task = advance(task, judge(task, outcome, NOW, Backoff(), 0.0), NOW)
        if task.over:
            return task
    return task


OUTCOMES = st.sampled_from([ERROR, LOSS, Success(result=b"x")])


@given(st.integers(*RETRIES_BOUNDS), st.lists(OUTCOMES, min_size=20, max_size=20))
@settings(deadline=None)
def test_starts_are_bounded_whatever_the_outcomes(retries_max: int, outcomes: list[Outcome]) -> None:
    """A task ends after at most retries + 1 + losses starts, and its errors never exceed what its caller allowed."""
    task = run_to_end(new_task(retries_max=retries_max), outcomes)

    assert task.over
    assert task.attempts <= retries_max + 1 + LOSSES_MAX
    assert (task.retries <= retries_max, task.losses <= LOSSES_MAX) == (True, True)


ANY_FACT: st.SearchStrategy[Fact] = st.one_of(
    st.builds(Claimed, st.integers(1, 99), st.sampled_from(["", LEASE_LOST])),
    st.builds(Started, st.text(max_size=8)),
    st.builds(Faltered, st.sampled_from([ERROR, LOSS]), st.integers(0, 2 * NOW)),
    st.builds(GaveUp, st.sampled_from([ERROR, LOSS])),
    st.builds(Returned, st.builds(Success, result=st.binary(max_size=8))),
    st.builds(StopRequested, st.text(max_size=8)),
    st.builds(Ended, st.just({"processesLeft": 0})),
    st.sampled_from([FACTS["Submitted"], FACTS["Aged"], FACTS["Refused"]]),
)


@given(st.lists(st.tuples(ANY_FACT, st.integers(-3600 * SECOND, 3600 * SECOND)), max_size=60))
@settings(deadline=None, max_examples=300)
def test_random_facts_yield_only_legal_histories(steps: list[tuple[Fact, int]]) -> None:
    """Whatever happens in whatever order, under a clock that jumps both ways, the history stays lawful.

    Each accepted fact raises the epoch by one, a refused one changes nothing; event numbers are 1..n, stamps never
    decrease, neighbours are legal, the row shows the last event, and at most one event is terminal: the last.
    """
    task, now = new_task(), NOW
    for fact, jump in steps:
        now = max(0, now + jump)
        try:
            after = advance(task, fact, now)
        except IllegalFact:
            continue
        assert after.epoch == task.epoch + 1
        assert after.history.startswith(task.history)
        assert moved_at(after) == last_stamp(after.history)

        task = after
    events = task.events
    stamps = [event.at for event in events]

    assert list(range(1, len(events) + 1)) == [event.number for event in events]
    assert sorted(stamps) == stamps
    assert set(pairs_of(task)) <= LEGAL_PAIRS
    assert task.status.value == events[-1].status
    assert [event for event in events[:-1] if Status(event.status) in TERMINAL] == []
    assert task.over == (task.ended_at == events[-1].at and task.ended_at > 0)
