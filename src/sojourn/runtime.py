"""The runtime contract: how a function's `runtime` setting becomes something that can be run.

A driver recognises runtime names (`python3.12`), finds what the machine offers for them, and says plainly when it
gives something other than what was asked for. Starting it is left to `agent`, inside a sandbox; `runtimes/` holds the
choices.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec


class Interpreter(msgspec.Struct, frozen=True, kw_only=True):
    """A language runtime found on this machine.

    `executable` is the real binary (no shim, no virtual environment), `prefix` the directory tree it needs at run time,
    `version` such as `3.12.1`.
    """

    language: str
    version: str
    executable: Path
    prefix: Path


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """The interpreter a function gets; `exact` is False when it is not what was asked for: `note` says so.

    `kind` says who serves invocations inside an instance: `python` the interpreter itself, `node` the program
    `program`, `custom` a program of the function's that speaks HTTP, `poll` one that asks for invocations over the
    runtime API, `container` an image that speaks HTTP. For all but `python` the instance begins as a fork of
    `interpreter` that makes way for it.
    """

    interpreter: Interpreter
    kind: str = "python"
    program: Interpreter | None = None
    exact: bool = True
    note: str = ""


class Runtime(Protocol):
    """One family of runtimes."""

    language: str

    def interpreters(self) -> tuple[Interpreter, ...]:
        """What was found on this machine, newest first."""
        ...

    def resolve(self, runtime: str) -> Resolved | None:
        """What `runtime` gets here; None when this driver does not know the name.

        Raises
        ------
        InvalidArgument: the name is of this family but nothing on the machine can run it.

        """
        ...
