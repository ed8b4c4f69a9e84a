"""Instances over HTTP: those of the caller's account, in each dialect, with their history."""

from __future__ import annotations

import pytest

from api.door import Caller, Door
from scripted import Gate
from sojourn.function import Function
from sojourn.pool import Instance
from sojourn.sandbox import Invocation


def made(caller: Caller, name: str = "f") -> Instance:
    """An instance of a function, idle."""
    caller("PUT", f"/functions/{name}/scaling-config", body={"minInstances": 1})
    (one,) = [each for each in caller.door.settled(caller.account_id) if each.function.name == name]
    return one


def test_an_instance_is_shown_with_what_it_is_does_and_uses(caller: Caller) -> None:
    """In flight: request id and task; usage as the sandbox tells it."""
    function, door = caller.create(), caller.door
    one = made(caller)
    gate = Gate()
    door.script.behaviours["f"] = gate

    async def begin(function: Function) -> None:
        used = door.pool.acquire(function)
        assert used is one
        call = Invocation(request_id="r-1", payload=b"")
        door.pool.background.spawn(door.pool.invoke(used, call, lambda *_: None, "mine"))
        await gate.busy()

    door.run(begin(function))
    (shown,) = caller("GET", "/v1/instances", {"function": "f"}).json["instances"]
    assert (shown["id"], shown["function"], shown["qualifier"], shown["status"]) == (one.id, "f", "LATEST", "Invoking")
    assert shown["inFlight"] == [{"requestId": "r-1", "taskId": "mine"}]
    assert (shown["memoryBytes"], shown["memoryPeakBytes"], shown["cpuSeconds"]) == (1 << 20, 2 << 20, 0.5)
    assert {"sandboxMs", "runtimeMs"} <= set(shown["coldStart"])
    assert (shown["isolation"], shown["node"]) == ({"level": 0, "driver": "process"}, "node-1")
    assert caller("GET", f"/v1/instances/{one.id}").json == shown
    gate.leave()


def test_an_instances_history_outlives_it(caller: Caller) -> None:
    """Made, initialized, stopped and why, destroyed; it is not listed any more, but found."""
    caller.create()
    one = made(caller)
    caller.door.run(caller.door.pool.stop(one, "update"))
    caller("DELETE", "/functions/f/scaling-config")
    told = caller("GET", f"/v1/instances/{one.id}/events").json

    assert [event["event"] for event in told["events"]] == [
        "Creating",
        "Created",
        "Initialized",
        "StopBegun",
        "Destroyed",
    ]
    assert told["events"][-1]["detail"]["why"] == "update"
    assert told["events"][-1]["detail"]["processesLeft"] == 0
    assert caller("GET", f"/v1/instances/{one.id}").json["status"] == "Destroyed"
    assert one.id not in [each["id"] for each in caller("GET", "/v1/instances").json["instances"]]
    query = {"instanceStatus": '["Destroyed"]'}
    (listed,) = [
        each
        for each in caller("GET", "/functions/f/instances", query).json["instances"]
        if each["instanceId"] == one.id
    ]
    assert listed["destroyedTimeMs"] >= listed["createdTimeMs"] > 0


def test_nobody_sees_instances_of_another_account(door: Door, caller: Caller) -> None:
    """Not in a list, not by id, not by its events."""
    caller.create()
    one = made(caller)
    stranger = door.caller()

    assert stranger("GET", "/v1/instances").json == {"instances": []}
    for path in (f"/v1/instances/{one.id}", f"/v1/instances/{one.id}/events"):
        stranger("GET", path).refused(404, "InstanceNotFound", one.id)
    stranger("GET", "/v1/instances", {"function": "f"}).refused(404, "FunctionNotFound")
    stranger("GET", "/functions/f/instances").refused(404, "FunctionNotFound")


def test_a_sandbox_that_does_not_answer_does_not_hold_the_list_up(caller: Caller) -> None:
    """The instance is shown without its usage."""
    caller.create()
    made(caller)
    caller.door.script.usage_seconds = 60.0
    try:
        (shown,) = caller("GET", "/v1/instances").json["instances"]
    finally:
        caller.door.script.usage_seconds = 0.0

    assert (shown["memoryBytes"], shown["cpuSeconds"]) == (None, None)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"limit": "0"}, "limit must be a whole number between 1 and 1000"),
        ({"instanceIds": "x"}, "instanceIds must be a JSON list of strings"),
        ({"instanceStatus": "[1]"}, "instanceStatus must be a JSON list of strings"),
        ({"startTimeMs": "x"}, "startTimeMs must be a whole number"),
        ({"withAllActive": "x"}, "withAllActive must be true or false"),
    ],
)
def test_a_query_outside_its_bounds_is_refused(caller: Caller, query: dict[str, str], words: str) -> None:
    """It names the field."""
    caller.create()
    caller("GET", "/functions/f/instances", query).refused(400, "InvalidArgument", words)


def test_a_page_ends_at_its_limit_and_goes_on_behind_its_last(caller: Caller) -> None:
    """`startKey` is an id."""
    caller.create()
    caller("PUT", "/functions/f/scaling-config", body={"minInstances": 3})
    caller.door.settled(caller.account_id)
    first = caller("GET", "/functions/f/instances", {"limit": "2"}).json["instances"]
    rest = caller("GET", "/functions/f/instances", {"startKey": first[-1]["instanceId"]}).json["instances"]

    assert (len(first), len(rest)) == (2, 1)
