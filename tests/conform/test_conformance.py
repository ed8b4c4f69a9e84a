"""The kit against a real server: nothing differs, in any generation, and nothing is left behind."""

from __future__ import annotations

import asyncio
from fnmatch import fnmatchcase

import pytest

from sojourn.conform import report
from sojourn.conform.checks import CHECKS
from sojourn.conform.generations import GENERATIONS
from sojourn.conform.run import Outcome, Plan, Result, run
from sojourn.testing.local import HERE, LocalServer

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


WITHOUT_ISOLATION = ("invocation.context.folder",)
"""What level 0 cannot give: a function sees the machine's own paths there."""


async def conformed(server: LocalServer, version: str, *only: str, slow: bool = False) -> Result:
    """What the kit says of the server."""
    wanted = [check for check in CHECKS if any(fnmatchcase(check.id, each) for each in only)]
    checks = [check for check in wanted if slow or not check.slow]
    result = await run(server.connection, GENERATIONS[version], checks, Plan(runtime=HERE, at_once=16))
    assert len(result.verdicts) == len(checks)
    return result


async def of_all_generations(server: LocalServer) -> list[Result]:
    """A part of the kit in all generations, beside each other."""
    return list(await asyncio.gather(*(conformed(server, version, *SOME) for version in GENERATIONS)))


def differences(result: Result) -> list[tuple[str, str, str]]:
    """What to show of those that differ."""
    return [(verdict.check.id, verdict.expected, verdict.seen) for verdict in result.differences]


def functions_of(server: LocalServer) -> list[str]:
    """The functions that are on the server."""
    with server.client() as client:
        return [function.function_name for function in client.list_functions().functions]


def test_nothing_differs(local: LocalServer) -> None:
    """A part of the kit, the life of a task first; afterwards nothing is left."""
    results = asyncio.run(of_all_generations(local))

    assert [each for result in results for each in differences(result)] == []
    assert all(result.count(Outcome.KEPT) > 70 for result in results)
    assert [result.left for result in results] == [[], [], []]
    assert functions_of(local) == []


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("version", GENERATIONS)
def test_nothing_of_all_differs(version: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole kit on a server with its own settings; what waits for minutes in the newest generation."""
    with LocalServer({"retry_base_seconds": "1", "retry_cap_seconds": "300"}) as server:
        result = asyncio.run(conformed(server, version, "*", slow=version == "2023-03-30"))

        with capsys.disabled():
            print(f"\n{report.summary(result)}")  # noqa: T201 - the line that a run is for
        level = 0 if "isolation level 0" in server.log else 2
        assert [each for each in differences(result) if level or each[0] not in WITHOUT_ISOLATION] == []
        assert result.left == []
        assert functions_of(server) == []
        assert "Traceback" not in server.log, server.log
