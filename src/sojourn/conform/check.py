"""A check: one behaviour in a sentence, how it was established, where it applies, and how it is looked at.

Checks are functions in `checks`, gathered by nouns: the id of a check is the nouns of its group and its function's
name, its sentence is its docstring.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .source import Source

if TYPE_CHECKING:
    from .site import Site

Look = Callable[["Site"], Awaitable[None]]
"""Looks at one behaviour; raises `Differs` when it is another one."""
SECONDS_MAX = 60.0
NEWEST, OPEN, CLASSIC = "2023-03-30", "2021-04-06", "2016-08-15"
OLDER = (CLASSIC, OPEN)
ALL = (*OLDER, NEWEST)


@dataclass(frozen=True)
class Check:
    """One behaviour.

    `id` is its name, nouns first. `sources` tells for each generation it was established for how. `needs` are
    operations and traits a generation must have for it to apply. A `slow` one takes more than a minute and is left out
    unless it is asked for. `seconds_max` bounds how long it may take.
    """

    id: str
    sentence: str
    sources: Mapping[str, Source]
    look: Look
    needs: Collection[str] = ()
    slow: bool = False
    seconds_max: float = SECONDS_MAX

    @property
    def nouns(self) -> tuple[str, ...]:
        """What it is about."""
        return tuple(self.id.split(".")[:-1])

    @property
    def origin(self) -> str:
        """How it was established, in words: once, or by generations where they differ."""
        names = {version: source.value for version, source in self.sources.items()}
        if len(set(names.values())) == 1:
            return next(iter(names.values()))
        return "; ".join(f"{name} in {version}" for version, name in reversed(names.items()))

    def missing(self, version: str, traits: Collection[str]) -> str:
        """Why it does not apply to a generation with these traits, "" when it does."""
        if version not in self.sources:
            return f"not said of {version}"
        lacking = [need for need in self.needs if need not in traits]
        return f"{version} has no {lacking[0]}" if lacking else ""


class Group:
    """The checks of some nouns.

    Parameters
    ----------
    nouns: what they are about, with dots between.
    needs: what a generation must have for any of them to apply.

    """

    def __init__(self, nouns: str, *, needs: Collection[str] = ()) -> None:
        self.nouns, self.needs = nouns, needs
        self.checks: list[Check] = []

    def __call__(
        self,
        source: Source,
        *,
        older: Source | None = None,
        only: Collection[str] = ALL,
        needs: Collection[str] = (),
        slow: bool = False,
        seconds_max: float = SECONDS_MAX,
    ) -> Callable[[Look], Look]:
        """Make a check of a function.

        Parameters
        ----------
        source: how it was established.
        older: how it was for the generations with services, when that is another way.
        only: the generations it is said of.
        needs, slow, seconds_max: see `Check`.

        """

        def made(look: Look) -> Look:
            name = getattr(look, "__name__", "").strip("_").replace("_", "-")
            sentence = (look.__doc__ or "").strip().splitlines()[0].rstrip(".")
            self.add(
                name, sentence, source, look, older=older, only=only, needs=needs, slow=slow, seconds_max=seconds_max
            )
            return look

        return made

    def add(
        self,
        name: str,
        sentence: str,
        source: Source,
        look: Look,
        *,
        older: Source | None = None,
        only: Collection[str] = ALL,
        needs: Collection[str] = (),
        slow: bool = False,
        seconds_max: float = SECONDS_MAX,
    ) -> None:
        """Take up a check that is written as a row of a table."""
        sources = {version: (older or source) if version in OLDER else source for version in ALL if version in only}
        whole = (*self.needs, *needs)
        self.checks.append(Check(f"{self.nouns}.{name}", sentence, sources, look, whole, slow, seconds_max))
