"""A server for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sojourn.testing.local import LocalServer

BRISK = {"instances_max": "200", "retry_base_seconds": "0.1", "retry_cap_seconds": "10"}
"""As many instances as many runs at a time need, and waits that can still be seen."""


@pytest.fixture(scope="module")
def local() -> Iterator[LocalServer]:
    """A running server."""
    with LocalServer(BRISK) as server:
        yield server
        assert "Traceback" not in server.log, server.log
