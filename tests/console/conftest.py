"""One server for the tests over HTTP, and callers of two accounts that have signed in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.door import Caller, Door
from console.visitor import Visitor


@pytest.fixture(scope="session")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """The server."""
    with Door(tmp_path_factory.mktemp("code")) as running:
        yield running


@pytest.fixture
def caller(door: Door) -> Caller:
    """A client of a new account that signs its requests."""
    return door.caller()


@pytest.fixture
def stranger(door: Door) -> Iterator[Visitor]:
    """Somebody who has not signed in."""
    with Visitor(door.url) as visitor:
        yield visitor


@pytest.fixture
def visitor(caller: Caller, stranger: Visitor) -> Visitor:
    """A browser's place: signed in with the key of `caller`."""
    stranger.sign_in(f"{caller.key.id}:{caller.key.secret}")
    return stranger
