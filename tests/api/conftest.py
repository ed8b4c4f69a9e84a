"""One server for all tests of the API, and an account of its own for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.door import Caller, Door


@pytest.fixture(scope="session")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """The server."""
    with Door(tmp_path_factory.mktemp("code")) as running:
        yield running


@pytest.fixture
def caller(door: Door) -> Caller:
    """A client of a new account."""
    return door.caller()
