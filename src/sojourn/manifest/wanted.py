"""What a file asks for: a function, its code, and the configurations beside it, checked as the server checks them.

The checks are the server's own (`sojourn.configuration`), so that a file that is read can be applied, as far as that
can be known without asking. What is decided here is which key belongs to which configuration, and in which line a
refused value stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sojourn.configuration import changed_async_config, check_reserved_concurrency, new_config
from sojourn.errors import InvalidArgument
from sojourn.function import CONTAINER, check_function_name
from sojourn.provisioning import new_provision, new_scaling

from .document import Node
from .problem import Problem
from .triggers import Triggers

CONFIGS: Mapping[str, str] = {
    "asyncInvokeConfig": "async-invoke-config",
    "concurrencyConfig": "concurrency",
    "provisionConfig": "provision-config",
    "scalingConfig": "scaling-config",
}
"""Keys that are configurations of their own, and the last part of their path on the wire."""
STAND_INS: Mapping[str, str] = {"runtime": "python3", "handler": "index.handler"}
"""What stands in the place of fields that are needed and wrong, so that the others can be looked at."""
_NO_SETTING = frozenset({"functionName", "code", "region", "triggers", *CONFIGS})

Locate = Callable[[str], Node]


@dataclass(frozen=True)
class Wanted:
    """One resource of a file.

    `settings` is the body of the function without its code, `configs` the bodies of its other configurations by the key
    of the file, `triggers` those of its triggers by name; all as the wire spells them. `line` is where the resource
    begins.
    """

    resource: str
    function: str
    line: int
    settings: Mapping[str, object]
    code: Path | None
    configs: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    triggers: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


class Checker:
    """Turns the `props` of one resource into what they ask for, and collects what is wrong with them.

    Parameters
    ----------
    resource, path: the name of the resource, and the path of its props for people to find.
    props: in the newer form, all values in place, all keys known.
    file, directory: how the file is named, and where its relative paths begin.

    """

    def __init__(self, resource: str, path: str, props: Node, file: str, directory: Path) -> None:
        self._resource, self._path, self._props = resource, path, props
        self._file, self._directory = file, directory
        self.problems: list[Problem] = []

    def wanted(self, line: int) -> Wanted | None:
        """What the props ask for; None when `problems` tell why they cannot."""
        name = self._checked(
            {"functionName": self._plain("functionName")}, lambda body: check_function_name(body.get("functionName"))
        )
        settings = {
            key: node.plain()
            for key, node in self._props.fields.items()
            if key not in _NO_SETTING and node.value is not None
        }
        self._checked(settings, new_config)
        configs = {key: self._config(key) for key in CONFIGS if self._plain(key) is not None}
        triggers = Triggers(self._props, self._shown("triggers"), self._say).wanted()
        code = self._code()
        if self.problems or not isinstance(name, str):
            return None
        return Wanted(self._resource, name, line, settings, code, {k: v for k, v in configs.items() if v}, triggers)

    def _plain(self, key: str) -> object:
        node = self._props.fields.get(key)
        return None if node is None else node.plain()

    def _config(self, key: str) -> Mapping[str, object]:
        body = self._plain(key)
        if not isinstance(body, dict):
            self._say(self._props.fields[key], f"{self._shown(key)} must be a map, got {body!r}")
            return {}
        body = {name: value for name, value in body.items() if value is not None}
        self._checked(body, _CHECKS[key], f"{key}.")
        return body

    def _code(self) -> Path | None:
        code = self._plain("code")
        where = self._props.fields.get("code", self._props)
        if isinstance(code, dict):
            where = where.fields.get("src", where)
            code = code.get("src")
        if code is None and self._plain("runtime") == CONTAINER:
            return None
        if code is None:
            self._say(where, f"{self._shown('code')} is required: a directory or a zip, from where the file lies")
        elif not isinstance(code, str) or not code:
            self._say(where, f"{self._shown('code')} must be the path of a directory or a zip, got {code!r}")
        elif not (path := self._directory / code).exists():
            self._say(where, f"{self._shown('code')} must be a directory or a zip; there is nothing at {code!r}")
        else:
            return path
        return None

    def _checked(
        self, body: Mapping[str, object], check: Callable[[dict[str, object]], object], prefix: str = ""
    ) -> object:
        """What `check` makes of `body`; each field it refuses is told and left out, so that all of them are told."""
        left, told = dict(body), set[str]()
        while True:
            try:
                return check(left)
            except InvalidArgument as error:
                name = error.field.partition(".")[0]
                if name in told or (told - STAND_INS.keys() and name not in left):
                    return None  # it is missing only because something was left out
                told.add(name)
                self._refused(error, prefix)
                if name in STAND_INS:
                    left[name] = STAND_INS[name]
                elif left.pop(name, None) is None:
                    return None

    def _refused(self, error: InvalidArgument, prefix: str) -> None:
        path = prefix + error.field
        node, shown = self._props, self._path
        names = path.split(".")
        while names and names[0] in node.fields:
            name = names.pop(0)
            node = node.fields[name]
            shown = node.named or f"{shown}.{name}"
        got = str(error)[len(error.field) :]
        if path.startswith("environmentVariables"):  # a value may be a secret
            got = f" {error.bound}" + ("" if isinstance(error.value, str) else ": write the value in quotes")
        self._say(node, ".".join([shown, *names]) + got)

    def _shown(self, path: str) -> str:
        node = self._props.fields.get(path)
        return node.named if node is not None and node.named else f"{self._path}.{path}"

    def _say(self, node: Node, text: str) -> None:
        self.problems.append(Problem(self._file, node.line, text))


_CHECKS: Mapping[str, Callable[[dict[str, object]], object]] = {
    "asyncInvokeConfig": lambda body: changed_async_config(None, body, 0),
    "concurrencyConfig": check_reserved_concurrency,
    "provisionConfig": new_provision,
    "scalingConfig": new_scaling,
}
