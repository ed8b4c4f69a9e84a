"""Runs of the kit against a server, for the tests here and those at full scale."""

from __future__ import annotations

from fnmatch import fnmatchcase

from sojourn.conform.checks import CHECKS
from sojourn.conform.generations import GENERATIONS
from sojourn.conform.run import Plan, Result, run
from sojourn.testing.deployer import HERE
from sojourn.testing.local import LocalServer


async def conformed(server: LocalServer, version: str, *only: str, slow: bool = False) -> Result:
    """What the kit says of the server."""
    wanted = [check for check in CHECKS if any(fnmatchcase(check.id, each) for each in only)]
    checks = [check for check in wanted if slow or not check.slow]
    result = await run(server.connection, GENERATIONS[version], checks, Plan(runtime=HERE, at_once=16))
    assert len(result.verdicts) == len(checks)
    return result


def differences(result: Result) -> list[tuple[str, str, str]]:
    """What to show of those that differ."""
    return [(verdict.check.id, verdict.expected, verdict.seen) for verdict in result.differences]


def functions_of(server: LocalServer) -> list[str]:
    """The functions that are on the server."""
    with server.client() as client:
        return [function.function_name for function in client.list_functions().functions]
