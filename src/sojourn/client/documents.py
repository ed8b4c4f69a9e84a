"""Functions, their configurations and triggers as the JSON objects of the wire, with every field.

`model` names the fields that a caller works with; these calls are for those who compare and carry over what they did
not write themselves, such as `sojourn.manifest`. Pure: what comes out is a `Call`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from .call import API_VERSION, Answer, Call, Progress, segment

ACTIONS: Mapping[str, str] = {
    "async-invoke-config": "AsyncInvokeConfig",
    "concurrency": "ConcurrencyConfig",
    "provision-config": "ProvisionConfig",
    "scaling-config": "ScalingConfig",
}
"""The configurations beside a function, by the last part of their path."""

Document = dict[str, Any]
_encode = msgspec.json.Encoder().encode


def get_function(name: str) -> Call[Document]:
    """GetFunction."""
    return Call("GetFunction", "GET", _path(name), _object, idempotent=True)


def create_function(body: Mapping[str, object], progress: Progress | None = None) -> Call[Document]:
    """CreateFunction."""
    path = f"/{API_VERSION}/functions"
    return Call("CreateFunction", "POST", path, _object, body=_encode(body), progress=progress)


def update_function(name: str, body: Mapping[str, object], progress: Progress | None = None) -> Call[Document]:
    """UpdateFunction; what `body` does not name stays."""
    return Call("UpdateFunction", "PUT", _path(name), _object, body=_encode(body), idempotent=True, progress=progress)


def get_config(name: str, kind: str) -> Call[Document]:
    """The configuration of that kind, one of `ACTIONS`."""
    return Call(f"Get{ACTIONS[kind]}", "GET", _path(name, kind), _object, idempotent=True)


def put_config(name: str, kind: str, body: Mapping[str, object]) -> Call[Document]:
    """Put the configuration of that kind, one of `ACTIONS`."""
    return Call(f"Put{ACTIONS[kind]}", "PUT", _path(name, kind), _object, body=_encode(body), idempotent=True)


def create_trigger(function: str, body: Mapping[str, object]) -> Call[Document]:
    """CreateTrigger; the configuration in `body` may be an object."""
    return Call("CreateTrigger", "POST", _path(function, "triggers"), _object, body=_trigger(body))


def update_trigger(function: str, body: Mapping[str, object]) -> Call[Document]:
    """UpdateTrigger of the one that `body` names."""
    path = _path(function, "triggers", segment("trigger", str(body["triggerName"])))
    return Call("UpdateTrigger", "PUT", path, _object, body=_trigger(body), idempotent=True)


def _trigger(body: Mapping[str, object]) -> bytes:
    config = body.get("triggerConfig")
    return _encode(body if config is None else {**body, "triggerConfig": _encode(config).decode()})


_decode: Callable[[bytes], Document] = msgspec.json.Decoder(Document).decode


def _object(answer: Answer) -> Document:
    return _decode(answer.body)


def _path(name: str, *below: str) -> str:
    return "/".join((f"/{API_VERSION}/functions", segment("function", name), *below))
