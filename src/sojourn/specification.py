"""What a sandbox is told of an instance: a function's configuration and what runs it here, with FC's variables."""

from __future__ import annotations

from .function import LATEST, Config, Function
from .runtime import Resolved
from .sandbox import InstanceSpec


def instance_spec(id_: str, function: Function, resolved: Resolved, *, region: str, offline: bool) -> InstanceSpec:
    """The specification of instance `id_` of `function`.

    Parameters
    ----------
    id_: the instance's name, unique for ever.
    function: what it is to run.
    resolved: what runs it here.
    region: the server's region.
    offline: whether the account has no network.

    """
    config = function.config
    return InstanceSpec(
        id=id_,
        interpreter=resolved.interpreter,
        code_digest=function.code.digest,
        handler=config.handler,
        environment={**config.environment_variables, **_variables(function, region)},
        memory_mb=config.memory_size,
        tmp_mb=config.disk_size,
        context={
            "account_id": function.account_id,
            "region": region,
            "name": function.name,
            "handler": config.handler,
            "memory": config.memory_size,
            "timeout": config.timeout,
            "qualifier": LATEST,
            "version_id": LATEST,
        },
        kind=resolved.kind,
        program=resolved.program.executable if resolved.program else None,
        custom=config.custom_runtime_config,
        lifecycle=config.instance_lifecycle_config,
        concurrency=config.instance_concurrency,
        # A program that listens on a port of its choice needs a network that no other instance listens in.
        offline=not config.internet_access or (offline and resolved.kind == "custom"),
    )


def _variables(function: Function, region: str) -> dict[str, str]:
    """FC's own environment variables."""
    config: Config = function.config
    found = {
        "FC_ACCOUNT_ID": function.account_id,
        "FC_REGION": region,
        "FC_FUNCTION_NAME": function.name,
        "FC_FUNCTION_HANDLER": config.handler,
        "FC_FUNCTION_MEMORY_SIZE": str(config.memory_size),
        "FC_FUNCTION_VERSION": LATEST,
        "FC_QUALIFIER": LATEST,
        "FC_RUNTIME": config.runtime,
        "FC_TIMEOUT": str(config.timeout),
    }
    initializer = config.instance_lifecycle_config.initializer
    if initializer is not None:
        found["FC_INITIALIZER_HANDLER"] = initializer.handler
        found["FC_INITIALIZATION_TIMEOUT"] = str(initializer.timeout)
    return found
