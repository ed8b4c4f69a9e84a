"""Compiled runtimes: functions that are programs built with FC's Go SDK, or anything that polls like it."""

from __future__ import annotations

from sojourn.runtime import Interpreter, Resolved

from .python import own_interpreter

NAMES = ("go1",)


class CompiledRuntime:
    """Programs that ask the runtime API for invocations; a handler is the name of the program's file."""

    language = "go"

    def interpreters(self) -> tuple[Interpreter, ...]:
        """None: a program needs nothing but the machine's files."""
        return ()

    def resolve(self, runtime: str) -> Resolved | None:
        """What `runtime` gets here; None for a name that is not one of these."""
        return Resolved(interpreter=own_interpreter(), kind="poll") if runtime in NAMES else None
