"""From a file to what its resources ask for: which keys may stand where, and in which order things are looked at.

All mistakes of a file are told at once where that is possible: first what is no YAML, then expressions that stand for
nothing, then keys, then values. What a key does is said in `keys`, what its value may be in `wanted`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

from .document import BYTES_MAX, Node, parse_document
from .fc2 import converted
from .keys import FC2, FC3, RESOURCE, ROOT, Key
from .problem import ManifestInvalid, Problem
from .variables import Variables
from .wanted import Checker, Wanted

NAMES = ("s.yaml", "s.yml")
"""How the tool names its file; the first that is there counts."""
GROUP_OF_EDITION = {"3": "resources", "1": "services"}
_EDITION = re.compile(r"([13])(\.\d+){0,2}")
_COMPONENT = re.compile(r"(?:devsapp/)?(fc3|fc)(?:@[\w.-]+)?")
_FORMS: Mapping[str, Mapping[str, Key]] = {"fc3": FC3, "fc": FC2}


@dataclass(frozen=True)
class Options:
    """What a file does not say.

    `environ` is for `${env(…)}`, `account_id` for `${config('AccountID')}`. `skip` are keys to leave out, by name or by
    their path in `props`; `without_services` names functions of the older form without their service. `only` are the
    resources to look at; all of them when it is empty.
    """

    environ: Mapping[str, str] = field(default_factory=dict)
    account_id: Callable[[], str] = str
    skip: frozenset[str] = frozenset()
    without_services: bool = False
    only: tuple[str, ...] = ()


def find(directory: Path) -> Path | None:
    """The file of the tool in `directory`, None when there is none."""
    return next((path for name in NAMES if (path := directory / name).is_file()), None)


def read_file(path: Path, options: Options) -> list[Wanted]:
    """What the file at `path` asks for.

    Raises
    ------
    ManifestInvalid: it has mistakes.
    OSError: it cannot be read.

    """
    with path.open("rb") as file:
        data = file.read(BYTES_MAX + 1)
    return read(data, str(path), path.parent, options)


def read(data: bytes, file: str, directory: Path, options: Options) -> list[Wanted]:
    """What a file asks for, resource by resource in its order.

    Parameters
    ----------
    data: its bytes.
    file: how the caller named it, for messages.
    directory: where relative paths begin.
    options: what it does not say.

    """
    root = parse_document(data, file)
    reader = _Reader(root, file, directory, options)
    wanted = reader.resources()
    if reader.problems:
        raise ManifestInvalid(reader.problems)
    return wanted


class _Reader:
    def __init__(self, root: Node, file: str, directory: Path, options: Options) -> None:
        self._root, self._file, self._directory, self._options = root, file, directory, options
        self._variables = Variables(root, file, directory, options.environ, options.account_id)
        self.problems: list[Problem] = []

    def resources(self) -> list[Wanted]:
        """All resources that are wanted; what is wrong is in `problems`."""
        self._keys(self._root, ROOT, "")
        group = self._group()
        found = self._root.fields.get(group)
        if found is None or not found.fields:
            self._say(found or self._root, f"{group} is required: a map of at least one resource")
            return []
        for name in self._options.only:
            if name not in found.fields:
                self._say(found, f"there is no resource {name!r}; there are {', '.join(found.fields)}")
        wanted: dict[str, Wanted] = {}
        for name, node in found.fields.items():
            if self._options.only and name not in self._options.only:
                continue
            one = self._resource(name, node, group)
            if one is None:
                continue
            if one.function in wanted:
                other = wanted[one.function]
                said = (
                    f"{group}.{name} is the function {one.function!r}, which is {other.resource} in line {other.line}"
                )
                self._say(node, said)
            wanted[one.function] = one
        return list(wanted.values())

    def _group(self) -> str:
        edition = self._root.fields.get("edition")
        groups = [group for group in GROUP_OF_EDITION.values() if group in self._root.fields]
        if edition is None:
            self._say(self._root, "edition is required: 3.0.0 with resources, 1.0.0 with services")
            return (groups or ["resources"])[0]
        match = _EDITION.fullmatch(str(edition.value))
        if match is None:
            self._say(edition, f"edition must be 3.x.x or 1.0.0, got {edition.value!r}")
            return (groups or ["resources"])[0]
        group = GROUP_OF_EDITION[match[1]]
        for other in groups:
            if other != group:
                self._say(self._root.fields[other], f"{other} does not go with edition {edition.value}: it is {group}")
                return other
        return group

    def _resource(self, name: str, node: Node, group: str) -> Wanted | None:
        path = f"{group}.{name}"
        if not isinstance(node.value, dict):
            self._say(node, f"{path} must be a map with component and props, got {node.value!r}")
            return None
        before = len(self.problems)
        self._keys(node, RESOURCE, path)
        form = self._form(node, name, path)
        props = node.fields.get("props")
        if props is None or not isinstance(props.value, dict | str):
            self._say(props or node, f"{path}.props is required, and must be a map")
            return None
        if form is None:
            return None
        resolved = self._resolved(props, name)
        if resolved is None:
            return None
        if not isinstance(resolved.value, dict):
            self._say(props, f"{path}.props must be a map, got {resolved.value!r}")
            return None
        resolved = self._keys(resolved, _FORMS[form], f"{path}.props")
        if form == "fc":
            resolved, problems = converted(
                resolved, f"{path}.props", self._file, without_services=self._options.without_services
            )
            self.problems += problems
        checker = Checker(name, f"{path}.props", resolved, self._file, self._directory)
        wanted = checker.wanted(node.line) if form == "fc3" or resolved.fields else None
        self.problems += checker.problems
        return wanted if len(self.problems) == before else None

    def _form(self, node: Node, name: str, path: str) -> str | None:
        component = node.fields.get("component")
        if component is None:
            self._say(node, f"{path}.component is required: fc3 or fc")
            return None
        resolved = self._resolved(component, name)
        if resolved is None:
            return None
        match = _COMPONENT.fullmatch(str(resolved.value))
        if match is None:
            self._say(component, f"{path}.component must be fc3 or fc, got {resolved.value!r}")
            return None
        return match[1]

    def _resolved(self, node: Node, resource: str) -> Node | None:
        """`node` with values for its expressions; each part that cannot have one is told."""
        if isinstance(node.value, dict):
            parts = {key: self._resolved(part, resource) for key, part in node.value.items()}
            return replace(node, value={key: part for key, part in parts.items() if part is not None})
        try:
            return self._variables.resolve(node, resource)
        except ManifestInvalid as error:
            self.problems += error.problems
            return None

    def _keys(self, node: Node, keys: Mapping[str, Key], path: str, below: str = "") -> Node:
        """Tell of keys that are unknown or refused; `node` without those that are skipped comes back."""
        kept: dict[str, Node] = {}
        for name, part in node.fields.items():
            shown, inner = f"{path}.{name}".lstrip("."), f"{below}.{name}".lstrip(".")
            if {name, inner} & self._options.skip:
                continue
            key = keys.get(name)
            if key is None:
                self._say(part, _unknown(shown, name, keys))
            elif key.use == "refused":
                if not part.empty:
                    self._refuse(part, shown, name, key)
            elif key.inside is not None and part.fields:
                kept[name] = self._keys(part, key.inside, shown, inner)
            elif key.inside is not None and isinstance(part.value, list):
                items = [
                    self._keys(item, key.inside, f"{shown}[{number}]", inner) if item.fields else item
                    for number, item in enumerate(part.value)
                ]
                kept[name] = replace(part, value=items)
            else:
                kept[name] = part
        return replace(node, value=kept)

    def _refuse(self, node: Node, shown: str, name: str, key: Key) -> None:
        said = f"is not supported: {key.words}; take it out, or leave it out here with --skip {name}"
        self._say(node, f"{shown} {said}")

    def _say(self, node: Node, text: str) -> None:
        self.problems.append(Problem(self._file, node.line, text))


def _unknown(shown: str, name: str, keys: Mapping[str, Key]) -> str:
    lowered = {known.lower(): known for known in keys}
    close = get_close_matches(name.lower(), lowered, 1, 0.7)
    meant = f" Did you mean {lowered[close[0]]}?" if close else ""
    known = ", ".join(sorted(name for name, key in keys.items() if key.use != "refused"))
    return f"{shown} is not a key that is known here.{meant} Known are {known}."
