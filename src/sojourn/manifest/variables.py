"""What `${…}` stands for: variables, other resources, the environment, files.

As in Serverless Devs, a text that is one expression takes its value as it is, a map or a number too; inside a longer
text a value is written out. A name that stands for nothing is an error, never an empty text. What an expression looks
like is said in `expression`; nothing here runs anything or asks a server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

import msgspec

from .document import BYTES_MAX, NODES_MAX, Node, Value
from .expression import OPEN, Function, Path, Text, pieces
from .problem import ManifestInvalid, Problem

GROUPS = ("resources", "services")
DEPTH_MAX = 100
"""How many expressions may lead to each other."""
FUNCTIONS: Mapping[str, str] = {
    "env": "an environment variable of the command: `${env('X')}`, or with a default `${env('X', 'y')}`",
    "file": "a file's text: `${file('./text')}`",
    "path": "a file's absolute path: `${path('./code')}`",
    "json": "what JSON text says: `${json(file('./values.json'))}`",
    "config": "only `${config('AccountID')}`: the account's id",
}


class Variables:
    """Finds values for the expressions of one file.

    Parameters
    ----------
    root: the whole file.
    file: how the caller named it.
    directory: where it lies; relative paths begin here.
    environ: for `env`.
    account_id: for `config('AccountID')`; "" when nobody knows.

    """

    def __init__(
        self,
        root: Node,
        file: str,
        directory: FilePath,
        environ: Mapping[str, str],
        account_id: Callable[[], str],
    ) -> None:
        self._root, self._file, self._directory = root, file, directory
        self._environ, self._account_id = environ, account_id
        self._busy: list[str] = []
        self._left = NODES_MAX

    def resolve(self, node: Node, resource: str = "") -> Node:
        """`node` with values in the place of all expressions; `this` is the resource of that name.

        Raises
        ------
        ManifestInvalid: an expression stands for nothing, or for itself.

        """
        self._left -= 1
        if self._left < 0:
            raise self._problem(node, f"the file's expressions write out to more than {NODES_MAX} values")
        if isinstance(node.value, dict):
            return replace(node, value={key: self.resolve(part, resource) for key, part in node.value.items()})
        if isinstance(node.value, list):
            return replace(node, value=[self.resolve(part, resource) for part in node.value])
        if isinstance(node.value, str) and OPEN in node.value:
            return self._text(node, node.value, resource)
        return node

    def _text(self, node: Node, text: str, resource: str) -> Node:
        try:
            parts = pieces(text)
        except ValueError as error:
            raise self._problem(node, str(error)) from None
        found = [part if isinstance(part, str) else self._value(node, part, resource) for part in parts]
        if len(found) == 1 and isinstance(found[0], Node):
            return replace(found[0], line=node.line, named=node.named)
        whole = "".join(part if isinstance(part, str) else self._written(node, part) for part in found)
        if len(whole) > BYTES_MAX:
            raise self._problem(node, f"writes out to more than {BYTES_MAX} characters")
        return replace(node, value=whole)

    def _written(self, node: Node, part: Node) -> str:
        if isinstance(part.value, dict | list):
            raise self._problem(node, "holds an expression inside a longer text that stands for a map or a list")
        if isinstance(part.value, bool) or part.value is None:
            return {True: "true", False: "false", None: "null"}[part.value]
        return str(part.value)

    def _value(self, node: Node, expression: Path | Function, resource: str) -> Node:
        if isinstance(expression, Function):
            return Node(node.line, self._call(node, expression), node.named)
        return self._path(node, expression, resource)

    # Paths ------------------------------------------------------------------------------------------------------------

    def _path(self, node: Node, path: Path, resource: str) -> Node:
        names = list(path.names)
        if names[0] == "this":
            if not resource:
                raise self._problem(node, f"${{{path}}} has a meaning only inside a resource")
            if names[1:] == ["name"]:
                return Node(node.line, resource)
            if names[1:] == ["access"] and "access" not in self._resource(resource).fields:
                names = ["access"]
            else:
                names = [self._group(), resource, *names[1:]]
        elif names[0] == "services" or names[0] not in self._root.fields:
            names = self._older(names)
        owner = names[1] if names[0] in GROUPS and len(names) > 1 else ""
        if owner and len(names) > 2 and names[2] in ("output", "info"):  # noqa: PLR2004 - group, resource, part
            raise self._problem(node, f"${{{path}}} is known only after a deployment, and is not supported")
        self._enter(node, str(path))
        found = self._walk(names, owner)
        self._busy.pop()
        if found is None:
            raise self._problem(node, f"${{{path}}} stands for nothing in this file")
        return found

    def _walk(self, names: list[str], owner: str) -> Node | None:
        found: Node | None = self._root
        for name in names:
            if found is not None and isinstance(found.value, str) and OPEN in found.value:
                found = self.resolve(found, owner)
            if found is None:
                return None
            if isinstance(found.value, list):
                found = found.value[int(name)] if name.isdecimal() and int(name) < len(found.value) else None
            else:
                found = found.fields.get(name)
        return None if found is None else self.resolve(found, owner)

    def _older(self, names: list[str]) -> list[str]:
        """The form of edition 1: `${name.props.x}` without the group before it."""
        if names[0] in self._root.fields.get("services", self._root).fields and "services" in self._root.fields:
            return ["services", *names]
        return names

    def _group(self) -> str:
        return next((group for group in GROUPS if group in self._root.fields), GROUPS[0])

    def _resource(self, name: str) -> Node:
        group = self._root.fields.get(self._group())
        return (group.fields.get(name) if group else None) or self._root

    def _enter(self, node: Node, what: str) -> None:
        if what in self._busy or len(self._busy) > DEPTH_MAX:
            raise self._problem(node, f"${{{what}}} leads back to itself: {' → '.join([*self._busy[-5:], what])}")
        self._busy.append(what)

    # Functions --------------------------------------------------------------------------------------------------------

    def _call(self, node: Node, call: Function) -> Value:
        values = [self._argument(node, argument) for argument in call.arguments]
        counts = (1, 2) if call.name == "env" else (1,)
        if call.name not in FUNCTIONS:
            raise self._problem(node, f"there is no function {call.name}; there are {', '.join(FUNCTIONS)}")
        if len(values) not in counts or not isinstance(values[0], str):
            raise self._problem(node, f"{call.name} takes {FUNCTIONS[call.name]}")
        name = values[0]
        match call.name:
            case "env":
                return self._env(node, name, values[1:])
            case "file":
                return self._read(node, name)
            case "path":
                return str((self._directory / name).resolve())
            case "json":
                return self._json(node, name)
            case _:
                return self._config(node, name)

    def _argument(self, node: Node, argument: Text | Function) -> Value:
        if isinstance(argument, Function):
            return self._call(node, argument)
        if not argument.quoted:
            try:  # a bare default such as 512 or true keeps its type, as in the tool
                return msgspec.json.decode(argument.text, type=str | int | float | bool | None)
            except msgspec.DecodeError:
                pass
        return argument.text

    def _env(self, node: Node, name: str, default: list[Value]) -> Value:
        if name in self._environ:
            return self._environ[name]
        if default:
            return default[0]
        raise self._problem(node, f"the environment variable {name} is not set, and ${{env('{name}')}} has no default")

    def _read(self, node: Node, name: str) -> str:
        path = self._directory / name
        try:
            if path.stat().st_size > BYTES_MAX:
                raise self._problem(node, f"{name} has more than {BYTES_MAX} bytes")
            return path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "is not UTF-8 text"
            raise self._problem(node, f"the file {name} cannot be read ({reason})") from None

    def _json(self, node: Node, text: str) -> Value:
        try:
            return _tree(msgspec.json.decode(text), node.line)
        except msgspec.DecodeError as error:
            raise self._problem(node, f"json cannot read this text ({error})") from None
        except RecursionError:
            raise self._problem(node, "json cannot read this text (it is nested too deep)") from None

    def _config(self, node: Node, name: str) -> str:
        if name != "AccountID":
            raise self._problem(node, f"config('{name}') is not supported; only config('AccountID') is")
        account_id = self._account_id()
        if not account_id:
            raise self._problem(node, "nobody knows the account's id: set SOJOURN_ACCOUNT_ID")
        return account_id

    def _problem(self, node: Node, text: str) -> ManifestInvalid:
        return ManifestInvalid([Problem(self._file, node.line, text)])


def _tree(value: Any, line: int) -> Value:
    """Decoded JSON as what a `Node` holds."""
    if isinstance(value, dict):
        return {key: Node(line, _tree(part, line)) for key, part in value.items()}
    if isinstance(value, list):
        return [Node(line, _tree(part, line)) for part in value]
    scalar: Value = value
    return scalar
