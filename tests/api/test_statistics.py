"""Statistics and nodes over HTTP."""

from __future__ import annotations

from api.door import Caller, Door
from sojourn.task import Claimed, Returned, Started, Status, Success


def test_the_statistics_of_a_function(caller: Caller) -> None:
    """What is open, what came and went, in every window; of one function only."""
    caller.create("f")
    caller.create("g")
    for _ in range(3):
        waiting = caller.submit("f")
    done = caller.door.advance(waiting, Claimed(1), Started("i"))
    caller.door.advance(done, Returned(Success(result=b"")))
    caller.submit("g")
    told = caller("GET", "/v1/functions/f/statistics").json
    assert told["statuses"] == {status.value: 0 for status in Status} | {"Enqueued": 2, "Succeeded": 1}
    assert (told["queueDepth"], told["window"], told["submitted"], told["ended"]["Succeeded"]) == (2, "5m", 3, 1)
    assert told["oldestWaitMs"] >= 0
    assert told["submittedPerSecond"] > told["endedPerSecond"] > 0
    assert (told["wait"]["count"], told["run"]["count"]) == (1, 1)
    assert told["run"]["p50Ms"] <= told["run"]["p95Ms"] <= told["run"]["p99Ms"]
    assert told["windows"].keys() == {"1m", "5m", "1h", "1d"}
    assert {each["submitted"] for each in told["windows"].values()} == {3}
    assert caller("GET", "/v1/functions/f/statistics", {"window": "1d"}).json["window"] == "1d"
    quiet = caller("GET", "/v1/functions/g/statistics").json
    assert (quiet["submitted"], quiet["run"]["p50Ms"]) == (1, None)


def test_statistics_that_are_not_there(caller: Caller) -> None:
    """Of no function, of another account's, of no window."""
    caller.create("f")
    caller("GET", "/v1/functions/f/statistics", {"window": "2m"}).refused(400, "InvalidArgument", "window")
    caller("GET", "/v1/functions/nobody/statistics").refused(404, "FunctionNotFound")
    caller.door.caller()("GET", "/v1/functions/f/statistics").refused(404, "FunctionNotFound")


def test_the_nodes(door: Door, caller: Caller) -> None:
    """It is the one that answers."""
    (node,) = caller("GET", "/v1/nodes").json["nodes"]
    assert (node["node"], node["ready"], node["memoryMb"]) == ("node-1", door.ready, 8192)
