"""The kit against a real server: nothing differs, in any generation, and nothing is left behind."""

from __future__ import annotations

import asyncio

from conform.runs import conformed, differences, functions_of
from sojourn.conform.generations import GENERATIONS
from sojourn.conform.run import Outcome, Result
from sojourn.testing.local import LocalServer

SOME = (
    "task.retry.attempts*",
    "task.retry.passes*",
    "task.age.over*",
    "task.age.an-expired*",
    "task.delay.it-does-not*",
    "task.stop.*-ends-stopped",
    "task.stop.*-is-refused",
    "task.deduplication.the-*",
    "task.history.a-success*",
    "task.record.*-is-there",
    "task.list.status*",
    "concurrency.none-lets*",
    "destination.a-success*",
    "destination.record.the-request*",
    "alias.a-task*",
    "hook.initializer.it-*",
    "trigger.http.anybody*",
    "signature.*",
    "answer.error.*",
    "invocation.error.it-*",
    "service.it-*",
)
"""Of each noun some: the life of a task, and what cannot be seen on the wire alone."""


async def of_all_generations(server: LocalServer) -> list[Result]:
    """A part of the kit in all generations, beside each other."""
    return list(await asyncio.gather(*(conformed(server, version, *SOME) for version in GENERATIONS)))


def test_nothing_differs(local: LocalServer) -> None:
    """A part of the kit, the life of a task first; afterwards nothing is left."""
    results = asyncio.run(of_all_generations(local))

    assert [each for result in results for each in differences(result)] == []
    assert all(result.count(Outcome.KEPT) > 70 for result in results)
    assert [result.left for result in results] == [[], [], []]
    assert functions_of(local) == []
