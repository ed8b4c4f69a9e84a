"""What is kept warm, over HTTP: provision and scaling configurations."""

from __future__ import annotations

import pytest

from api.door import Caller

PROVISION, SCALING = "/functions/f/provision-config", "/functions/f/scaling-config"


def test_a_provision_config_is_put_read_listed_and_deleted(caller: Caller) -> None:
    """A PUT replaces what was; what is kept is made at once and shows as current."""
    caller.create()
    caller("GET", PROVISION).refused(404, "ProvisionConfigNotExists", "function 'f' has no provision config")
    caller("DELETE", PROVISION).refused(404, "ProvisionConfigNotExists")
    put = caller("PUT", PROVISION, {"qualifier": "LATEST"}, body={"target": 2})
    assert put.status == 200
    assert len(caller.door.settled(caller.account_id)) == 2
    got = caller("GET", PROVISION).json
    assert (got["target"], got["defaultTarget"], got["current"], got["currentError"]) == (2, 2, 2, "")
    assert got["alwaysAllocateCPU"] is True
    assert caller("GET", "/provision-configs").json == {"provisionConfigs": [got], "nextToken": ""}

    body = {"defaultTarget": 1, "alwaysAllocateCPU": False, "scheduledActions": [], "targetTrackingPolicies": None}
    assert caller("PUT", PROVISION, body=body).json["alwaysAllocateCPU"] is False
    reply = caller("DELETE", PROVISION)
    assert (reply.status, reply.body) == (204, b"")
    caller("GET", PROVISION).refused(404, "ProvisionConfigNotExists")
    assert caller("GET", "/provision-configs").json["provisionConfigs"] == []


def test_a_scaling_config_is_put_read_listed_and_deleted(caller: Caller) -> None:
    """As the provision configuration, of which it is the newer form; the larger of both counts."""
    caller.create()
    caller("GET", SCALING).refused(404, "ScalingConfigNotExists", "function 'f' has no scaling config")
    caller("PUT", PROVISION, body={"target": 2})
    put = caller("PUT", SCALING, body={"minInstances": 1, "enableOnDemandScaling": True}).json
    assert (put["minInstances"], put["targetInstances"]) == (1, 2)
    assert len(caller.door.settled(caller.account_id)) == 2
    assert caller("GET", "/scaling-configs", {"functionName": "f"}).json["scalingConfigs"][0]["currentInstances"] == 2
    assert caller("DELETE", SCALING).status == 204
    caller("DELETE", SCALING).refused(404, "ScalingConfigNotExists")


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        (PROVISION, {}, "target must be a whole number between 0 and 10000 instances, got None"),
        (PROVISION, {"target": 10_001}, "target must be a whole number between 0 and 10000 instances, got 10001"),
        (PROVISION, {"defaultTarget": -1}, "defaultTarget must be a whole number"),
        (PROVISION, {"target": 1, "defaultTarget": 2}, "target must be absent or defaultTarget (2)"),
        (PROVISION, {"target": 1, "alwaysAllocateCPU": "yes"}, "alwaysAllocateCPU must be true or false"),
        (PROVISION, {"target": 1, "alwaysAllocateGPU": True}, "alwaysAllocateGPU is not supported"),
        (PROVISION, {"target": 1, "scheduledActions": [{"name": "x"}]}, "scheduledActions is not supported"),
        (PROVISION, {"target": 1, "targetTrackingPolicies": [{}]}, "targetTrackingPolicies is not supported"),
        (SCALING, {}, "minInstances must be a whole number between 0 and 10000 instances, got None"),
        (SCALING, {"minInstances": 1, "horizontalScalingPolicies": [{}]}, "horizontalScalingPolicies is not supported"),
        (SCALING, {"minInstances": 1, "scheduledPolicies": [{}]}, "scheduledPolicies is not supported"),
        (SCALING, {"minInstances": 1, "residentPoolId": "p"}, "residentPoolId is not supported"),
        (SCALING, {"minInstances": 1, "enableMixMode": True}, "enableMixMode is not supported"),
    ],
)
def test_what_has_no_effect_or_is_out_of_bounds_is_refused(caller: Caller, path: str, body: object, words: str) -> None:
    """And nothing of it is kept."""
    caller.create()
    caller("PUT", path, body=body).refused(400, "InvalidArgument", words)
    assert caller("GET", path).status == 404


def test_why_an_instance_is_not_there_is_told(caller: Caller) -> None:
    """The current error says what a start failed of, or that there is no room."""
    caller.create(memorySize=32768)
    caller("PUT", SCALING, body={"minInstances": 1})

    assert caller("GET", SCALING).json["currentError"] == "no capacity is left for it"


def test_a_deleted_function_keeps_nothing_warm(caller: Caller) -> None:
    """Nor does one that is created again under its name."""
    caller.create()
    caller("PUT", SCALING, body={"minInstances": 1})
    caller("DELETE", "/functions/f")
    caller.create()

    caller("GET", SCALING).refused(404, "ScalingConfigNotExists")
