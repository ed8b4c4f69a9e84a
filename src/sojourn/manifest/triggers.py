"""The triggers of a resource, checked as the server checks them, and what a server lacks of them.

The rules are the server's own (`sojourn.triggering`), so a default that is spelled out in the file is no change. A
trigger's configuration is named as a whole; triggers that a file does not name stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sojourn.errors import InvalidArgument
from sojourn.function import LATEST
from sojourn.trigger import HTTP, Trigger
from sojourn.triggering import changed_trigger, check_trigger_name, check_trigger_type

from .document import Node

Say = Callable[[Node, str], None]
KEYS = ("triggerConfig", "qualifier", "description")


class Triggers:
    """Reads `props.triggers`; `path` is how the file leads there, `say` takes what is wrong, with its place."""

    def __init__(self, props: Node, path: str, say: Say) -> None:
        self._list, self._path, self._say = props.fields.get("triggers"), path, say

    def wanted(self) -> dict[str, Mapping[str, object]]:
        """The bodies by name, as the wire has them but for the configuration, which is an object."""
        found: dict[str, Mapping[str, object]] = {}
        if self._list is None or self._list.value is None:
            return found
        if not isinstance(self._list.value, list):
            self._say(self._list, f"{self._path} must be a list of triggers")
            return found
        for number, item in enumerate(self._list.value):
            body = self._one(item, f"{self._path}[{number}]")
            if body is None:
                continue
            name, others = str(body["triggerName"]), [_address(each) for each in found.values()]
            if name in found:
                self._say(item, f"{self._path}[{number}] is {name!r} a second time")
            elif (one := _address(body)) and one in others:
                self._say(item, f"{self._path}[{number}] is a second http trigger of {one}: each has one address")
            found[name] = body
        return found

    def _one(self, item: Node, path: str) -> Mapping[str, object] | None:
        if not isinstance(item.value, dict):
            self._say(item, f"{path} must be a map of triggerName, triggerType and triggerConfig")
            return None
        body = {key: value for key, value in _plain(item).items() if value is not None}
        try:
            name, kind = check_trigger_name(body.get("triggerName")), check_trigger_type(body.get("triggerType"))
            after(name, kind, body)
        except InvalidArgument as error:
            self._refused(item, path, error)
            return None
        return body

    def _refused(self, item: Node, path: str, error: InvalidArgument) -> None:
        """Say it where the field stands; one of the configuration may be named alone."""
        node, names = item, error.field.split(".")
        if names[0] not in item.fields and names[0] in item.fields.get("triggerConfig", item).fields:
            names = ["triggerConfig", *names]
        for name in names:
            if name not in node.fields:
                break
            node = node.fields[name]
        self._say(node, f"{path}.{'.'.join(names)}{str(error)[len(error.field) :]}")


def after(
    name: str, kind: str, body: Mapping[str, object], before: Mapping[str, object] | None = None
) -> dict[str, Any]:
    """A trigger with all its fields, once `body` is sent to a server where it stands at `before`.

    Raises
    ------
    InvalidArgument: the server would refuse it.

    """
    had = before or {"triggerConfig": "{}"}
    fields = {**had, **{key: body[key] for key in KEYS if key in body}}
    made = changed_trigger(Trigger(function_id=0, name=name, type=kind, config=""), fields, 0)
    return {
        "triggerType": kind,
        "triggerConfig": msgspec.json.decode(made.config),
        "qualifier": made.qualifier or LATEST,
        "description": made.description,
    }


def _address(body: Mapping[str, object]) -> str:
    """Which version or alias gets an address, "" for none."""
    return str(body.get("qualifier") or LATEST) if body["triggerType"] == HTTP else ""


def _plain(item: Node) -> dict[str, object]:
    plain = item.plain()
    return plain if isinstance(plain, dict) else {}
