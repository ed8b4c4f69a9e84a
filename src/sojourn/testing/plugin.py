"""The pytest plugin: fixtures that give a test a running server, a client, and functions of its own.

Everything else is imported when a fixture is first asked for, so that tests without Sojourn do not pay for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from sojourn.client import Client

    from .deployer import Deployer
    from .local import LocalServer


@pytest.fixture(scope="session")
def sojourn_settings() -> Mapping[str, object]:
    """Settings of the server, such as `{"time_scale": 60}`; define a fixture of this name to change them."""
    return {}


@pytest.fixture(scope="session")
def sojourn_server(sojourn_settings: Mapping[str, object]) -> Iterator[LocalServer]:
    """A running server with temporary data, for all tests of the session."""
    from .local import LocalServer  # noqa: PLC0415 - see above

    with LocalServer(sojourn_settings) as server:
        yield server


@pytest.fixture
def sojourn_client(sojourn_server: LocalServer) -> Iterator[Client]:
    """A client with the owner's key."""
    with sojourn_server.client() as client:
        yield client


@pytest.fixture
def sojourn_deploy(sojourn_server: LocalServer, sojourn_client: Client, tmp_path: Path) -> Iterator[Deployer]:
    """`sojourn_deploy(name, source=…)` deploys a function that is deleted after the test."""
    from .deployer import Deployer  # noqa: PLC0415 - see above

    deployer = Deployer(sojourn_client, tmp_path / "sojourn-code", sojourn_server.account_id)
    yield deployer
    deployer.close()
