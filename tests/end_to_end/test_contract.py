"""The descriptions of the APIs against a real server: a small share of what `tests/full` does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from contract import SETTINGS, Contract
from live import LiveServer
from sojourn.api.openapi.document import NAMES


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """One for all: what is described does not depend on the isolation."""
    with LiveServer(settings=SETTINGS) as live:
        yield live
        assert " ERROR " not in live.log(), live.log()


@pytest.mark.parametrize("api", NAMES)
def test_answers_are_as_described(server: LiveServer, api: str) -> None:
    """A few cases of each operation: no fault of ours, and no answer that the description does not know."""
    contract = Contract(server)
    contract.seed()
    contract.examine(api, ("fuzzing",), examples=1, pinned=True)
    assert contract.failures == []
    assert contract.cases > 15


def test_a_description_that_is_wrong_is_found_out(server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A field of another type, and a bound that is described and not kept."""
    contract = Contract(server)
    contract.seed()
    document = contract.describe("2023-03-30")
    schemas: dict[str, Any] = document["components"]["schemas"]
    schemas["ConcurrencyConfig"]["properties"]["reservedConcurrency"] = {"type": "string"}
    schemas["PutConcurrencyInput"]["properties"]["reservedConcurrency"]["maximum"] = 7
    monkeypatch.setattr(contract, "describe", lambda _: document)
    contract.examine("2023-03-30", ("coverage",), examples=1, pinned=True, only="/concurrency$")
    found = "\n".join(contract.failures)
    assert "response_schema_conformance" in found
    assert "negative_data_rejection" in found
