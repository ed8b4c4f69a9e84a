"""What clients asked for and were told, kept outside the system: recovery is judged by it.

A change whose answer did not come may have happened or not, and nothing else: of everything with a name the record
keeps which values are possible.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

ABSENT, ANY = "", "*"
"""The value of what is not there, and one that nobody knows before it is read."""


class Thing(NamedTuple):
    """Something with a name that can be read back; `kind` says how, see `things`."""

    kind: str
    name: str


@dataclass
class Asked:
    """A task as its client knows it; `account` is whose, "" for the owner's."""

    function: str
    name: str
    kind: str
    account: str = ""
    accepted: bool = False
    request_id: str = ""
    stopping: bool = False
    stopped: bool = False
    deleted: bool = False
    """Whether its function is to be deleted, or was."""


@dataclass
class Record:
    """Everything that one lane of cases knows."""

    tasks: list[Asked] = field(default_factory=list)
    settled: int = 0
    """How many tasks from the front were over and found right."""
    things: dict[Thing, set[str]] = field(default_factory=dict)
    fresh: set[Thing] = field(default_factory=set)
    """Things that were asked to change since they were last read back."""
    secrets: dict[str, tuple[str, str]] = field(default_factory=dict)
    """The key pairs of other accounts, by account."""
    archives: dict[str, bytes] = field(default_factory=dict)
    """Every archive that was ever sent, by its digest."""
    versions: dict[str, str] = field(default_factory=dict)
    """What the code of an archive answers, by the checksum that callers see."""
    delivered_to: dict[str, str] = field(default_factory=dict)
    """By function: where the records of its tasks go."""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def number(self) -> int:
        """One that was not given before."""
        return next(self._numbers)

    @contextmanager
    def changing(self, kind: str, name: str, value: str) -> Iterator[None]:
        """A change to `value` is asked for; when the block ends well, it was acknowledged."""
        thing = Thing(kind, name)
        self.things[thing] = self.things.get(thing, {ABSENT}) | {value}
        self.fresh.add(thing)
        yield
        self.things[thing] = {value}

    def know(self, kind: str, name: str, value: str) -> None:
        """A thing has this value, as its answer says."""
        thing = Thing(kind, name)
        self.things[thing] = {value}
        self.fresh.add(thing)
