"""Destinations on the wire: configured, shown, looked at, sent again."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable

import pytest

from api.door import REGION, Caller, Door
from sojourn.destination import Deferred
from sojourn.task import Claimed, Refused, Returned, Started, Success, Task

ASYNC = "/functions/f/async-invoke-config"
GOOD = "http://good.example/hook"


def configure(caller: Caller, **ends: str) -> None:
    """Give the function destinations."""
    config = {name: {"destination": destination} for name, destination in ends.items()}
    reply = caller("PUT", ASYNC, body={"destinationConfig": config})
    assert reply.status == 200, reply.body


def succeed(door: Door, task: Task) -> Task:
    """Let a task run."""
    return door.advance(task, Claimed(1), Started("i"), Returned(Success(result=b"42")))


def until(condition: Callable[[], bool]) -> None:
    """Look until it holds."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def status(caller: Caller, task: str) -> str:
    """The task's `destinationStatus`."""
    return str(caller("GET", f"/functions/f/async-tasks/{task}").json["destinationStatus"])


def test_a_configuration_is_shown_as_it_was_given(caller: Caller) -> None:
    """An empty destination removes one, what is absent stays, and none is an empty object."""
    caller.create()
    arn = f"acs:fc:{REGION}:{caller.account_id}:functions/after"
    configure(caller, onSuccess=GOOD, onFailure=arn)
    both = {"onSuccess": {"destination": GOOD}, "onFailure": {"destination": arn}}

    assert caller("GET", ASYNC).json["destinationConfig"] == both
    assert caller("PUT", ASYNC, body={"maxAsyncRetryAttempts": 0}).json["destinationConfig"] == both
    configure(caller, onSuccess="")
    assert caller("GET", ASYNC).json["destinationConfig"] == {"onFailure": {"destination": arn}}
    configure(caller, onFailure="")
    assert caller("GET", "/async-invoke-configs").json["configs"][0]["destinationConfig"] == {}


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (f"acs:mq:{REGION}:1:/topics/t", ("needs a bridge", "SOJOURN_BRIDGE_URLS", "mq")),
        (f"acs:fc:{REGION}:somebody:functions/f", ("of this account and region",)),
        ("http://127.0.0.1:1/", ("public address", "SOJOURN_WEBHOOK_PRIVATE_ADDRESSES")),
        ("nowhere", ("must be acs:fc",)),
    ],
)
def test_what_is_not_reached_is_refused_and_nothing_is_kept(
    caller: Caller, target: str, words: tuple[str, ...]
) -> None:
    """Never accepted and inert."""
    caller.create()
    body = {"maxAsyncRetryAttempts": 1, "destinationConfig": {"onFailure": {"destination": target}}}
    caller("PUT", ASYNC, body=body).refused(
        400, "InvalidArgument", "destinationConfig.onFailure.destination", target, *words
    )
    assert caller("GET", ASYNC).status == 404


def test_a_configured_bridge_is_accepted(caller: Caller, door: Door) -> None:
    """The record goes to its URL."""
    caller.create()
    arn = f"acs:mns:{REGION}:{caller.account_id}:/queues/q/messages"
    configure(caller, onSuccess=arn)
    succeed(door, caller.submit(x_fc_async_task_id="t"))
    until(lambda: status(caller, "t") == "Succeeded")
    (sent,) = [each for each in door.targets.sent if each.headers.get("x-sojourn-destination") == arn]
    assert sent.url == "http://bridge.example/"


def test_the_status_of_a_delivery_is_shown_with_the_task(caller: Caller, door: Door) -> None:
    """Empty without a destination and before the end, then Pending, Succeeded; in Get and in List."""
    caller.create()
    succeed(door, caller.submit(x_fc_async_task_id="none"))
    url = f"http://{caller.account_id}.example/"
    door.targets.answers[url] = [Deferred("the target answered 500", 0.0)] * 2
    configure(caller, onSuccess=url)
    task = caller.submit(x_fc_async_task_id="some")
    assert status(caller, "some") == status(caller, "none") == ""
    succeed(door, task)
    assert status(caller, "some") == "Pending"
    listed = caller("GET", "/functions/f/async-tasks").json["tasks"]
    assert {each["taskId"]: each["destinationStatus"] for each in listed} == {"some": "Pending", "none": ""}
    until(lambda: status(caller, "some") == "Succeeded")
    (delivery,) = caller("GET", "/v1/functions/f/tasks/some/deliveries").json["deliveries"]
    assert delivery == delivery | {
        "taskId": "some",
        "destination": url,
        "status": "Succeeded",
        "round": 1,
        "attempts": 3,
        "lastError": "",
        "nextAttemptTime": "",
    }
    assert delivery["endTime"] > delivery["createdTime"]
    assert caller("GET", "/v1/functions/f/tasks/none/deliveries").json == {"deliveries": []}


def test_a_failed_delivery_is_seen_and_sent_again(caller: Caller, door: Door) -> None:
    """The last error says why it failed; the other round succeeds."""
    function = caller.create()
    arn = f"acs:fc:{REGION}:{caller.account_id}:functions/after"
    configure(caller, onSuccess=arn)
    succeed(door, caller.submit(x_fc_async_task_id="t"))
    until(lambda: status(caller, "t") == "Failed")
    (delivery,) = caller("GET", "/v1/functions/f/tasks/t/deliveries").json["deliveries"]
    assert delivery["lastError"] == "function 'after' does not exist"

    caller.create("after")
    reply = caller("POST", "/v1/functions/f/tasks/t/deliveries:resend")
    assert (reply.status, reply.json["round"], reply.json["attempts"]) == (202, 2, 0)
    until(lambda: status(caller, "t") == "Succeeded")
    assert len(caller("GET", "/functions/after/async-tasks").json["tasks"]) == 1
    assert function.name == "f"


def test_nothing_to_send_again(caller: Caller, door: Door) -> None:
    """A task that is not over, one without a destination, none at all; and another account's is none at all."""
    caller.create()
    path = "/v1/functions/f/tasks/t/deliveries:resend"
    caller("POST", path).refused(404, "AsyncTaskNotFound")
    task = caller.submit(x_fc_async_task_id="t")
    caller("POST", path).refused(404, "DeliveryNotFound", "'t'")
    succeed(door, task)
    caller("POST", path).refused(404, "DeliveryNotFound")
    stranger = door.caller()
    stranger("POST", path).refused(404, "FunctionNotFound")
    stranger("GET", "/v1/functions/f/tasks/t/deliveries").refused(404, "FunctionNotFound")


def test_a_stop_sends_a_record(caller: Caller, door: Door) -> None:
    """By the API's own stop."""
    caller.create()
    url = f"http://{caller.account_id}.example/"
    configure(caller, onFailure=url)
    caller.submit(x_fc_async_task_id="t")
    assert caller("PUT", "/functions/f/async-tasks/t/stop").status == 204
    until(lambda: status(caller, "t") == "Succeeded")
    (sent,) = door.targets.to(url)
    assert sent.record["requestContext"]["condition"] == "Stopped"


def test_a_deleted_function_still_sends_what_is_due(caller: Caller, door: Door) -> None:
    """Its waiting tasks end after it; created again under the same name it has no destinations."""
    caller.create()
    url = f"http://{caller.account_id}.example/"
    configure(caller, onFailure=url)
    task = caller.submit(x_fc_async_task_id="t")
    assert caller("DELETE", "/functions/f").status == 204
    door.advance(task, Claimed(1), Refused("FunctionDeleted", "it was deleted"))
    until(lambda: status(caller, "t") == "Succeeded")
    (sent,) = door.targets.to(url)
    assert sent.record["requestContext"]["condition"] == "Invalid"
    caller.create()
    caller("GET", ASYNC).refused(404, "AsyncConfigNotExists")


def test_the_secret_is_the_accounts_own(caller: Caller, door: Door) -> None:
    """Made when first asked for, the same until it is rotated, and what signs."""
    secret = caller("GET", "/v1/webhook-secret").json["secret"]
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 24
    assert caller("GET", "/v1/webhook-secret").json["secret"] == secret
    assert door.caller()("GET", "/v1/webhook-secret").json["secret"] != secret
    rotated = caller("POST", "/v1/webhook-secret").json["secret"]
    assert rotated != secret
    assert caller("GET", "/v1/webhook-secret").json["secret"] == rotated

    caller.create()
    url = f"http://{caller.account_id}.example/"
    configure(caller, onSuccess=url)
    succeed(door, caller.submit(x_fc_async_task_id="t"))
    until(lambda: status(caller, "t") == "Succeeded")
    assert door.targets.to(url)[0].secret == rotated
