"""Delays: a task that is to wait before it is begun."""

from __future__ import annotations

from sojourn.conform.check import Group
from sojourn.conform.expect import holds, member, same
from sojourn.conform.site import Site, exhibit, history
from sojourn.conform.source import DOCUMENTED, OUR_CHOICE, Source
from sojourn.conform.wire import Document

from .exhibits import HOUR, refused, worker

delay = Group("task.delay")


@exhibit
async def delayed(on: Site) -> Document:
    """A task with a delay of two seconds, at its end."""
    return await on.ran(await worker(on), b"later", delay_seconds=2)


@delay(DOCUMENTED)
async def it_does_not_begin_before(on: Site) -> None:
    """A task with `x-fc-async-delay` does not begin before its delay is over."""
    events = (await delayed(on))["events"]
    (began, *_) = [event["timestamp"] for event in events if event["status"] == "Running"]
    waited = began - events[0]["timestamp"]
    holds("Running 2000 ms or more after Enqueued", waited >= 1950, f"{waited} ms")


@delay(DOCUMENTED)
async def it_runs_then(on: Site) -> None:
    """A delayed task runs as any other."""
    same("the status", "Succeeded", (await delayed(on))["status"])


@delay(OUR_CHOICE)
async def it_is_enqueued_meanwhile(on: Site) -> None:
    """While it waits for its delay, a task is Enqueued."""
    function = await worker(on)
    task = await on.task(function, await on.begin(function, b"x", delay_seconds=HOUR))
    same("status and events", ("Enqueued", ["Enqueued"]), (task["status"], history(task)))


@delay(DOCUMENTED)
async def others_do_not_wait(on: Site) -> None:
    """A task without a delay does not wait for one that was submitted before with one."""
    function = await worker(on)
    first = await on.begin(function, b"x", delay_seconds=HOUR)
    same("the status of the second", "Succeeded", (await on.ran(function, b"y"))["status"])
    same("the status of the first", "Enqueued", (await on.task(function, first))["status"])


@delay(OUR_CHOICE)
async def the_longest_is_an_hour(on: Site) -> None:
    """A delay of 3600 s is accepted."""
    same("the answer", 202, (await on.submit(await worker(on), b"x", delay_seconds=HOUR)).status)


@delay(OUR_CHOICE)
async def none_is_none(on: Site) -> None:
    """A delay of 0 is none."""
    same("the status", "Succeeded", (await on.ran(await worker(on), b"x", delay_seconds=0))["status"])


def _refuses(name: str, value: str, source: Source) -> None:
    async def look(on: Site) -> None:
        refused(await on.submit(await worker(on), b"x", delay_seconds=value), 400, "InvalidArgument")

    delay.add(f"{name}-is-refused", f"A delay of `{value}` is refused", source, look)


for _name, _value in (
    ("more-than-an-hour", "3601"),
    ("less-than-nothing", "-1"),
    ("no-number", "soon"),
    ("half", "0.5"),
):
    _refuses(_name, _value, DOCUMENTED if _value == "3601" else OUR_CHOICE)


@delay(OUR_CHOICE)
async def synchronous_calls_do_not_wait(on: Site) -> None:
    """A synchronous call has no delay, whatever the header says."""
    answer = await on.invoke(await worker(on), b"now", headers={"x-fc-async-delay": "30"})
    member("the answer", (200,), answer.status)
    same("the body", b"now", answer.body)
