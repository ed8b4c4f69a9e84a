"""How many instances of a function there are at least: its provision and scaling configurations.

FC has two configurations for one thing, an older and a newer one; a function that has both keeps the larger number.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sojourn import function as functions
from sojourn.api import answer, precondition
from sojourn.api.answer import EMPTY, Answer
from sojourn.api.call import Call
from sojourn.errors import ProvisionConfigNotFound, ScalingConfigNotFound
from sojourn.function import Function
from sojourn.minimum import target_of
from sojourn.provisioning import new_provision, new_scaling

from .configs import config_page
from .named import version_of


async def put_provision(call: Call) -> Answer:
    """PutProvisionConfig."""
    wanted = new_provision(call.json())
    look, change = partial(_provision_now, call), partial(_put_provision, call, wanted)
    return precondition.shown(call, provision_object(call, await precondition.guarded(call, look, change)))


async def get_provision(call: Call) -> Answer:
    """GetProvisionConfig."""
    return precondition.shown(call, provision_object(call, _provisioned(call)))


async def delete_provision(call: Call) -> Answer:
    """DeleteProvisionConfig."""
    await call.backend.catalog.put_provision(_provisioned(call), None)
    return EMPTY


async def page_provision(call: Call) -> Answer:
    """ListProvisionConfigs."""
    shown = _shown(call, provision_object)
    return config_page(call, "provision", "provisionConfigs", lambda each: each.provision is not None, shown)


async def put_scaling(call: Call) -> Answer:
    """PutScalingConfig."""
    wanted = new_scaling(call.json())
    after = await call.backend.catalog.put_scaling(version_of(call), wanted)
    return answer.of_json(scaling_object(call, after))


async def get_scaling(call: Call) -> Answer:
    """GetScalingConfig."""
    return answer.of_json(scaling_object(call, _scaled(call)))


async def delete_scaling(call: Call) -> Answer:
    """DeleteScalingConfig."""
    await call.backend.catalog.put_scaling(_scaled(call), None)
    return EMPTY


async def page_scaling(call: Call) -> Answer:
    """ListScalingConfigs."""
    shown = _shown(call, scaling_object)
    return config_page(call, "scaling", "scalingConfigs", lambda each: each.scaling is not None, shown)


def provision_object(call: Call, function: Function) -> dict[str, object]:
    """ProvisionConfig of a function that has one; `current` counts instances that are ready or in use."""
    config, pool = function.provision or functions.Provision(), call.backend.pool
    return {
        **call.dialect.arn(function, call.backend.settings.region, function.qualifier),
        "target": config.target,
        "defaultTarget": config.target,
        "current": pool.fleet.initialized(function.id),
        "currentError": pool.minimum.error(function.id),
        "alwaysAllocateCPU": config.always_allocate_cpu,
        "alwaysAllocateGPU": False,
        "scheduledActions": [],
        "targetTrackingPolicies": [],
    }


def scaling_object(call: Call, function: Function) -> dict[str, object]:
    """ScalingConfigStatus of a function that has one."""
    config, pool = function.scaling or functions.Scaling(), call.backend.pool
    return {
        **call.dialect.arn(function, call.backend.settings.region, function.qualifier),
        "minInstances": config.min_instances,
        "targetInstances": target_of(function),
        "currentInstances": pool.fleet.initialized(function.id),
        "currentError": pool.minimum.error(function.id),
        "enableOnDemandScaling": True,
        "horizontalScalingPolicies": [],
        "scheduledPolicies": [],
    }


def _provision_now(call: Call) -> dict[str, object]:
    return provision_object(call, version_of(call))


async def _put_provision(call: Call, wanted: functions.Provision) -> Function:
    return await call.backend.catalog.put_provision(version_of(call), wanted)


def _shown(
    call: Call, shown: Callable[[Call, Function], dict[str, object]]
) -> Callable[[Function, str], dict[str, object]]:
    return lambda function, _: shown(call, function)


def _provisioned(call: Call) -> Function:
    function = version_of(call)
    if function.provision is None:
        raise ProvisionConfigNotFound(function.name)
    return function


def _scaled(call: Call) -> Function:
    function = version_of(call)
    if function.scaling is None:
        raise ScalingConfigNotFound(function.name)
    return function
