"""Programs and images of functions that bring their own: the settings of custom runtimes and custom containers.

Pure, as `configuration`, whose part this is: a decoded JSON value goes in, a checked one comes out, or
`InvalidArgument` names the field, the value and the bound.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .errors import InvalidArgument
from .function import (
    PORT_BOUNDS,
    PORT_DEFAULT,
    Config,
    CustomContainer,
    CustomRuntime,
    HealthCheck,
    check_integer,
    matching,
)

IGNORED_WHEN_EMPTY: tuple[object, ...] = ("", [], {}, None, False)
"""Values of a field that has no effect here which are not worth a refusal."""

HEALTH_PATH = re.compile(r"/[!-~]{0,2047}")
_COMMAND_BYTES_MAX = 16 * 1024
HEALTH_BOUNDS: Mapping[str, tuple[str, tuple[int, int]]] = {
    "initialDelaySeconds": ("initial_delay_seconds", (0, 120)),
    "periodSeconds": ("period_seconds", (1, 120)),
    "timeoutSeconds": ("timeout_seconds", (1, 3)),
    "failureThreshold": ("failure_threshold", (1, 120)),
    "successThreshold": ("success_threshold", (1, 120)),
}
_PART = r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*"
IMAGE = re.compile(
    rf"(?=.{{1,512}}$)(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{{1,5}})?/)?{_PART}(?:/{_PART})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
"""A reference as registries spell it: host, path, tag, digest."""
_TRANSPORTS = frozenset(
    {
        *("atomic", "containers-storage", "dir", "docker", "docker-archive", "docker-daemon"),
        *("oci", "oci-archive", "ostree", "sif", "tarball"),
    }
)
"""Words before a colon by which an engine takes a name for a place on the server's machine."""


def custom_runtime(field: str, value: object) -> CustomRuntime:
    """The program that `customRuntimeConfig` describes."""
    fields = _object(field, value, {"command", "args", "port", "healthCheckConfig"})
    return CustomRuntime(
        command=_words(f"{field}.command", fields.get("command")),
        args=_words(f"{field}.args", fields.get("args")),
        port=_port(f"{field}.port", fields.get("port")),
        health_check_config=_health_check(f"{field}.healthCheckConfig", fields.get("healthCheckConfig")),
    )


def custom_container(field: str, value: object) -> CustomContainer:
    """The image that `customContainerConfig` describes."""
    fields = _object(field, value, {"image", "command", "entrypoint", "port", "healthCheckConfig"})
    return CustomContainer(
        image=_image(f"{field}.image", fields.get("image")),
        command=_words(f"{field}.command", fields.get("command")),
        entrypoint=_words(f"{field}.entrypoint", fields.get("entrypoint")),
        port=_port(f"{field}.port", fields.get("port")),
        health_check_config=_health_check(f"{field}.healthCheckConfig", fields.get("healthCheckConfig")),
    )


def check_program(config: Config) -> None:
    """See that each runtime has what it needs, and nothing that would have no effect.

    Raises
    ------
    InvalidArgument: a custom container without an image, or a program or an image where it is not run.

    """
    program = config.custom_runtime_config is not None
    if program and (config.contained or not config.custom):
        raise InvalidArgument("customRuntimeConfig", "", f"goes with a custom runtime, not {config.runtime}")
    image = config.custom_container_config is not None
    if image and not config.contained:
        raise InvalidArgument("customContainerConfig", "", f"goes with custom-container, not {config.runtime}")
    if config.contained and not image:
        raise InvalidArgument("customContainerConfig.image", "", "is required with custom-container")


def _image(field: str, value: object) -> str:
    bound = "must be an image's name as registries spell it, such as registry.example/team/image:1.0"
    image = matching(field, value, IMAGE, bound)
    if image.partition(":")[0] in _TRANSPORTS:
        raise InvalidArgument(field, image, bound)
    return image


def _port(field: str, value: object) -> int:
    return PORT_DEFAULT if value is None else check_integer(field, value, PORT_BOUNDS)


def _health_check(field: str, value: object) -> HealthCheck | None:
    if value is None:
        return None
    fields = _object(field, value, {"httpGetUrl", *HEALTH_BOUNDS})
    if not any(part not in IGNORED_WHEN_EMPTY for part in fields.values()):
        return None
    bound = "must be a path that begins with /, at most 2048"
    url = matching(f"{field}.httpGetUrl", fields.get("httpGetUrl"), HEALTH_PATH, bound)
    numbers = {
        attribute: check_integer(f"{field}.{name}", fields[name], bounds)
        for name, (attribute, bounds) in HEALTH_BOUNDS.items()
        if fields.get(name) is not None
    }
    return HealthCheck(http_get_url=url, **numbers)


def _object(field: str, value: object, known: set[str]) -> dict[str, object]:
    if not isinstance(value, dict):
        raise InvalidArgument(field, value, f"must be an object of {', '.join(sorted(known))}")
    for name, part in value.items():
        if name not in known and part not in IGNORED_WHEN_EMPTY:
            raise InvalidArgument(f"{field}.{name}", part, "is not supported")
    return value


def _words(field: str, value: object) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(word, str) and word and "\0" not in word for word in value):
        raise InvalidArgument(field, value, "must be a list of words, none of them empty")
    if sum(len(word.encode("utf-8", "surrogatepass")) for word in value) > _COMMAND_BYTES_MAX:
        raise InvalidArgument(field, len(value), f"must hold at most {_COMMAND_BYTES_MAX} bytes in all")
    return list(value)
