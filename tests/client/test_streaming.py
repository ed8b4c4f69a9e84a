"""Following a log with either client."""

from __future__ import annotations

import pytest

from client.driven import Driven
from client.fake_server import FakeServer
from sojourn.client import NotFound, Unreachable


def test_a_log_is_followed(client: Driven, server: FakeServer) -> None:
    """Text comes as it was cut, but for characters, which come whole; what is no text is replaced."""
    server.add_task("hello", "t", "Running")

    assert client.logs("hello", "t", follow=True) == ["hello\n", "gr", "ö\ufffd", "e\n"]
    assert server.requests[-1].query == {"follow": "true"}
    server.live = [b"cut \xc3", b""]
    assert client.logs("hello", "t", follow=True) == ["cut ", "\ufffd"]


def test_a_log_that_cannot_be_followed_says_why(client: Driven, server: FakeServer) -> None:
    """An error of the server, and an answer that breaks off."""
    with pytest.raises(NotFound):
        client.logs("hello", "none", follow=True)
    server.add_task("hello", "t", "Running")
    server.live = [b"begun\n"]
    with pytest.raises(Unreachable, match="broke"):
        client.logs("hello", "t", follow=True)
