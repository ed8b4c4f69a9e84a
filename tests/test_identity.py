"""Numbers and request ids."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.identity import EPOCH_MS, NODE_BITS, SEQUENCE_BITS, Numbers, number_of, request_id

START = EPOCH_MS * 1_000
"""The first microsecond that a number can tell."""
NUMBERS = st.integers(0, (1 << 63) - 1)
CLOCKS = st.lists(st.integers(START - 10**9, START + 10**15), min_size=1, max_size=200)


@given(NUMBERS)
def test_a_request_id_leads_back_to_its_number(number: int) -> None:
    """And to no other text: it is spelled in one way only."""
    text = request_id(number)

    assert number_of(text) == number
    assert text == text.upper() or number_of(text.upper()) is None


@given(NUMBERS, st.data())
def test_a_mistyped_request_id_is_nobodys(number: int, data: st.DataObject) -> None:
    """One hexadecimal digit changed, anywhere, makes it no request id of ours."""
    text = request_id(number)
    place = data.draw(st.sampled_from([place for place, letter in enumerate(text) if place > 1 and letter != "-"]))
    digit = data.draw(st.sampled_from([digit for digit in "0123456789abcdef" if digit != text[place]]))

    assert number_of(text[:place] + digit + text[place + 1 :]) is None


@given(st.text(max_size=60))
def test_any_text_is_a_request_id_or_none(text: str) -> None:
    """Reading one never raises, and what it reads is spelled like that."""
    number = number_of(text)

    assert number is None or request_id(number) == text


@pytest.mark.parametrize(
    "text", ["", "1-", "1-00000000-00000000-00000000000", "2" + request_id(1)[1:], request_id(1) + "\n"]
)
def test_what_only_looks_like_a_request_id(text: str) -> None:
    """Its form is checked to the last character."""
    assert number_of(text) is None


@given(NUMBERS, NUMBERS)
def test_request_ids_are_in_the_order_of_their_numbers(one: int, other: int) -> None:
    """So a page of tasks in the order of numbers is in the order of what is shown."""
    assert (request_id(one) < request_id(other)) == (one < other)


@given(CLOCKS, st.integers(0, (1 << NODE_BITS) - 1))
def test_numbers_only_grow_whatever_the_clock_does(clock: list[int], node: int) -> None:
    """Steps back, standing still and leaps: each number is greater than the last, and carries its node."""
    numbers = Numbers(node)
    made = [numbers.next(now) for now in clock]

    assert all(before < after for before, after in itertools.pairwise(made))
    assert {number >> SEQUENCE_BITS & ((1 << NODE_BITS) - 1) for number in made} == {node}
    assert all(0 <= number < 1 << 63 for number in made)


@pytest.mark.parametrize("node", [0, 1, 5, (1 << NODE_BITS) - 1])
def test_more_numbers_than_a_millisecond_holds(node: int) -> None:
    """Past 4096 the next millisecond is borrowed: still greater, still this node's, and never another node's."""
    numbers = Numbers(node)
    made = [numbers.next(START) for _ in range(3 * 4096 + 1)]

    assert made == sorted(set(made))
    assert {number >> SEQUENCE_BITS & ((1 << NODE_BITS) - 1) for number in made} == {node}
    assert made[-1] >> (NODE_BITS + SEQUENCE_BITS) == 3


def test_nodes_share_no_number() -> None:
    """Two nodes at one moment make different numbers, also when both run over."""
    one, other = Numbers(1), Numbers(2)

    assert not {one.next(START) for _ in range(9_000)} & {other.next(START) for _ in range(9_000)}


def test_numbers_go_on_after_the_last_one_kept() -> None:
    """A start that knows the last number of the one before continues above it, although the clock was set back."""
    last = Numbers(3).next(START + 10**12)

    assert Numbers(3, last).next(START) > last


def test_time_before_the_first_number_is_the_first() -> None:
    """A clock that was never set makes numbers all the same."""
    assert Numbers().next(0) == 1
