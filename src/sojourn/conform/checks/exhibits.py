"""What many checks look at: a worker, and tasks that ended in each way."""

from __future__ import annotations

from sojourn.conform.expect import same
from sojourn.conform.generations import Function
from sojourn.conform.site import Site, exhibit
from sojourn.conform.wire import Answer, Document

PAYLOAD = b"what is to be done, \xc3\xbc"
HOUR = 3600
LONG_SECONDS = 25
"""What a task sleeps that is going to be stopped."""


@exhibit
async def worker(on: Site) -> Function:
    """A function in task mode that is tried once."""
    return await on.tasker("worker", maxAsyncRetryAttempts=0)


@exhibit
async def blocked(on: Site) -> Function:
    """A function of which nothing may run."""
    function = await on.tasker("blocked", maxAsyncRetryAttempts=0)
    await on.cap(function, 0)
    return function


@exhibit
async def succeeded(on: Site) -> Document:
    """A task that succeeded."""
    task = await on.ran(await worker(on), PAYLOAD, task_id="t-succeeded")
    same("the status of a task whose handler returns", "Succeeded", task["status"])
    return task


@exhibit
async def failed(on: Site) -> Document:
    """A task that failed at its only attempt."""
    task = await on.ran(await worker(on), {"do": "fail"}, task_id="t-failed")
    same("the status of a task whose handler raises", "Failed", task["status"])
    return task


@exhibit
async def told(on: Site) -> Document:
    """What a synchronous call is told of itself, and the answer's own request id as `answered`."""
    answer = await on.invoke(await worker(on), {"do": "tell"})
    same("the status of a synchronous call", 200, answer.status)
    return {**answer.document, "answered": answer.request_id}


async def arn_of(on: Site, function: Function) -> str:
    """The ARN of a function of this account."""
    facts = await told(on)
    return on.generation.arn(facts["region"], facts["accountId"], function)


def refused(answer: Answer, status: int, code: str) -> None:
    """The answer must be this error."""
    same("the answer", f"{status} {code}", str(answer))
