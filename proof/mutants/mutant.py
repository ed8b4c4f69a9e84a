"""What a mutant is: the product with one guard less, for as long as a run takes.

A mutant is a function that hands out patches, made by replacing a function or a constant of the product with one that
lacks the guard. Nothing is edited; a guard that moved makes its mutant fail loudly instead of doing nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Any
from unittest import mock

from sojourn import task
from sojourn.task import Fact, Status

Patch = AbstractContextManager[Any]
Mutant = Callable[[], Iterable[Patch]]

MUTANTS: dict[str, Mutant] = {}
"""By name; filled by the modules beside, as they are imported."""


def mutant(name: str) -> Callable[[Mutant], Mutant]:
    """Enter a mutant into the list."""

    def enter(made: Mutant) -> Mutant:
        if name in MUTANTS:
            raise ValueError(f"there are two mutants named {name!r}")
        MUTANTS[name] = made
        return made

    return enter


@contextlib.contextmanager
def applied(name: str) -> Iterator[None]:
    """The product without that guard."""
    with contextlib.ExitStack() as stack:
        for patch in MUTANTS[name]():
            stack.enter_context(patch)
        yield


def swap(where: object, name: str, value: object) -> Patch:
    """Something of the product replaced; it has to be there."""
    return mock.patch.object(where, name, value)


def wrap(where: object, name: str, wrapper: Callable[..., Any]) -> Patch:
    """A function of the product replaced by `wrapper(original, *arguments)`; it may be a coroutine function."""
    original = getattr(where, name)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        return wrapper(original, *arguments, **named)

    return swap(where, name, wrapped)


def rows_more(*rows: tuple[Status, type[Fact], Status]) -> Patch:
    """The table of tasks with more rows in it."""
    more = {(before, fact): after for before, fact, after in rows}
    return swap(task, "TRANSITIONS", MappingProxyType({**task.TRANSITIONS, **more}))


async def nothing(*_: Any, **__: Any) -> None:
    """A coroutine function that does nothing."""


def idle(*_: Any, **__: Any) -> None:
    """A function that does nothing."""
