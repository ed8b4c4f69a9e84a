"""What takes more than one call: deploying, submitting again, waiting, and trying again.

A conversation is a generator. It yields steps, a `Call` to send, a `Pause` to sleep or `Work` to do, and is handed the
decoded answer, or has the `ClientError` thrown into it. So the same words serve a blocking and an asynchronous client,
and a test that has neither sockets nor time. Who walks through a conversation is said in `blocking` and `asynchronous`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from sojourn.clock import Clock

from . import batch, calls, governing, model
from .batch import NewTask, Outcome
from .call import Call, Progress
from .calls import TaskSettings
from .entries import Code
from .errors import ClientError, Conflict, NotFound, Throttled, Unreachable, WaitTimedOut, refused
from .naming import Page

T = TypeVar("T")

POLL_FIRST_SECONDS = 0.005
POLL_GROWTH = 1.5
POLL_MAX_SECONDS = 0.5
POLL_SHARE_SECONDS = 0.005
"""Of many tasks waited for at once, each is asked about this much less often per other one: 200 questions a second."""


class Pause(msgspec.Struct, frozen=True):
    """Nothing is to be done for `seconds`."""

    seconds: float


class Work(msgspec.Struct, frozen=True):
    """Something is to be done here that takes its time, such as reading files; what it returns is the answer."""

    do: Callable[[], Any]


Step = Call[Any] | Pause | Work
Conversation = Generator[Step, Any, T]


class Retries(msgspec.Struct, frozen=True, kw_only=True):
    """How often a call is sent again.

    `connection` counts the times after the connection failed, for calls that are idempotent, or were not sent because
    there was no connection; `throttled` those after the server said that it has no room (429, 503), for every call,
    because the server did nothing then. The wait is `base_seconds` × 2ⁿ, or what the server's Retry-After says, at most
    `retry_after_seconds_max`.
    """

    connection: int = 2
    throttled: int = 0
    base_seconds: float = 0.05
    retry_after_seconds_max: float = 60.0


class Pace:
    """How many tasks are waited for at once, which sets how often each is asked about."""

    def __init__(self, waiting: int = 1) -> None:
        self.waiting = waiting

    def interval_seconds(self, polls: int) -> float:
        """The wait after poll number `polls`, from 0."""
        grown = POLL_FIRST_SECONDS * POLL_GROWTH ** min(polls, 40)
        return max(min(grown, POLL_MAX_SECONDS), self.waiting * POLL_SHARE_SECONDS)


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """A function to create or to update; None leaves the server's default, or what is there.

    `archive` is the zip. Memory in MB, timeout in seconds. `settings` are further fields of the function as the
    API spells them, `instanceLifecycleConfig` and the like; they win over the others.
    """

    name: str
    archive: bytes
    handler: str | None = None
    runtime: str | None = None
    timeout: int | None = None
    memory: int | None = None
    env: Mapping[str, str] | None = None
    description: str | None = None
    tasks: TaskSettings = TaskSettings()
    reserved_concurrency: int | None = None
    settings: Mapping[str, object] | None = None

    def body(self) -> dict[str, object]:
        """The wire's body, without what is not given."""
        fields = {
            "functionName": self.name,
            "runtime": self.runtime,
            "handler": self.handler,
            "timeout": self.timeout,
            "memorySize": self.memory,
            "environmentVariables": self.env,
            "description": self.description,
            "code": {"zipFile": base64.b64encode(self.archive).decode()},
        }
        given = {name: value for name, value in fields.items() if value is not None}
        return given | dict(self.settings or {})


def ask(call: Call[T]) -> Conversation[T]:
    """The conversation of one call."""
    answer: T = yield call
    return answer


def every(call_for: Callable[[str], Call[Page[T]]]) -> Conversation[list[T]]:
    """All things of a list, page after page; `call_for` makes the call for the page after a token."""
    found: list[T] = []
    token = ""
    while True:
        page: Page[T] = yield call_for(token)
        found += page.items
        token = page.next_token
        if not token:
            return found


def code_of(function: str, qualifier: str) -> Conversation[bytes]:
    """The archive of a function."""
    code: Code = yield governing.get_code(function, qualifier)
    archive: bytes = yield governing.download(code)
    return archive


def deploy(wanted: Deployment, progress: Progress | None) -> Conversation[model.Function]:
    """Create the function, or update it when it exists; then its configuration of tasks and its concurrency."""
    body = wanted.body()
    update = {name: value for name, value in body.items() if name != "functionName"}
    try:
        yield calls.get_function(wanted.name)
    except NotFound:
        try:
            function: model.Function = yield calls.create_function(body, progress)
        except Conflict:  # somebody else created it meanwhile
            function = yield calls.update_function(wanted.name, update, progress)
    else:
        function = yield calls.update_function(wanted.name, update, progress)
    if wanted.tasks != TaskSettings():
        yield calls.put_async_config(wanted.name, wanted.tasks)
    if wanted.reserved_concurrency is not None:
        yield calls.put_concurrency(wanted.name, wanted.reserved_concurrency)
    return function


def submit(
    function: str,
    payload: bytes,
    task_id: str | None,
    delay: int | None,
    qualifier: str = "",
    *,
    tags: Mapping[str, str] | None = None,
    existing_ok: bool,
) -> Conversation[model.Submission]:
    """Submit a task; with `existing_ok` a task that is already there under `task_id` counts as this one."""
    if existing_ok and task_id is None:
        raise refused("task_id", None, "must be given for existing_ok")
    try:
        accepted: model.Submission = yield calls.submit(
            function, payload, task_id, delay, qualifier, tags=tags, idempotent=existing_ok
        )
    except Conflict as error:
        if not existing_ok or task_id is None:
            raise
        return model.Submission(task_id=task_id, request_id=error.request_id, existed=True)
    return accepted


def submit_many(
    function: str,
    tasks: Sequence[NewTask],
    *,
    existing_ok: bool,
    on_outcomes: Callable[[Sequence[Outcome]], None] | None = None,
) -> Conversation[list[Outcome]]:
    """Submit `tasks`, as many in a call as fit; what is said of each is in their order.

    The first call raises what it fails with. What a later one fails with is the outcome of its tasks and of those that
    would have followed, so that nobody loses what is known of the ones before.
    """
    if existing_ok and any(task.task_id is None for task in tasks):
        raise refused("task_id", None, "must be given for existing_ok")
    found: list[Outcome] = []
    for lines in batch.parts(task.line() for task in tasks):
        part = tasks[len(found) : len(found) + len(lines)]
        try:
            came_to: list[Outcome] = yield calls.submit_lines(function, lines, idempotent=existing_ok)
        except ClientError as error:
            if not found:
                raise
            return found + [error] * (len(tasks) - len(found))
        found += batch.settled(came_to, part) if existing_ok else came_to
        if on_outcomes is not None:
            on_outcomes(found[-len(part) :])
    return found


def wait(
    function: str, task_id: str, *, clock: Clock, timeout: float | None, pace: Pace | None = None
) -> Conversation[model.Task]:
    """Ask about a task until it is over, ever less often."""
    pace = pace or Pace()
    deadline = None if timeout is None else clock.monotonic() + timeout
    polls = 0
    while True:
        task: model.Task = yield calls.get_task(function, task_id)
        if task.over:
            pace.waiting -= 1
            return task
        seconds = pace.interval_seconds(polls)
        if deadline is not None:
            left = deadline - clock.monotonic()
            if left <= 0:
                said = f"task {task_id!r} of function {function!r} is still {task.status.value} after {timeout:g} s"
                raise WaitTimedOut(said, [(function, task_id)], task)
            seconds = min(seconds, left)
        yield Pause(seconds)
        polls += 1


def late_together(late: Sequence[WaitTimedOut], count: int, timeout: float | None) -> WaitTimedOut:
    """One error for the tasks among `count` that are not over after `timeout` seconds; a lone one keeps its own."""
    if count == 1:
        return late[0]
    waiting = [pair for error in late for pair in error.waiting]
    return WaitTimedOut(f"{len(waiting)} of {count} tasks are not over after {timeout or 0:g} s", waiting)


def persistent(conversation: Conversation[T], retries: Retries) -> Conversation[T]:
    """`conversation`, with each of its calls sent again where `retries` allows it."""
    try:
        step = next(conversation)
        while True:
            try:
                answer = yield from _again(step, retries)
            except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the one who asked
                step = conversation.throw(error)
            else:
                step = conversation.send(answer)
    except StopIteration as end:
        answer_of_all: T = end.value
        return answer_of_all


def _again(step: Step, retries: Retries) -> Conversation[Any]:
    broken = throttled = 0
    while True:
        try:
            answer = yield step
        except Unreachable as error:
            safe = isinstance(step, Call) and (step.idempotent or not error.sent)
            if not safe or broken >= retries.connection:
                raise
            yield Pause(retries.base_seconds * 2**broken)
            broken += 1
        except Throttled as error:
            if throttled >= retries.throttled:
                raise
            grown = retries.base_seconds * 2**throttled
            yield Pause(min(max(grown, error.retry_after), retries.retry_after_seconds_max))
            throttled += 1
        except NotFound:
            if broken and isinstance(step, Call) and step.method == "DELETE":
                return None  # the delete whose answer was lost had arrived
            raise
        else:
            return answer
