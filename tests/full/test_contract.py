"""The descriptions of the four APIs against a real server, at full scale: `make test-full`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contract import SETTINGS, Contract
from live import LiveServer
from sojourn.api.openapi.document import NAMES

CASES_MIN = 5_000


@pytest.mark.timeout(1800)
def test_five_thousand_cases_of_four_apis(record_property: Callable[[str, object], None]) -> None:
    """No server error, and no answer, no refusal and no acceptance that the descriptions do not know."""
    with LiveServer(settings=SETTINGS) as server:
        contract = Contract(server)
        contract.seed()
        for api in NAMES:
            contract.examine(api, ("examples", "coverage", "fuzzing"), examples=2, pinned=True)
            contract.examine(api, ("fuzzing", "stateful"), examples=2, pinned=False)
        record_property("line", contract.summary(len(NAMES)))
        assert not contract.failures, "\n\n".join(contract.failures)
        assert contract.cases >= CASES_MIN
        assert " ERROR " not in server.log(), server.log()
