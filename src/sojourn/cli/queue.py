"""`sojourn queue`: letting the queue of a function stand still, and go on."""

from __future__ import annotations

import cyclopts

from sojourn.client import Queue

from .display import moment_of_text, print_one
from .options import COMMON, Common

app = cyclopts.App(name="queue", help="Pause and resume the queues of functions.", help_format="plaintext")


@app.command
def pause(function: str, /, *, common: Common = COMMON) -> None:
    """Let no task of a function start; what runs goes on, and what waits still grows too old.

    For example:

        sojourn queue pause hello

    Parameters
    ----------
    function
        The function.

    """
    with common.client() as client:
        _print(client.pause_queue(function), common)


@app.command
def resume(function: str, /, *, common: Common = COMMON) -> None:
    """Let tasks of a function start again.

    For example:

        sojourn queue resume hello

    Parameters
    ----------
    function
        The function.

    """
    with common.client() as client:
        _print(client.resume_queue(function), common)


def _print(queue: Queue, common: Common) -> None:
    since = f"paused since {moment_of_text(queue.paused_since)}" if queue.paused else "running"
    print_one(common.output, queue, lambda: print(f"The queue of {queue.function_name} is {since}."))
