"""A server to talk to, and either client of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from client.driven import Driven
from client.fake_server import FakeServer


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A fake server with one function, `hello`."""
    with FakeServer() as running:
        running.add_function("hello")
        yield running


@pytest.fixture(params=["blocking", "asynchronous"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which client."""
    return str(request.param)


@pytest.fixture
def client(kind: str, server: FakeServer) -> Driven:
    """A client of the fake server."""
    return Driven(kind, server.connection)
