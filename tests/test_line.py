"""The line of one function: order, delays, ages, and what is forgotten."""

from __future__ import annotations

import random

from sojourn.line import Line


def test_due_tasks_leave_in_the_order_in_which_they_came() -> None:
    """First in, first out, and each once."""
    line = Line(1)
    for task_id in (5, 3, 9):
        line.add(task_id, due_at=0, expires_at=0, now=10)

    assert [line.take(10) for _ in range(4)] == [5, 3, 9, None]


def test_a_delayed_task_waits_for_its_moment_and_then_queues_behind_those_that_are_due() -> None:
    """Not a microsecond early; from its moment on it is one of the line."""
    line = Line(1)
    line.add(1, due_at=100, expires_at=0, now=0)

    assert not line.has_due(99)
    assert line.take(99) is None
    assert line.next_moment() == 100
    line.add(2, due_at=0, expires_at=0, now=99)
    assert line.has_due(100)
    assert [line.take(100), line.take(100)] == [2, 1]


def test_delayed_tasks_become_due_in_the_order_of_their_moments() -> None:
    """Whatever the order in which they were added."""
    line = Line(1)
    for task_id, due_at in ((1, 30), (2, 10), (3, 20)):
        line.add(task_id, due_at, expires_at=0, now=0)

    assert [line.take(50) for _ in range(3)] == [2, 3, 1]


def test_a_forgotten_task_is_neither_taken_nor_aged_nor_waited_for() -> None:
    """Removing works wherever the task stands, and removing what is not there is fine."""
    line = Line(1)
    line.add(1, due_at=0, expires_at=50, now=0)
    line.add(2, due_at=40, expires_at=60, now=0)
    line.remove(1)
    line.remove(2)
    line.remove(3)

    assert len(line) == 0
    assert 1 not in line
    assert line.next_moment() is None
    assert line.take(100) is None
    assert line.take_aged(100, 9) == []


def test_a_task_is_too_old_only_past_its_age() -> None:
    """At the moment itself it may still start; one microsecond later it leaves, and cannot be taken any more."""
    line = Line(1)
    line.add(1, due_at=0, expires_at=50, now=0)
    line.add(2, due_at=0, expires_at=0, now=0)

    assert line.take_aged(50, 9) == []
    assert line.take_aged(51, 9) == [1]
    assert [line.take(51), line.take(51)] == [2, None]


def test_a_flood_of_old_tasks_leaves_in_portions() -> None:
    """At most so many at a time; the rest is found the next time, and until then the line asks to be looked at."""
    line = Line(1)
    for task_id in range(10):
        line.add(task_id, due_at=0, expires_at=5, now=0)

    assert line.take_aged(6, 4) == [0, 1, 2, 3]
    assert line.next_moment() == 5
    assert len(line.take_aged(6, 100)) == 6


def test_a_delayed_task_ages_while_it_waits() -> None:
    """The delay counts toward the age."""
    line = Line(1)
    line.add(1, due_at=100, expires_at=50, now=0)

    assert line.next_moment() == 50
    assert line.take_aged(60, 9) == [1]
    assert line.take(200) is None


def test_a_taken_task_can_come_back() -> None:
    """As a retry does, with another moment; it is then taken once."""
    line = Line(1)
    line.add(1, due_at=0, expires_at=90, now=0)
    assert line.take(0) == 1
    line.add(1, due_at=50, expires_at=90, now=10)

    assert line.take(49) is None
    assert [line.take(50), line.take(50)] == [1, None]


def test_tasks_that_come_and_go_leave_nothing_behind() -> None:
    """The heap of ages is swept, although nothing ever grows old enough to leave it by itself."""
    line = Line(1)
    for task_id in range(50_000):
        line.add(task_id, due_at=0, expires_at=1 << 60, now=0)
        assert line.take(0) == task_id

    assert len(line._aging) <= 1_100
    assert len(line._due) == len(line._waiting) == 0


def test_any_sequence_of_calls_answers_as_a_plain_list_would() -> None:
    """Drawn calls against the plainest program: nothing is lost, taken twice, early, or out of order."""
    for seed in range(50):
        chance = random.Random(seed)
        line, plain, now, number = Line(1), list[tuple[int, int, int, int]](), 0, 0
        for step in range(400):
            now += chance.randrange(3)
            match chance.randrange(5):
                case 0 | 1:
                    number += 1
                    due_at, expires_at = now + chance.choice((0, 0, 5)), chance.choice((0, now + chance.randrange(30)))
                    line.add(number, due_at, expires_at, now)
                    plain.append((max(due_at, now), step, number, expires_at))
                case 2:
                    gone = chance.randrange(number + 1)
                    line.remove(gone)
                    plain = [row for row in plain if row[2] != gone]
                case 3:
                    due = [row for row in plain if row[0] <= now]
                    taken = line.take(now)
                    assert (taken is None) == (not due)
                    plain = [row for row in plain if row[2] != taken]
                    assert taken is None or taken in {row[2] for row in due}
                case 4:
                    aged = sorted(row[2] for row in plain if row[3] and row[3] < now)
                    assert sorted(line.take_aged(now, 1000)) == aged
                    plain = [row for row in plain if row[2] not in aged]
            assert len(line) == len(plain)


def test_how_many_go_before() -> None:
    """Of the due ones that still wait; None for one that is not due, is gone, or has too many before it."""
    line = Line(1)
    for task_id in (1, 2, 3, 4):
        line.add(task_id, 0, 0, 0)
    line.add(5, 10, 0, 0)
    line.remove(2)
    assert [line.ahead(task_id, 9) for task_id in (1, 2, 3, 4, 5, 6)] == [0, None, 1, 2, None, None]
    assert (line.ahead(3, 1), line.ahead(4, 1)) == (1, None)
