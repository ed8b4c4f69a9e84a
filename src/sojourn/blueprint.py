"""The blueprint of an instance: what a function's configuration amounts to for the sandbox that makes it."""

from __future__ import annotations

from .function import Config, CustomRuntime, Function
from .homes import Homes
from .sandbox import InstanceSpec


def spec_of(function: Function, instance_id: str, homes: Homes) -> InstanceSpec:
    """What the sandbox is told of an instance of `function`.

    Raises
    ------
    InvalidArgument: nothing on this machine runs its runtime any more.

    """
    config = function.config
    resolved = homes.resolve(config.runtime)
    variables = {
        **config.environment_variables,
        "FC_ACCOUNT_ID": function.account_id,
        "FC_REGION": homes.region,
        "FC_FUNCTION_NAME": function.short_name,
        "FC_FUNCTION_HANDLER": config.handler,
        "FC_FUNCTION_MEMORY_SIZE": str(config.memory_size),
        "FC_FUNCTION_VERSION": function.qualifier,
        "FC_QUALIFIER": function.qualifier,
        "FC_RUNTIME": config.runtime,
        "FC_TIMEOUT": str(config.timeout),
    }
    initializer = config.instance_lifecycle_config.initializer
    if initializer is not None:
        variables["FC_INITIALIZER_HANDLER"] = initializer.handler
        variables["FC_INITIALIZATION_TIMEOUT"] = str(initializer.timeout)
    context: dict[str, object] = {
        "account_id": function.account_id,
        "region": homes.region,
        "name": function.short_name,
        "handler": config.handler,
        "memory": config.memory_size,
        "timeout": config.timeout,
        "qualifier": function.qualifier,
        "version_id": function.qualifier,
    }
    if function.service:
        variables["FC_SERVICE_NAME"] = context["service"] = function.service
    return InstanceSpec(
        id=instance_id,
        interpreter=resolved.interpreter,
        code_digest=function.code.digest,
        handler=config.handler,
        environment=variables,
        memory_mb=config.memory_size,
        tmp_mb=config.disk_size,
        context=context,
        kind=resolved.kind,
        program=resolved.program.executable if resolved.program else None,
        custom=_program(config),
        container=config.custom_container_config,
        lifecycle=config.instance_lifecycle_config,
        concurrency=config.instance_concurrency,
        offline=not config.internet_access or (resolved.kind == "custom" and _apart(function, homes)),
        cpu=config.cpu,
        preload=tuple(config.preload),
        snapshot=config.snapshot,
    )


def _program(config: Config) -> CustomRuntime | None:
    """What is to be known of a program that answers HTTP; an image's port and health check are those of its program."""
    image = config.custom_container_config
    if image is None:
        return config.custom_runtime_config
    return CustomRuntime(port=image.port, health_check_config=image.health_check_config)


def _apart(function: Function, homes: Homes) -> bool:
    """Whether instances that listen on ports can have networks of their own: where the account has none to share."""
    return homes.network_of(function.account_id) == "none"
