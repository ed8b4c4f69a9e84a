"""Operations on many tasks, from the words of a command to their end."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Annotated

import msgspec
from cyclopts import Parameter

from sojourn.client import Client, Operation

from . import exits
from .display import Cell, moment_of_text, print_facts, print_one
from .filters import fields_of
from .options import Common

HEADS = ("OPERATION", "VERB", "STATUS", "DONE", "TOTAL", "SKIPPED", "CREATED")
LOOK_SECONDS = 0.25


@Parameter(name="*")
@dataclass(frozen=True)
class How:
    """The options of a command for many tasks."""

    dry_run: Annotated[bool, Parameter(negative="", show_default=False, help="Only count them.")] = False
    detach: Annotated[
        bool, Parameter(negative="", show_default=False, help="Do not wait for the end of the operation.")
    ] = False


HOW = How()
Filter = Annotated[str, Parameter(help="Which tasks, as field=value words.")]


class Counted(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a dry run found."""

    dry_run: bool
    verb: str
    count: int


def carry_out(verb: str, text: str, how: How, common: Common) -> int:
    """Do `verb` to every task that the filter `text` means; returns the exit code."""
    wanted = fields_of(text)
    with common.client() as client:
        if how.dry_run:
            counted = Counted(dry_run=True, verb=verb, count=client.count_tasks(verb, wanted))
            print_one(common.output, counted, lambda: print(f"{verb} would change {counted.count} tasks."))
            return exits.OK
        operation = client.begin_operation(verb, wanted)
        if not how.detach:
            operation = followed(client, operation)
    show(operation, common)
    return exits.OK


def followed(client: Client, operation: Operation) -> Operation:
    """Wait for the end of an operation, and tell on a terminal how far it is."""
    shows = sys.stderr.isatty()
    while not operation.over:
        if shows:
            total = "…" if operation.total is None else operation.total
            print(f"\r{operation.verb}: {operation.done} of {total} tasks", end="", file=sys.stderr, flush=True)
        time.sleep(LOOK_SECONDS)
        operation = client.get_operation(operation.operation_id)
    if shows:
        print(file=sys.stderr)
    return operation


def show(operation: Operation, common: Common) -> None:
    """Print an operation."""
    facts = (
        ("Operation", operation.operation_id),
        ("Verb", operation.verb),
        ("Filter", msgspec.json.encode(operation.filter).decode()),
        ("Status", operation.status),
        ("Done", str(operation.done)),
        ("Total", "" if operation.total is None else str(operation.total)),
        ("Skipped", str(operation.skipped) if operation.skipped else ""),
        ("Because", operation.skipped_reason),
        ("Asked by", operation.actor),
        ("Created", moment_of_text(operation.created_time)),
        ("Ended", moment_of_text(operation.end_time or "")),
    )
    print_one(common.output, operation, lambda: print_facts(facts))


def row(operation: Operation) -> tuple[Cell, ...]:
    """The cells under `HEADS`."""
    return (
        operation.operation_id,
        operation.verb,
        operation.status,
        str(operation.done),
        "" if operation.total is None else str(operation.total),
        str(operation.skipped),
        moment_of_text(operation.created_time),
    )
