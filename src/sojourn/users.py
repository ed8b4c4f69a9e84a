"""Which user numbers the sandboxes of accounts have when the server is root.

An account's number is its place within a range that no other server of this machine uses: servers that shared numbers
would let the functions of one signal, read and answer for those of the other. A range is held by a lock on a file that
all servers of the machine know, and goes with the process that holds it. A data directory asks for the ranges that it
had before, and others get those last, so that an account keeps its number. Which ranges a server gets is decided here,
and who runs under them elsewhere.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from .errors import SandboxUnavailable

log = logging.getLogger(__name__)

FIRST_UID = 200_000
"""The first number of the first range; it is nobody's, because places count from 1."""
RANGE = 1_000
"""How many numbers a range has. Further accounts get a further range."""
RANGES_MAX = 1_000
CLAIMS = Path("/run/sojourn/users")
"""Where the lock files are. Each names its last holder."""
_HOLDER_BYTES_MAX = 4096


class Users:
    """The user numbers of one server.

    Parameters
    ----------
    record: the file that says which ranges this data directory had.
    claims: the directory of the lock files, one for each range, common to all servers of the machine.

    """

    def __init__(self, record: Path, claims: Path = CLAIMS) -> None:
        self._record, self._claims = record, claims
        self._before = _recorded(record)
        self._held: dict[int, tuple[int, int]] = {}
        """Which part of the places has which range: its first number and the descriptor that holds it."""

    def of(self, place: int) -> int:
        """The number of the account with this place among all accounts of the server.

        Raises
        ------
        SandboxUnavailable: every range is in use.

        """
        part, offset = divmod(place, RANGE)
        if part not in self._held:
            self._held[part] = self._claim(part)
            self._write()
        first, _ = self._held[part]
        return first + offset

    def release(self) -> None:
        """Leave the ranges to others; nothing runs under them any more."""
        for _, descriptor in self._held.values():
            if descriptor >= 0:
                os.close(descriptor)
        self._held.clear()

    def _claim(self, part: int) -> tuple[int, int]:
        try:
            self._claims.mkdir(mode=0o700, parents=True, exist_ok=True)
            for spare in (True, False):
                for first in self._wanted(part):
                    descriptor = self._lock(first, spare=spare)
                    if descriptor >= 0:
                        return first, descriptor
        except OSError as error:
            log.warning("other servers of this machine may use the same user numbers, for want of a lock: %s", error)
            return FIRST_UID + part * RANGE, -1
        raise SandboxUnavailable(f"all {RANGES_MAX} ranges of user numbers are in use, see {self._claims}")

    def _wanted(self, part: int) -> Iterator[int]:
        """Ranges in the order in which to try them: the one of before, then all but those of other parts."""
        if part in self._before:
            yield self._before[part]
        others = {first for other, first in self._before.items() if other != part}
        yield from (first for first in range(FIRST_UID, FIRST_UID + RANGES_MAX * RANGE, RANGE) if first not in others)

    def _lock(self, first: int, *, spare: bool) -> int:
        """A descriptor that holds the range; -1 when it is in use, with `spare` also when its holder may come back."""
        descriptor = os.open(self._claims / str(first), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return -1
        ours = str(self._record.resolve())
        holder = os.fsdecode(os.pread(descriptor, _HOLDER_BYTES_MAX, 0))
        if holder != ours:  # else what runs there is ours, and is ending
            if (spare and holder and Path(holder).exists()) or _in_use(first):  # by a server that was killed just now
                os.close(descriptor)
                return -1
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, os.fsencode(ours), 0)
        return descriptor

    def _write(self) -> None:
        ranges = {**self._before, **{part: first for part, (first, _) in self._held.items()}}
        fresh = self._record.with_name(self._record.name + ".new")
        fresh.write_bytes(msgspec.json.encode(ranges))
        fresh.replace(self._record)


def _recorded(record: Path) -> dict[int, int]:
    try:
        found = msgspec.json.decode(record.read_bytes(), type=dict[int, int])
    except (OSError, msgspec.MsgspecError):
        return {}
    known = range(FIRST_UID, FIRST_UID + RANGES_MAX * RANGE, RANGE)
    return {part: first for part, first in found.items() if first in known}


def _in_use(first: int) -> bool:
    """Whether some process runs under a number of the range."""
    return any(first <= uid < first + RANGE for uid in _running())


def _running() -> Iterator[int]:
    """The user numbers of all processes; those that hide from their user look like root's by their directory."""
    for name in os.listdir("/proc"):  # noqa: PTH208 - names are what is wanted, thousands of them
        if name.isdigit():
            try:
                text = Path("/proc", name, "status").read_bytes()
            except OSError:
                continue
            if b"\nState:\tZ" not in text:  # it runs no more, whoever forgot to wait for it
                yield int(text.partition(b"\nUid:\t")[2].split(b"\t", 1)[0])
