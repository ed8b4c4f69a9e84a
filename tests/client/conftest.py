"""A server to talk to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from client.fake_server import FakeServer


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A fake server with one function, `hello`."""
    with FakeServer() as running:
        running.add_function("hello")
        yield running
