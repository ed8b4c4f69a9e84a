"""The difference between what a file asks for and what a server has, field by field.

What a change would come to is computed with the server's own rules (`sojourn.configuration`), so a default that is
spelled out in the file is no change. Code is compared by the archive's CRC-64, which functions report. What a file does
not name is left as it is; of hooks, destinations and environment variables it names all or none.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from sojourn.client import Client, NotFound, ServerError, Trigger, code_archive, documents
from sojourn.client.errors import refused
from sojourn.code import checksum
from sojourn.configuration import changed_async_config, changed_config
from sojourn.function import AsyncConfig, Config, Scaling
from sojourn.provisioning import new_provision, new_scaling

from . import triggers
from .keys import HOOKS
from .wanted import CONFIGS, Wanted

Action = Literal["create", "change", "none"]
SECRET = "environmentVariables."  # noqa: S105 - the name of the fields that may hold secrets
_TIMES = ("createdAt", "modifiedAt")


@dataclass(frozen=True)
class Change:
    """One field: `old` is None when it is new, `new` is None when it goes."""

    field: str
    old: object
    new: object

    @property
    def secret(self) -> bool:
        """Whether its values are not for everybody's eyes."""
        return self.field.startswith(SECRET)


@dataclass(frozen=True)
class Step:
    """What is to do for one resource.

    `body` is what is sent of the function, None when the function stays as it is; `configs` are the configurations to
    put, by the key of the file, `triggers` the triggers to create or to change, by name.
    """

    wanted: Wanted
    action: Action
    changes: list[Change]
    body: Mapping[str, object] | None
    configs: Mapping[str, Mapping[str, object]]
    triggers: Mapping[str, Mapping[str, object]]


def plan(client: Client, wanted: Wanted) -> Step:
    """What `client`'s server lacks of `wanted`; nothing is changed by asking.

    Raises
    ------
    ClientError: the server does not answer, or its answer cannot be used.
    Refused: the code cannot be deployed.

    """
    remote = _get_function(client, wanted.function)
    body, changes = _function(wanted, remote)
    configs: dict[str, Mapping[str, object]] = {}
    for key, asked in wanted.configs.items():
        body_of_config, found = _config(client, wanted, key, asked) if remote is not None else (asked, _given(asked))
        if found:
            configs[key] = body_of_config
            changes += [Change(f"{key}.{change.field}", change.old, change.new) for change in found]
    there = {each.trigger_name: each for each in client.list_triggers(wanted.function)} if remote is not None else {}
    differing: dict[str, Mapping[str, object]] = {}
    for name, asked in wanted.triggers.items():
        if found := _trigger(name, asked, there.get(name)):
            differing[name] = asked
            changes += found
    action: Action = "create" if remote is None else "change" if changes else "none"
    return Step(wanted, action, changes, body, configs, differing)


def _trigger(name: str, asked: Mapping[str, object], there: Trigger | None) -> list[Change]:
    """What it changes to send a trigger."""
    kind, path = str(asked["triggerType"]), f"triggers.{name}"
    if there is None:
        given = {key: value for key, value in asked.items() if key != "triggerName"}
        return list(_differences({}, given, path))
    if there.trigger_type != kind:
        raise refused(f"{path}.triggerType", kind, f"must be {there.trigger_type}, as on the server: delete it first")
    now: dict[str, object] = {"triggerConfig": there.trigger_config, "description": there.description}
    now["qualifier"] = "" if there.qualifier == "LATEST" else there.qualifier
    before, after = (triggers.after(name, kind, body, now) for body in ({}, asked))
    return list(_differences(before, after, path))


def _get_function(client: Client, name: str) -> documents.Document | None:
    try:
        return client.ask(documents.get_function(name))
    except NotFound:
        return None


def _function(wanted: Wanted, remote: documents.Document | None) -> tuple[Mapping[str, object] | None, list[Change]]:
    """The body to send, and what it changes."""
    archive = code_archive(wanted.code) if wanted.code is not None else b""
    code = {"zipFile": base64.b64encode(archive).decode()}
    if remote is None:
        changes = _given(wanted.settings)
        body = {"functionName": wanted.function, **wanted.settings}
        if archive:
            body["code"] = code
            changes.append(Change("code", None, _code(len(archive), checksum(archive))))
        return body, changes
    before = _decoded(remote, Config)
    settings = _whole(wanted.settings, before)
    after = changed_config(before, settings)
    old, new = msgspec.to_builtins(before), msgspec.to_builtins(after)
    changes = list(_differences(old, new, ""))
    body = {key: value for key, value in settings.items() if old.get(key) != new.get(key)}
    if archive and str(remote.get("codeChecksum", "")) != checksum(archive):
        body["code"] = code
        had = _code(remote.get("codeSize", 0), remote.get("codeChecksum", ""))
        changes.append(Change("code", had, _code(len(archive), checksum(archive))))
    return body or None, changes


def _whole(settings: Mapping[str, object], before: Config) -> dict[str, object]:
    """`settings`, with hooks that are configured and not named in it taken away."""
    whole = dict(settings)
    hooks = whole.get("instanceLifecycleConfig")
    if isinstance(hooks, dict):
        had = msgspec.to_builtins(before.instance_lifecycle_config)
        gone = {name: {"handler": ""} for name in HOOKS if had.get(name) and hooks.get(name) is None}
        whole["instanceLifecycleConfig"] = hooks | gone
    return whole


def _whole_config(asked: Mapping[str, object], before: AsyncConfig) -> Mapping[str, object]:
    """`asked`, with destinations that are configured and not named in it taken away."""
    ends = asked.get("destinationConfig")
    if not isinstance(ends, dict):
        return asked
    had = msgspec.to_builtins(before.destination_config)
    gone = {name: {"destination": ""} for name, end in had.items() if end and ends.get(name) is None}
    return {**asked, "destinationConfig": ends | gone}


def _config(
    client: Client, wanted: Wanted, key: str, asked: Mapping[str, object]
) -> tuple[Mapping[str, object], list[Change]]:
    """The body to put, and what it changes."""
    try:
        remote = client.ask(documents.get_config(wanted.function, CONFIGS[key]))
    except NotFound:
        return asked, _given(asked)
    before: Any
    after: Any
    match key:
        case "asyncInvokeConfig":
            before = _decoded(remote, AsyncConfig)
            asked = _whole_config(asked, before)
            after = changed_async_config(before, asked, 0)
        case "provisionConfig":  # the whole of it is replaced, and so is the next one
            before, after = _provision(remote), _provision(asked)
        case "scalingConfig":
            before, after = _decoded(remote, Scaling), new_scaling(asked)
        case _:
            before, after = {name: remote.get(name) for name in asked}, dict(asked)
    return asked, list(_differences(_fields(before), _fields(after), ""))


def _provision(body: Mapping[str, object]) -> dict[str, object]:
    """A provision configuration under the wire's names, with its defaults."""
    given = {name: body[name] for name in ("target", "defaultTarget", "alwaysAllocateCPU") if name in body}
    provision = new_provision(given)
    return {"defaultTarget": provision.target, "alwaysAllocateCPU": provision.always_allocate_cpu}


def _fields(config: object) -> dict[str, Any]:
    """A configuration as the wire spells it, without the times of its changes."""
    fields: dict[str, Any] = msgspec.to_builtins(config)
    return {name: value for name, value in fields.items() if name not in _TIMES}


def _decoded(remote: documents.Document, kind: type[Any]) -> Any:
    try:
        return msgspec.convert({key: value for key, value in remote.items() if value is not None}, kind)
    except msgspec.ValidationError as error:
        raise ServerError(f"the server describes a function in a way that cannot be compared ({error})") from None


def _given(asked: Mapping[str, object]) -> list[Change]:
    return list(_differences({}, asked, ""))


def _differences(old: Any, new: Any, path: str) -> Iterator[Change]:
    """The leaves in which two values differ; a list counts as one."""
    if old == new:
        return
    if isinstance(new, dict) and isinstance(old or {}, dict):
        old = old or {}
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif isinstance(old, dict) and new is None:
        for key, value in old.items():
            yield from _differences(value, None, f"{path}.{key}")
    else:
        yield Change(path, old, new)


def _code(size: object, crc: object) -> str:
    return f"{size} bytes, CRC-64 {crc}"
