"""The older form, of the component `fc`: its keys under the names and in the places of the newer one.

Nothing is lost on the way: every value keeps its line and the path by which the file knows it. A function of the older
form belongs to a service; the tool's own conversion names it `service$function`, and so does this one where the server
takes such a name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import msgspec

from sojourn.function import CONTAINER, FUNCTION_NAME

from .document import Node
from .problem import Problem

SAME = (
    "description",
    "handler",
    "runtime",
    "memorySize",
    "cpu",
    "diskSize",
    "timeout",
    "environmentVariables",
    "instanceConcurrency",
    "instanceLifecycleConfig",
)
"""Keys of a function that are the same in both forms."""
TRIGGER_NAMES = {"name": "triggerName", "type": "triggerType", "config": "triggerConfig"}
ASYNC_SAME = ("maxAsyncRetryAttempts", "maxAsyncEventAgeInSeconds")
INSTANCE_TYPES = ("e1", "c1")
IMAGE_NAMES = {"command": "entrypoint", "args": "command"}
"""Keys of an image that have other names in the newer form."""


def converted(props: Node, path: str, file: str, *, without_services: bool) -> tuple[Node, list[Problem]]:
    """`props` in the newer form, and what stands in the way.

    Parameters
    ----------
    props: of the component `fc`; its keys are known ones.
    path: how the file leads to them.
    file: its name, for problems.
    without_services: name the function without its service.

    """
    problems: list[Problem] = []
    service, function = (props.fields.get(name, Node(props.line, {})) for name in ("service", "function"))
    for name, part in (("service", service), ("function", function)):
        if not part.fields:
            problems.append(Problem(file, part.line, f"{path}.{name} is required, and must be a map with a name"))
    if problems:
        return Node(props.line, {}), problems
    known = {key: replace(node, named=f"{path}.function.{key}") for key, node in function.fields.items()}
    fields = {key: known[key] for key in SAME if key in known}
    if "codeUri" in known:
        fields["code"] = known["codeUri"]
    if "internetAccess" in service.fields:
        fields["internetAccess"] = replace(service.fields["internetAccess"], named=f"{path}.service.internetAccess")
    _hooks(fields, known)
    problems += _program(fields, known, file)
    if "asyncConfiguration" in known:
        fields["asyncInvokeConfig"] = _async(known["asyncConfiguration"])
    if "triggers" in props.fields:
        fields["triggers"] = _triggers(replace(props.fields["triggers"], named=f"{path}.triggers"))
    instance_type = known.get("instanceType")
    if instance_type is not None and instance_type.value not in (*INSTANCE_TYPES, None):
        said = f"{instance_type.named} must be one of {', '.join(INSTANCE_TYPES)}, got {instance_type.value!r}"
        problems.append(Problem(file, instance_type.line, said))
    fields["functionName"], problem = _name(service, function, path, file, without_services=without_services)
    problems += [problem] if problem else []
    return Node(props.line, fields), problems


def _name(
    service: Node, function: Node, path: str, file: str, *, without_services: bool
) -> tuple[Node, Problem | None]:
    own = function.fields.get("name", Node(function.line, None))
    own = replace(own, named=f"{path}.function.name")
    if without_services or not isinstance(own.value, str):
        return own, None
    first = service.fields.get("name", Node(service.line, None))
    if not isinstance(first.value, str) or not first.value:
        return own, Problem(file, first.line, f"{path}.service.name must be the service's name, got {first.value!r}")
    whole = f"{first.value}${own.value}"
    if FUNCTION_NAME.fullmatch(own.value) and not FUNCTION_NAME.fullmatch(whole):
        said = (
            f"the function would be named {whole!r}, as the tool's own conversion does it, and the service's name must "
            f"start with a letter or '_': change it, or pass --without-services to name it {own.value!r}"
        )
        return own, Problem(file, first.line, said)
    return replace(own, value=whole), None


def _hooks(fields: dict[str, Node], known: Mapping[str, Node]) -> None:
    older = {"handler": known.get("initializer"), "timeout": known.get("initializationTimeout")}
    given = {part: node for part, node in older.items() if node is not None}
    if "handler" not in given:  # a time alone configures nothing, as in the tool
        return
    hooks = fields.get("instanceLifecycleConfig", Node(given["handler"].line, {}))
    initializer = Node(given["handler"].line, given, given["handler"].named)
    fields["instanceLifecycleConfig"] = replace(hooks, value={"initializer": initializer} | hooks.fields)


def _program(fields: dict[str, Node], known: Mapping[str, Node], file: str) -> list[Problem]:
    """The program or the image, with the keys that the older form has beside it."""
    contained = "runtime" in known and known["runtime"].value == CONTAINER
    beside = {
        name: known[key]
        for key, name in (("caPort", "port"), ("customHealthCheckConfig", "healthCheckConfig"))
        if key in known and known[key].value is not None
    }
    problems = []
    for key, theirs in (("customRuntimeConfig", not contained), ("customContainerConfig", contained)):
        whole = known.get(key)
        parts = dict(whole.fields) if whole else {}
        if whole and key == "customContainerConfig":
            problems += _web_server(whole, file)
            parts = _image(whole)
        if theirs and beside:
            parts |= beside
            whole = whole or next(iter(beside.values()))
        if whole is not None and (parts or not isinstance(whole.value, dict)):
            fields[key] = replace(whole, value=parts) if parts else whole
    return problems


def _image(image: Node) -> dict[str, Node]:
    """An image's keys under their newer names; a list of words may be JSON text, as the API of 2.0 has it."""
    parts = {}
    for key, node in image.fields.items():
        if key == "webServerMode" or node.value in (None, ""):
            continue
        named = replace(node, named=f"{image.named}.{key}")
        parts[IMAGE_NAMES.get(key, key)] = _words(named) if key in IMAGE_NAMES else named
    return parts


def _words(node: Node) -> Node:
    try:
        words = msgspec.json.decode(node.value, type=list[str]) if isinstance(node.value, str) else None
    except (msgspec.DecodeError, UnicodeError):
        return node  # no list, which is told where lists are checked
    return node if words is None else replace(node, value=[Node(node.line, word) for word in words])


def _web_server(image: Node, file: str) -> list[Problem]:
    mode = image.fields.get("webServerMode", Node(image.line, None))
    if mode.value in (None, True):
        return []
    said = f"{image.named}.webServerMode must be true, got {mode.value!r}: a container answers HTTP here"
    return [Problem(file, mode.line, said)]


def _triggers(triggers: Node) -> Node:
    if not isinstance(triggers.value, list):
        return triggers
    renamed = [
        replace(each, value={TRIGGER_NAMES.get(key, key): part for key, part in each.fields.items()})
        if isinstance(each.value, dict)
        else each
        for each in triggers.value
    ]
    return replace(triggers, value=renamed)


def _async(config: Node) -> Node:
    parts = {key: config.fields[key] for key in ASYNC_SAME if key in config.fields}
    switch, destination = config.fields.get("statefulInvocation"), config.fields.get("destination")
    if switch is not None:
        parts["asyncTask"] = replace(switch, named=f"{config.named}.statefulInvocation")
    if destination is not None:
        named = f"{config.named}.destination"
        ends = {
            key: Node(node.line, {"destination": node}, f"{named}.{key}")
            for key, node in destination.fields.items()
            if node.value is not None
        }
        parts["destinationConfig"] = Node(destination.line, ends, named)
    return replace(config, value=parts) if isinstance(config.value, dict) else config
