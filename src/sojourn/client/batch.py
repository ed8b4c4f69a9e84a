"""Many tasks in one call: how each is spelled as a line, which go together, and what became of each.

Pure, as `calls`. A line is refused by itself, so its outcome is a value: a `Submission`, or the error that a call with
this task alone would have raised.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from . import errors
from .errors import ClientError, Conflict
from .model import Submission

LINES_MAX = 10_000
"""What a server takes in one call."""
BYTES_MAX = 4 * 1024 * 1024
"""A quarter of what a server takes, so that one call is a moment and not a minute."""

Outcome = Submission | ClientError

_encode = msgspec.json.Encoder().encode


class NewTask(msgspec.Struct, frozen=True):
    """A task to submit; see `Client.submit` for what the fields mean."""

    payload: bytes | str = b""
    task_id: str | None = None
    delay: int | None = None
    qualifier: str = ""
    tags: Mapping[str, str] = {}

    def line(self) -> bytes:
        """The task as a line of a batch."""
        payload = self.payload.encode() if isinstance(self.payload, str) else self.payload
        encoded = base64.b64encode(payload).decode()
        return _encode(_Line(encoded, self.task_id, self.delay, self.qualifier, self.tags))


def new_task(task: NewTask | bytes | str) -> NewTask:
    """A task given by its payload alone is one too."""
    return task if isinstance(task, NewTask) else NewTask(task)


def parts(lines: Iterable[bytes], lines_max: int = LINES_MAX, bytes_max: int = BYTES_MAX) -> Iterator[list[bytes]]:
    """`lines` in parts that fit into a call each; a line that is too long by itself is left to the server to refuse."""
    part: list[bytes] = []
    size = 0
    for line in lines:
        if part and (len(part) >= lines_max or size + len(line) >= bytes_max):
            yield part
            part, size = [], 0
        part.append(line)
        size += len(line) + 1
    if part:
        yield part


def outcomes(body: bytes, count: int) -> list[Outcome]:
    """What became of the `count` lines of a batch, in order.

    Raises
    ------
    ValueError: the answer is about other lines.

    """
    results = msgspec.json.decode(body, type=_Results).results
    if [result.line for result in results] != list(range(1, count + 1)):
        raise ValueError(f"{len(results)} outcomes for {count} lines")
    return [
        errors.of_outcome(result.status, result.code, result.message)
        if result.status >= errors.HTTP_ERRORS_BEGIN
        else Submission(task_id=result.task_id, request_id=result.request_id)
        for result in results
    ]


def settled(found: Sequence[Outcome], tasks: Sequence[NewTask]) -> list[Outcome]:
    """The same, where a task that is there already under its own id counts as this one."""
    return [
        Submission(task_id=task.task_id, request_id=outcome.request_id, existed=True)
        if isinstance(outcome, Conflict) and task.task_id is not None
        else outcome
        for outcome, task in zip(found, tasks, strict=True)
    ]


class _Line(msgspec.Struct, omit_defaults=True, rename="camel"):
    payload_base64: str = ""
    task_id: str | None = None
    delay_seconds: int | None = None
    qualifier: str = ""
    tags: Mapping[str, str] = {}


class _Result(msgspec.Struct, rename="camel"):
    line: int
    status: int
    task_id: str = ""
    request_id: str = ""
    code: str = ""
    message: str = ""


class _Results(msgspec.Struct):
    results: list[_Result]
