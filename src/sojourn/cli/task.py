"""`sojourn task`: submitting tasks, watching and stopping them."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from sojourn.client import Status, TaskFilter
from sojourn.clock import SystemClock, milliseconds

from . import lines as lines_of_tasks
from . import submission
from .display import print_many, print_one
from .failure import CommandFailed
from .options import COMMON, Common
from .payload import milliseconds_of, payload_of
from .taskview import DELIVERY_HEADS, HEADS, delivery_row, print_task, row

app = cyclopts.App(name="task", help="Submit, watch and stop tasks.", help_format="plaintext")
PAGE_LIMIT_MAX = 100


@app.command
def submit(
    function: str,
    /,
    *,
    payload: Annotated[str, Parameter(allow_leading_hyphen=True)] = "",
    task_id: str | None = None,
    delay: int | None = None,
    qualifier: str = "",
    count: int = 1,
    wait: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    timeout: float | None = None,
    lines: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    from_line: int = 1,
    common: Common = COMMON,
) -> int:
    """Submit a task and print its id, or with --wait what became of it; or many tasks, a line of a file each.

    For example:

        sojourn task submit hello --payload @event.json --task-id first --wait
        sojourn task submit hello --lines tasks.jsonl

    Parameters
    ----------
    function
        The function to call.
    payload
        The text to call it with, @FILE for a file's content, or - for standard input.
    task_id
        Your id for the task; with --count it is followed by -1, -2 and so on. [default: the server chooses]
    delay
        Seconds to wait before it may start.
    qualifier
        The version or alias to run. [default: LATEST]
    count
        How many tasks to submit.
    wait
        Wait until all are over; exit with 1 when one did not succeed.
    timeout
        Seconds to wait at most; past them the exit code is 124 and the tasks go on.
    lines
        A file, or - for standard input, with a task a line, such as {"taskId": "a", "payload": {"n": 1}}; a line may
        also have payloadBase64, delaySeconds and qualifier. Lines that are refused are told on standard error, the
        others are submitted, and the exit code is 1.
    from_line
        The line to begin with, to go on after an interruption.

    """
    if from_line < 1 or (from_line > 1 and lines is None):
        raise CommandFailed(f"--from-line counts the lines of --lines from 1, got {from_line}", "give --lines a file")
    if lines is not None:
        one = (payload, task_id, delay, qualifier, count, wait, timeout)
        if one != ("", None, None, "", 1, False, None):
            raise CommandFailed("--lines says everything in its lines", "leave the options of a single task out")
        return lines_of_tasks.carry_out(lines_of_tasks.Lines(function, lines, from_line), common)
    if count < 1:
        raise CommandFailed(f"--count must be at least 1, got {count}", "leave it out for one task")
    if timeout is not None and (timeout < 0 or not wait):
        raise CommandFailed("--timeout bounds --wait, in seconds from 0 up", "add --wait, or leave --timeout out")
    order = submission.Order(function, payload_of(payload), task_id, delay, qualifier, count, wait, timeout)
    return submission.carry_out(order, common)


@app.command
def get(function: str, task_id: str, /, *, common: Common = COMMON) -> None:
    """Show a task and its history.

    For example:

        sojourn task get hello first

    Parameters
    ----------
    function
        Its function.
    task_id
        The task.

    """
    with common.client() as client:
        task = client.get_task(function, task_id)
    print_one(common.output, task, lambda: print_task(task))


@app.command(name="list")
def list_(
    function: str,
    /,
    *,
    status: str | None = None,
    prefix: str = "",
    since: str | None = None,
    limit: int = 20,
    all: Annotated[bool, Parameter(negative="", show_default=False)] = False,  # noqa: A002 - it is the option's name
    common: Common = COMMON,
) -> None:
    """List the tasks of a function, newest first.

    For example:

        sojourn task list hello --status Failed --since 2h --all -o jsonl

    Parameters
    ----------
    function
        Their function.
    status
        Only those in this status, such as Running.
    prefix
        Only ids that begin so.
    since
        Only those started since: 10m, 2h, 1d ago, a date and time, or milliseconds.
    limit
        How many at most.
    all
        As many as there are.

    """
    if limit < 1:
        raise CommandFailed(f"--limit must be at least 1, got {limit}", "use --all for all of them")
    wanted = TaskFilter(
        status=None if status is None else _status(status),
        prefix=prefix,
        started_from=None if since is None else milliseconds_of(since, milliseconds(SystemClock().now())),
        limit=PAGE_LIMIT_MAX if all else min(limit, PAGE_LIMIT_MAX),
    )
    with common.client() as client:
        found = client.iterate_tasks(function, wanted)
        print_many(common.output, found if all else islice(found, limit), HEADS, row)


@app.command
def stop(function: str, task_id: str, /, *, common: Common = COMMON) -> None:
    """Stop a task: nothing of it starts any more, and what runs is ended.

    For example:

        sojourn task stop hello first

    Parameters
    ----------
    function
        Its function.
    task_id
        The task.

    """
    with common.client() as client:
        client.stop_task(function, task_id)
        task = client.get_task(function, task_id)
    print_one(common.output, task, lambda: print(f"Task {task_id} is {task.status.value}."))


@app.command
def logs(
    function: str,
    task_id: str,
    /,
    *,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative="", show_default=False)] = False,
    common: Common = COMMON,
) -> None:
    """Print what each attempt of a task wrote, with -f also what it writes from now on.

    For example:

        sojourn task logs -f hello first

    Parameters
    ----------
    function
        Its function.
    task_id
        The task.
    follow
        Print as it comes, until the task is over; it need not have begun.

    """
    if follow and common.output != "table":
        raise CommandFailed("--follow prints text as it comes, not JSON", "leave --output or --follow out")
    with common.client() as client:
        if follow:
            for text in client.logs(function, task_id, follow=True):
                print(text, end="", flush=True)
            return
        found = client.logs(function, task_id)
    if common.output != "table":
        print_many(common.output, found, (), lambda _: ())
        return
    for log in found:
        if len(found) > 1:
            print(f"==> attempt {log.attempt} <==")
        print(log.text, end="" if log.text.endswith("\n") or not log.text else "\n")


@app.command
def deliveries(
    function: str,
    task_id: str,
    /,
    *,
    resend: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    common: Common = COMMON,
) -> None:
    """Show where the record of a finished task goes, and how far it is.

    For example:

        sojourn task deliveries hello first --resend

    Parameters
    ----------
    function
        Its function.
    task_id
        The task.
    resend
        Send the record again, whatever became of it before.

    """
    with common.client() as client:
        found = [client.resend(function, task_id)] if resend else client.deliveries(function, task_id)
    print_many(common.output, found, DELIVERY_HEADS, delivery_row)


def _status(text: str) -> Status:
    for known in Status:
        if known.value.lower() == text.lower():
            return known
    raise CommandFailed(f"there is no status {text!r}", f"use one of {', '.join(known.value for known in Status)}")
