"""Waiting for many tasks at once with one thread: each conversation is taken up when it is due."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sojourn.clock import Clock

from . import conversation, model
from .conversation import Conversation, Pause, Retries, Step
from .errors import WaitTimedOut


def together(
    talks: Sequence[Conversation[model.Task]],
    retries: Retries,
    clock: Clock,
    advance: Callable[[Conversation[Any], Step], Step],
) -> Iterator[tuple[int, model.Task | WaitTimedOut]]:
    """Walk all of them, each when it is due, and yield (its number, how it ended).

    Parameters
    ----------
    talks: the waits.
    retries: how often a call is sent again.
    clock: says when they are due.
    advance: does a step of a conversation and returns its next one.

    """
    running = {number: conversation.persistent(talk, retries) for number, talk in enumerate(talks)}
    queue = [(clock.monotonic(), number) for number in running]
    steps: dict[int, Step] = {}
    while queue:
        due, number = heapq.heappop(queue)
        time.sleep(max(0.0, due - clock.monotonic()))
        try:
            step = steps[number] if number in steps else next(running[number])
            if isinstance(step, Pause):  # it is slept already
                step = running[number].send(None)
            while not isinstance(step, Pause):
                step = advance(running[number], step)
        except StopIteration as end:
            yield number, end.value
        except WaitTimedOut as late:
            yield number, late
        else:
            steps[number] = step
            heapq.heappush(queue, (clock.monotonic() + step.seconds, number))
