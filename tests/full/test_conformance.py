"""The conformance kit at full scale: every assertion of every generation, on a server that is started for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from conform.crooked import Crooked
from conform.runs import conformed, differences, functions_of
from conform.test_crooked import CASES, outcomes
from sojourn.conform import report
from sojourn.conform.generations import GENERATIONS
from sojourn.conform.run import Outcome, Plan
from sojourn.testing.deployer import HERE
from sojourn.testing.local import LocalServer

WITHOUT_ISOLATION = ("invocation.context.folder",)
"""What level 0 cannot give: a function sees the machine's own paths there."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("version", GENERATIONS)
def test_nothing_of_all_differs(version: str, record_property: Callable[[str, object], None]) -> None:
    """The whole kit on a server with its own settings; what waits for minutes in the newest generation."""
    with LocalServer({"retry_base_seconds": "1", "retry_cap_seconds": "300"}) as server:
        result = asyncio.run(conformed(server, version, "*", slow=version == "2023-03-30"))

        record_property("line", report.summary(result))
        level = 0 if "isolation level 0" in server.log else 2
        assert [each for each in differences(result) if level or each[0] not in WITHOUT_ISOLATION] == []
        assert result.left == []
        assert functions_of(server) == []
        assert "Traceback" not in server.log, server.log


def test_a_straight_proxy_changes_nothing() -> None:
    """What is shown of crooked ones is the work of the wrong, not of the proxy, which signs anew."""
    ids = {each for _, wrong, right in CASES.values() for each in (*wrong, *right) if not each.startswith("signature.")}
    with LocalServer() as server:
        seen = asyncio.run(outcomes(server.connection, Crooked(), ids, Plan(runtime=HERE)))

    assert set(seen.values()) == {Outcome.KEPT.value}
