"""An instance: its statuses and the one table of moves (the article's Figures 2 and 3).

An instance is the execution environment of one function at one revision: it is created, initialized, invoked, frozen
between invocations, and stopped. A lifecycle hook is a *passage*: entering Initializing runs Initializer, entering
Freezing runs PreFreeze, entering Stopping runs PreStop. A hook that is not configured is never called and its passage
is taken at once. This file is pure; `pool` walks the table and `agent` does the work.
"""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType

import msgspec

from . import machine


class Status(Enum):
    """Where an instance is in its life."""

    CREATING = "Creating"
    """Its process, code and sandbox are being made."""
    INITIALIZING = "Initializing"
    """Initializer runs: once, before the first handler."""
    IDLE = "Idle"
    """Warm, nothing runs in it."""
    INVOKING = "Invoking"
    """A handler runs."""
    FREEZING = "Freezing"
    """PreFreeze runs: after the last in-flight invocation."""
    FROZEN = "Frozen"
    """No CPU until it is thawed."""
    STOPPING = "Stopping"
    """PreStop runs, then the process tree is ended."""
    DESTROYED = "Destroyed"
    """Its process tree is gone."""

    __hash__ = object.__hash__  # as of a task's statuses


class Created(msgspec.Struct, frozen=True):
    """The process is up and the agent speaks for it."""


class Initialized(msgspec.Struct, frozen=True):
    """Initializer returned, or there is none."""


class Invoked(msgspec.Struct, frozen=True):
    """An invocation was assigned; there may be others in flight."""


class Released(msgspec.Struct, frozen=True):
    """The last in-flight invocation ended."""


class FreezeBegun(msgspec.Struct, frozen=True):
    """It has idled long enough to be frozen."""


class FrozenNow(msgspec.Struct, frozen=True):
    """PreFreeze is over (or there is none) and the processes stand still."""


class Thawed(msgspec.Struct, frozen=True):
    """The processes run again."""


class StopBegun(msgspec.Struct, frozen=True):
    """It must go; `reason` is one of `REASONS`."""

    reason: str


class Died(msgspec.Struct, frozen=True):
    """Its process tree is gone, asked for or not."""


REASONS = ("stop", "timeout", "cancel", "idle", "update", "memory", "initializer", "drain", "shutdown")
"""Why an instance is ended: a task was stopped or timed out, a caller went away, it idled too long, its function
changed, others need its memory, its Initializer failed, the server ends."""

LIVE = (
    Status.CREATING,
    Status.INITIALIZING,
    Status.IDLE,
    Status.INVOKING,
    Status.FREEZING,
    Status.FROZEN,
)

TRANSITIONS: machine.Table[Status] = MappingProxyType(
    {
        (Status.CREATING, Created): Status.INITIALIZING,
        (Status.INITIALIZING, Initialized): Status.IDLE,
        (Status.IDLE, Invoked): Status.INVOKING,
        (Status.INVOKING, Invoked): Status.INVOKING,  # one more, where instanceConcurrency allows it
        (Status.INVOKING, Released): Status.IDLE,
        (Status.IDLE, FreezeBegun): Status.FREEZING,
        (Status.FREEZING, FrozenNow): Status.FROZEN,
        (Status.FROZEN, Thawed): Status.IDLE,
        **{(status, StopBegun): Status.STOPPING for status in LIVE},
        **{(status, Died): Status.DESTROYED for status in (*LIVE, Status.STOPPING)},
    }
)

TERMINAL = machine.terminal(TRANSITIONS, Status)
