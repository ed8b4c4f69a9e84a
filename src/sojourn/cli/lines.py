"""`sojourn task submit --lines`: as many tasks as a file has lines, some thousand in a call.

A line is what `POST /v1/functions/{function}/tasks` takes, and goes to the server as it is: what is wrong with it, the
server says. A server without room is waited for. When it ends early, what is said last is where to go on.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from sojourn.client import Client, ClientError, Outcome, Retries, Submission
from sojourn.client.batch import parts
from sojourn.client.calls import submit_lines

from . import exits
from .display import plain, print_many
from .failure import CommandFailed
from .options import Common
from .progress import reading

LINES_AT_ONCE = 2_000
THROTTLED_MAX = 1_000
"""How often a server may say that it has no room before that is the end."""


class Lines(NamedTuple):
    """Where they are: `path` is a file or `-`, those before `first` were submitted already."""

    function: str
    path: str
    first: int


class _Done:
    """What is known so far: `read` lines went to the server, `answered` of them have an outcome."""

    def __init__(self, first: int) -> None:
        self.read = self.answered = first - 1
        self.accepted: list[Submission] = []
        self.accepted_count = self.refused_count = 0


def carry_out(lines: Lines, common: Common) -> int:
    """Submit them, print the ids of those that are accepted, and return the exit code."""
    done = _Done(lines.first)
    try:
        with Client(common.connection(), retries=Retries(throttled=THROTTLED_MAX)) as client:
            _submit(client, lines, common, done)
    except (KeyboardInterrupt, ClientError):
        _say_where_to_go_on(done)
        raise
    if common.output == "json":
        print_many(common.output, done.accepted, (), lambda _: ())
    if done.refused_count:
        print(f"{done.accepted_count} submitted, {done.refused_count} refused", file=sys.stderr)
    return exits.OTHER if done.refused_count else exits.OK


def _submit(client: Client, lines: Lines, common: Common, done: _Done) -> None:
    with _opened(lines.path) as (file, size_bytes), reading("Submitting", size_bytes) as advance:
        numbers: list[int] = []
        for part in parts(_numbered(file, lines.first, numbers), LINES_AT_ONCE):
            mine, numbers[:] = numbers[: len(part)], numbers[len(part) :]
            done.read = mine[-1]
            outcomes = client.ask(submit_lines(lines.function, part))
            done.answered = mine[-1]
            _tell(common, done, mine, outcomes)
            advance(len(part), sum(len(line) + 1 for line in part))


def _numbered(file: Iterable[bytes], first: int, numbers: list[int]) -> Iterator[bytes]:
    """The lines that hold something, from `first` on; `numbers` says where each one stands."""
    for number, line in enumerate(file, 1):
        text = line.strip()
        if text and number >= first:
            numbers.append(number)
            yield text


def _tell(common: Common, done: _Done, numbers: Sequence[int], outcomes: Sequence[Outcome]) -> None:
    accepted = [outcome for outcome in outcomes if isinstance(outcome, Submission)]
    done.accepted_count += len(accepted)
    done.refused_count += len(outcomes) - len(accepted)
    match common.output:
        case "table":
            print("".join(f"{submission.task_id}\n" for submission in accepted), end="", flush=True)
        case "jsonl":
            print_many(common.output, accepted, (), lambda _: ())
        case _:
            done.accepted += accepted
    for number, outcome in zip(numbers, outcomes, strict=True):
        if isinstance(outcome, ClientError):
            print(f"line {number}: {plain(outcome.message)} ({outcome.code})", file=sys.stderr)


def _say_where_to_go_on(done: _Done) -> None:
    if done.read > done.answered:
        unsure = f"lines {done.answered + 1} to {done.read} may be submitted; those with a taskId never are twice. "
    else:
        unsure = ""
    print(
        f"{done.accepted_count} submitted, {done.refused_count} refused. {unsure}"
        f"Go on with --from-line {done.answered + 1}",
        file=sys.stderr,
    )


@contextmanager
def _opened(path: str) -> Iterator[tuple[BinaryIO, int | None]]:
    """The file, or standard input for `-`, and its size when it has one."""
    if path == "-":
        yield sys.stdin.buffer, None
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - what is inside must not be taken for a failure to open it
    except OSError as error:
        raise CommandFailed(
            f"the file of lines {path!r} cannot be read ({error.strerror})",
            "check the path, or use - for standard input",
        ) from None
    with file:
        size_bytes = Path(path).stat().st_size if Path(path).is_file() else None
        yield file, size_bytes
