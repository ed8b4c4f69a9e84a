"""`sojourn task`: submitting tasks, watching and stopping them.

What steers and explains is in `steering`, the stream of steps in `watching`.
"""

from __future__ import annotations

from typing import Annotated

import cyclopts
from cyclopts import Parameter

from sojourn.tags import parse_tags

from . import bulk, exits, listing, steering, submission, watching
from . import lines as lines_of_tasks
from .display import print_many, print_one
from .failure import CommandFailed
from .options import COMMON, Common
from .payload import payload_of
from .taskview import DELIVERY_HEADS, delivery_row, print_task

app = cyclopts.App(name="task", help="Submit, watch and stop tasks.", help_format="plaintext")


@app.command
def submit(
    function: str,
    /,
    *,
    payload: Annotated[str, Parameter(allow_leading_hyphen=True)] = "",
    task_id: str | None = None,
    delay: int | None = None,
    qualifier: str = "",
    tags: str = "",
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
    tags
        Words of your own that it is found by, key=value with commas between them.
    count
        How many tasks to submit.
    wait
        Wait until all are over; exit with 1 when one did not succeed.
    timeout
        Seconds to wait at most; past them the exit code is 124 and the tasks go on.
    lines
        A file, or - for standard input, with a task a line, such as {"taskId": "a", "payload": {"n": 1}}; a line may
        also have payloadBase64, delaySeconds, qualifier and tags. Lines that are refused are told on standard error,
        the others are submitted, and the exit code is 1.
    from_line
        The line to begin with, to go on after an interruption.

    """
    if from_line < 1 or (from_line > 1 and lines is None):
        raise CommandFailed(f"--from-line counts the lines of --lines from 1, got {from_line}", "give --lines a file")
    if lines is not None:
        one = (payload, task_id, delay, qualifier, tags, count, wait, timeout)
        if one != ("", None, None, "", "", 1, False, None):
            raise CommandFailed("--lines says everything in its lines", "leave the options of a single task out")
        return lines_of_tasks.carry_out(lines_of_tasks.Lines(function, lines, from_line), common)
    if count < 1:
        raise CommandFailed(f"--count must be at least 1, got {count}", "leave it out for one task")
    if timeout is not None and (timeout < 0 or not wait):
        raise CommandFailed("--timeout bounds --wait, in seconds from 0 up", "add --wait, or leave --timeout out")
    words = parse_tags("--tags", tags)
    order = submission.Order(function, payload_of(payload), task_id, delay, qualifier, count, wait, timeout, words)
    return submission.carry_out(order, common)


@app.command(name=("get", "show"))
def get(function: str, task_id: str, /, *, common: Common = COMMON) -> None:
    """Show a task and its history.

    For example:

        sojourn task get hello first
        sojourn task show hello first -o json

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


app.command(listing.list_, name="list")


@app.command
def stop(
    function: str | None = None,
    task_id: str | None = None,
    /,
    *,
    force: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    filter: str | None = None,  # noqa: A002 - it is the option's name
    how: bulk.How = bulk.HOW,
    common: Common = COMMON,
) -> int:
    """Stop a task: nothing of it starts any more, and what runs is ended; or all that --filter means.

    For example:

        sojourn task stop hello first
        sojourn task stop --filter 'function=hello status=Enqueued,Running' --dry-run

    Parameters
    ----------
    function
        Its function.
    task_id
        The task.
    force
        Kill it at once, without PreStop and without grace.
    filter
        Which tasks, as field=value words: status, function, since, createdFrom, createdTo, idPrefix, errorText, tags,
        minDurationMs, maxDurationMs.

    """
    if filter is not None:
        if function is not None or force:
            raise CommandFailed("--filter stands for itself", "leave the function, the task id and --force out")
        return bulk.carry_out("stop", filter, how, common)
    name, number = steering.both(function, task_id)
    with common.client() as client:
        if force:
            client.force_stop(name, number)
        else:
            client.stop_task(name, number)
        task = client.get_task(name, number)
    print_one(common.output, task, lambda: print(f"Task {number} is {task.status.value}."))
    return exits.OK


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


app.command(watching.watch)
for _name in ("rerun", "edit", "explain", "expire", "delete"):
    app.command(getattr(steering, _name), name=_name)
