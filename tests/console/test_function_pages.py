"""What functions answer to browsers on the port of the console: strangers to it."""

from __future__ import annotations

import pytest

from api.door import Caller
from sojourn.sessions import COOKIE


@pytest.fixture
def address(caller: Caller) -> str:
    """The address of a function that anybody may call."""
    caller.create("page")
    body = {"triggerName": "web", "triggerType": "http", "triggerConfig": '{"authType": "anonymous"}'}
    assert caller("POST", "/functions/page/triggers", body=body).status == 200
    return f"/http/{caller.account_id}/page/x"


@pytest.mark.parametrize("host", ["", "localhost", "LOCALHOST:1"])
def test_under_a_name_of_the_console_a_page_is_sandboxed(caller: Caller, address: str, host: str) -> None:
    """Its scripts may run, in an origin of their own: with no cookie of this server, and nothing of it to read."""
    reply = caller.door.http.get(caller.door.url + address, headers={"host": host} if host else {})
    policy = reply.headers["content-security-policy"]

    assert reply.status_code == 200
    assert policy.startswith("sandbox ")
    assert "allow-scripts" in policy
    assert "allow-same-origin" not in policy


def test_under_another_name_it_is_left_as_it_is(caller: Caller, address: str) -> None:
    """The console is not heard there, whatever cookie comes."""
    headers = {"host": "pages.example"}
    reply = caller.door.http.get(caller.door.url + address, headers=headers)
    assert "content-security-policy" not in reply.headers

    for path in ("/console", "/console/session", "/v1/instances"):
        refused = caller.door.http.get(caller.door.url + path, headers=headers | {"cookie": f"{COOKIE}=x"})
        assert (refused.status_code, refused.json()["Code"]) == (403, "HostNotAllowed")


def test_the_log_of_a_task_is_text_and_nothing_else(caller: Caller) -> None:
    """A browser that opens it does not guess that it is a page."""
    caller.create("f")
    caller.submit("f", x_fc_async_task_id="t")
    for query in ("format=text", "follow=false&format=text"):
        reply = caller("GET", "/v1/functions/f/tasks/t/logs", query)
        assert reply.headers["x-content-type-options"] == "nosniff"
