"""Request bodies that ask for instances kept warm: FC's provision and scaling configurations.

Pure. Either sets how many instances a function always has; what a schedule or a metric would change has no effect here
and is refused unless it is empty.
"""

from __future__ import annotations

from collections.abc import Mapping

from .errors import InvalidArgument
from .function import MIN_INSTANCES_BOUNDS, Provision, Scaling, check_integer
from .own_program import IGNORED_WHEN_EMPTY

_NEUTRAL: Mapping[str, object] = {"enableOnDemandScaling": True}
"""Fields whose one value says what is always so here."""


def new_provision(body: Mapping[str, object]) -> Provision:
    """The provision configuration that a PutProvisionConfig body asks for; it replaces the one before.

    Raises
    ------
    InvalidArgument: a field is missing, has no effect here, or is outside its bounds.

    """
    given = {field: value for field, value in body.items() if value is not None}
    target, default = given.pop("target", None), given.pop("defaultTarget", None)
    cpu = given.pop("alwaysAllocateCPU", True)
    if not isinstance(cpu, bool):
        raise InvalidArgument("alwaysAllocateCPU", cpu, "must be true or false")
    _nothing_else(given)
    field = "target" if default is None else "defaultTarget"
    number = check_integer(field, target if default is None else default, MIN_INSTANCES_BOUNDS, "instances")
    if default is not None and target is not None and check_integer("target", target, MIN_INSTANCES_BOUNDS) != default:
        raise InvalidArgument("target", target, f"must be absent or defaultTarget ({default}): no policy changes it")
    return Provision(target=number, always_allocate_cpu=cpu)


def new_scaling(body: Mapping[str, object]) -> Scaling:
    """The scaling configuration that a PutScalingConfig body asks for; it replaces the one before.

    Raises
    ------
    InvalidArgument: a field is missing, has no effect here, or is outside its bounds.

    """
    given = {field: value for field, value in body.items() if value is not None}
    number = check_integer("minInstances", given.pop("minInstances", None), MIN_INSTANCES_BOUNDS, "instances")
    _nothing_else(given)
    return Scaling(min_instances=number)


def _nothing_else(given: Mapping[str, object]) -> None:
    for field, value in given.items():
        neutral = value == _NEUTRAL[field] if field in _NEUTRAL else value in IGNORED_WHEN_EMPTY
        if not neutral:
            raise InvalidArgument(field, value, "is not supported")
