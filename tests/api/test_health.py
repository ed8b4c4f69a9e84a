"""What answers without a key, and what answers when nothing does."""

from __future__ import annotations

import httpx
import pytest

from api.door import VERSION, Door, Reply
from sojourn import __version__


def ask(door: Door, method: str, path: str) -> Reply:
    return Reply(door.http.send(httpx.Request(method, door.url + path)))


def test_health_needs_no_key(door: Door) -> None:
    """It lives, it takes work, and this is its version."""
    assert ask(door, "GET", "/livez").json == {"status": "ok"}
    assert ask(door, "GET", "/readyz").json == {"status": "ok"}
    version = ask(door, "GET", "/version").json
    assert (version["name"], version["version"]) == ("sojourn", __version__)


def test_a_server_that_drains_lives_but_is_not_ready(door: Door) -> None:
    """503 with Retry-After, so that a balancer goes elsewhere."""
    door.ready = False
    try:
        reply = ask(door, "GET", "/readyz")
        reply.refused(503, "ServiceUnavailable", "starting or draining")
        assert reply.headers["retry-after"] == "1"
        assert ask(door, "GET", "/livez").status == 200
    finally:
        door.ready = True


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nothing",
        VERSION,
        "/v1/nothing",
        "/livez/",
    ],
)
def test_a_path_that_is_not_there_is_404_in_json(door: Door, path: str) -> None:
    """The router's own answer, in the common form; no redirect, because a signature is for one path."""
    ask(door, "GET", path).refused(404, "PathNotSupported", f"'GET' against '{path}' is not supported")


@pytest.mark.parametrize(
    "path",
    [
        f"{VERSION}/",
        f"{VERSION}/nothing",
        "/2021-04-06/nothing",
        "/2016-08-15/services/s/nothing",
        f"{VERSION}/functions/",
    ],
)
def test_a_path_that_a_generation_does_not_have_is_400_in_json(door: Door, path: str) -> None:
    """Function Compute's status for PathNotSupported."""
    ask(door, "GET", path).refused(400, "PathNotSupported", f"'GET' against '{path}' is not supported")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", f"{VERSION}/functions", {"GET", "HEAD", "POST"}),
        ("POST", f"{VERSION}/functions/f/async-tasks/t", {"GET", "HEAD"}),
        ("GET", f"{VERSION}/functions/f/async-tasks/t/stop", {"PUT"}),
        ("DELETE", "/livez", {"GET", "HEAD"}),
    ],
)
def test_a_method_that_is_not_there_is_405_in_json(door: Door, method: str, path: str, allowed: set[str]) -> None:
    """With the methods that are allowed."""
    reply = ask(door, method, path)
    reply.refused(405, "PathNotSupported", f"'{method}' against '{path}' is not supported")

    assert set(reply.headers["allow"].split(", ")) == allowed


def test_a_long_path_is_shortened_in_the_message(door: Door) -> None:
    """A caller cannot have everything repeated."""
    reply = ask(door, "GET", "/" + "x" * 5000)
    reply.refused(404, "PathNotSupported")

    assert len(reply.body) < 1000
