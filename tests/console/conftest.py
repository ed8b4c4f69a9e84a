"""One server for the tests over HTTP, and callers of two accounts that have signed in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.door import Caller, Door
from console.browser import DESK, Browser, browser
from console.site import Site, site
from console.visitor import Visitor
from sojourn.access import Scope


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
def token(door: Door, caller: Caller) -> str:
    """An access token of the account of `caller`, for everything."""
    return door.run(door.tokens.create(caller.account_id, Scope.ADMIN))[1]


@pytest.fixture
def visitor(stranger: Visitor, token: str) -> Visitor:
    """A browser's place: signed in with `token`."""
    stranger.sign_in(token)
    return stranger


@pytest.fixture(scope="module")
def place() -> Iterator[Site]:
    """The server."""
    with site() as running:
        yield running


@pytest.fixture(scope="module")
def window(place: Site) -> Iterator[Browser]:
    """A browser that has signed in."""
    with browser(place.url) as one:
        one.sign_in(place.token)
        yield one


@pytest.fixture
def page(window: Browser) -> Iterator[Browser]:
    """The same, at its desk size; what scripts complained of in a test fails it."""
    window.size(*DESK)
    window.dark(on=False)
    yield window
    assert window.complaints() == []
