"""The agent's loop: what is watched, what was closed meanwhile, and what is known to be quiet."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from sojourn.agent.loop import Loop


@pytest.fixture(name="loop")
def with_a_loop() -> Iterator[Loop]:
    """A loop."""
    loop = Loop()
    yield loop
    loop.close()


def test_what_cannot_be_read_is_quiet_and_what_can_is_not(loop: Loop) -> None:
    """As of the beginning of the turn; what is not watched is never quiet."""
    read, write = os.pipe()
    other, end = os.pipe()
    found: list[tuple[bool, bool]] = []

    def take(_: int) -> None:
        os.read(read, 1)

    loop.watch(other, lambda _: found.append((loop.quiet(read), loop.quiet(other))))

    assert not loop.quiet(read)
    loop.watch(read, take)
    os.write(end, b"x")
    loop.turn()
    os.write(write, b"y")
    loop.turn()
    loop.unwatch(read)

    assert found == [(True, False), (False, False)]
    assert not loop.quiet(read)
    for fd in (read, write, other, end):
        os.close(fd)


def test_what_was_closed_in_a_turn_is_not_called_in_it(loop: Loop) -> None:
    """Whichever of two that are ready comes first takes the other one away."""
    pipes = [os.pipe(), os.pipe()]
    called: list[int] = []

    def first_of(mine: int, other: int) -> None:
        called.append(mine)
        loop.unwatch(other)

    (one, _), (two, _) = pipes
    loop.watch(one, lambda _: first_of(one, two))
    loop.watch(two, lambda _: first_of(two, one))
    for _, write in pipes:
        os.write(write, b"x")
    loop.turn()

    assert len(called) == 1
    for pipe in pipes:
        for fd in pipe:
            os.close(fd)
