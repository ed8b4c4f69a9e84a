"""The router: a path is cut at its slashes and followed through a tree of its parts, one look-up for each.

A word goes before a name with an end (`{task}:stop`), that before a plain name, and that before the rest of a path,
whatever the order in which routes came; a name is never empty. A path that ends in a slash is another path, because a
signature is for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .routing import Endpoint, Route

_NAMED = re.compile(r"\{(\w+)\}(.*)")
_REST = re.compile(r"\{(\w+):path\}")
Found = tuple["_Node", tuple[str, ...]]
"""Where a path ends, and what stands at its names."""


class Paths:
    """Finds who answers."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            node, names = self._root, list[str]()
            for part in route.path.split("/")[1:]:
                node = node.grown(part, names)
            methods = set(route.methods)
            for method in methods | ({"HEAD"} if "GET" in methods else set()):
                node.ways.setdefault(method, (route.endpoint, tuple(names)))

    def find(self, method: str, path: str) -> tuple[Endpoint, dict[str, str]] | None:
        """Who answers `method` at `path`, and what stands at the names of its path."""
        parts = path.split("/")
        node, values = self._root.straight(parts)
        way = node.ways.get(method) if node is not None else None
        if way is None:  # there may be more than one way to read it
            for each, found in self._root.found(parts, 1, ()):
                if method in each.ways:
                    way, values = each.ways[method], list(found)
                    break
            else:
                return None
        endpoint, names = way
        return endpoint, dict(zip(names, values, strict=True))

    def methods(self, path: str) -> list[str]:
        """All methods that are answered at `path`, in the order of the alphabet."""
        every = (node.ways for node, _ in self._root.found(path.split("/"), 1, ()))
        return sorted(set().union(*every))


class _Node:
    """What may follow a beginning of a path, and who answers where it ends."""

    def __init__(self) -> None:
        self.ways: dict[str, tuple[Endpoint, tuple[str, ...]]] = {}
        self.words: dict[str, _Node] = {}
        self.ends: dict[str, _Node] = {}
        self.name: _Node | None = None
        self.rest: _Node | None = None

    def grown(self, part: str, names: list[str]) -> _Node:
        """The node behind `part`, which is made when there is none; a name goes to `names`."""
        if rest := _REST.fullmatch(part):
            names.append(rest[1])
            self.rest = self.rest or _Node()
            return self.rest
        named = _NAMED.fullmatch(part)
        if not named:
            return self.words.setdefault(part, _Node())
        names.append(named[1])
        if named[2]:
            return self.ends.setdefault(named[2], _Node())
        self.name = self.name or _Node()
        return self.name

    def straight(self, parts: list[str]) -> tuple[_Node | None, list[str]]:
        """Where a path ends whose every part is a word or a plain name; None when that leads nowhere."""
        node = self
        values: list[str] = []
        for part in parts[1:]:
            word = node.words.get(part)
            if word is not None:
                node = word
            elif node.name is None or not part or node.ends:
                return None, values
            else:
                node = node.name
                values.append(part)
        return node, values

    def found(self, parts: list[str], place: int, values: tuple[str, ...]) -> Iterator[Found]:
        """Each node at which the path may end whose parts from `place` on follow this node."""
        if place == len(parts):
            yield self, values
            return
        part = parts[place]
        word = self.words.get(part)
        if word is not None:
            yield from word.found(parts, place + 1, values)
        for end, node in self.ends.items():
            if part.endswith(end) and len(part) > len(end):
                yield from node.found(parts, place + 1, (*values, part.removesuffix(end)))
        if self.name is not None and part:
            yield from self.name.found(parts, place + 1, (*values, part))
        if self.rest is not None:
            yield self.rest, (*values, "/".join(parts[place:]))
