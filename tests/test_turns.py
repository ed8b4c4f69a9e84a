"""Turns: weighted round robin between accounts, then between the functions of each."""

from __future__ import annotations

import contextlib
import random
from collections import Counter

from sojourn.turns import Turns


def taken(turns: Turns, count: int, blocked: frozenset[int] = frozenset()) -> list[int]:
    """The functions that get the next `count` turns when those of `blocked` can use none."""
    order: list[int] = []
    with contextlib.closing(turns.round()) as turning:
        for function_id in turning:
            if function_id in blocked:
                continue
            order.append(function_id)
            turns.charge()
            if len(order) == count:
                break
    return order


def test_functions_of_one_account_take_turns() -> None:
    """Each gets one before any gets two."""
    turns = Turns()
    for function_id in (1, 2, 3):
        turns.add(function_id, "a", 1)

    assert taken(turns, 7) == [1, 2, 3, 1, 2, 3, 1]


def test_a_weight_is_a_number_of_turns() -> None:
    """Three for each one of the other."""
    turns = Turns()
    turns.add(1, "a", 1)
    turns.add(2, "a", 3)

    assert Counter(taken(turns, 400)) == {1: 100, 2: 300}


def test_accounts_share_alike_however_many_functions_they_have() -> None:
    """Ten functions of one account get together what the single one of another gets, and weights are within one."""
    turns = Turns()
    for function_id in range(10):
        turns.add(function_id, "many", 100)
    turns.add(10, "one", 1)
    counts = Counter(taken(turns, 200))

    assert counts[10] == 100
    assert {counts[function_id] for function_id in range(10)} == {10}


def test_a_newcomer_is_among_the_next_and_earns_nothing_by_absence() -> None:
    """After a thousand turns of others it gets every second one, not a thousand in a row."""
    turns = Turns()
    turns.add(1, "a", 1)
    taken(turns, 1000)
    turns.add(2, "a", 1)
    assert taken(turns, 6).count(2) == 3
    turns.add(3, "b", 1)
    assert taken(turns, 8).count(3) == 4


def test_who_is_blocked_keeps_its_place() -> None:
    """What it could not use it gets when it can."""
    turns = Turns()
    turns.add(1, "a", 1)
    turns.add(2, "b", 1)
    assert taken(turns, 4, blocked=frozenset({2})) == [1, 1, 1, 1]

    assert taken(turns, 4) == [2, 2, 2, 2]


def test_a_function_that_wants_nothing_is_not_asked() -> None:
    """And is counted out; wanting twice counts once."""
    turns = Turns()
    for _ in range(2):
        turns.add(1, "a", 1)
    turns.add(2, "a", 1)
    assert len(turns) == 2
    turns.drop(1)
    turns.drop(1)

    assert (len(turns), 1 in turns, 2 in turns) == (1, False, True)
    assert taken(turns, 3) == [2, 2, 2]
    turns.drop(2)
    assert taken(turns, 3) == []


def test_any_sequence_of_wishes_keeps_the_books() -> None:
    """Random wishes, turns, blocks and cut rounds: whoever wants is asked in the next whole round, once or more."""
    dice = random.Random(5)
    turns, wanting = Turns(), set[int]()
    for _ in range(3000):
        function_id = dice.randrange(20)
        match dice.randrange(4):
            case 0:
                turns.add(function_id, f"account-{function_id % 3}", 1 + function_id % 4)
                wanting.add(function_id)
            case 1:
                turns.drop(function_id)
                wanting.discard(function_id)
            case 2:
                taken(turns, dice.randrange(1, 10), blocked=frozenset(dice.sample(range(20), 5)))
            case _:
                assert set(turns.round()) == wanting
        assert len(turns) == len(wanting)
