"""How answers are printed: tables for people, JSON with the wire's field names for programs.

JSON is an object for one thing and an array for many; in the `jsonl` form each thing is one line. In tables, control
characters of other people's text are spelled out, so that a task's payload cannot steer a terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .options import Form

S = TypeVar("S", bound=msgspec.Struct)
Cell = str | Text

PIPE_WIDTH = 100_000
CELL_CHARACTERS_MAX = 2_000
STYLES = {
    "Succeeded": "green",
    "Failed": "red",
    "Invalid": "red",
    "Expired": "red",
    "Retrying": "yellow",
    "Stopping": "yellow",
    "Stopped": "yellow",
    "Running": "cyan",
}
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {0x0A: "\\n", 0x09: "\\t"}


def print_one(form: Form, thing: msgspec.Struct, table: Callable[[], None]) -> None:
    """Print one thing: in the JSON forms itself, else by calling `table`."""
    match form:
        case "json":
            print(msgspec.json.format(msgspec.json.encode(thing), indent=2).decode())
        case "jsonl":
            print(msgspec.json.encode(thing).decode())
        case _:
            table()


def print_many(form: Form, things: Iterable[S], heads: Sequence[str], row: Callable[[S], Sequence[Cell]]) -> None:
    """Print many things: an array, a line each as they come, or a table of `heads` with a `row` each."""
    match form:
        case "json":
            print(msgspec.json.format(msgspec.json.encode(list(things)), indent=2).decode())
        case "jsonl":
            for thing in things:
                print(msgspec.json.encode(thing).decode())
        case _:
            print_table(heads, [row(thing) for thing in things])


def print_table(heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """A table; its heads stand even above no rows."""
    console = out()
    table = Table(*heads, box=SIMPLE_HEAD if console.is_terminal else None, pad_edge=False, show_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(plain(cell)) for cell in row))
    _print(console, table)


def print_facts(facts: Iterable[tuple[str, Cell]]) -> None:
    """Names and values, one a line; empty values are left out."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        if value:
            table.add_row(name, value if isinstance(value, Text) else Text(plain(value)))
    _print(out(), table)


def _print(console: Console, table: Table) -> None:
    """Without the blanks that fill a table's lines up."""
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        print(line.rstrip())


def out() -> Console:
    """Standard output; where no terminal is, no line is ever cut."""
    return Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)


def err() -> Console:
    """Standard error, for progress."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def plain(text: str) -> str:
    """`text` on one line, without anything that moves a cursor, cut when it is very long."""
    if len(text) > CELL_CHARACTERS_MAX:
        text = f"{text[:CELL_CHARACTERS_MAX]}… ({len(text)} characters, -o json shows all)"
    return text.translate(_CONTROL)


def status(name: str) -> Text:
    """A status in its colour."""
    return Text(name, style=STYLES.get(name, ""))


def moment(milliseconds: int) -> str:
    """A time on the wire as local time with milliseconds; "" for 0."""
    if not milliseconds:
        return ""
    at = datetime.fromtimestamp(milliseconds // 1000).astimezone()
    return f"{at:%Y-%m-%d %H:%M:%S}.{milliseconds % 1000:03d}"


def moment_of_text(time: str | int) -> str:
    """The time as local time: RFC 3339 text or milliseconds, as the server sent it."""
    if isinstance(time, int):
        return moment(time)
    try:
        at = datetime.fromisoformat(time)
    except ValueError:
        return time
    return moment(round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000))


def zone() -> str:
    """The local time zone's offset, for the head of a column of times."""
    offset = f"{datetime.now().astimezone():%z}"
    return f"UTC{offset[:3]}:{offset[3:]}" if offset != "+0000" else "UTC"


def size(count: int) -> str:
    """A number of bytes for people."""
    amount, unit = float(count), "B"
    for larger in ("kB", "MB", "GB"):
        if amount < 1000:  # noqa: PLR2004 - SI prefixes step by a thousand
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.3g} {unit}"
