"""YAML as a tree that knows its lines.

The tree is built from the parser's events and holds nothing but text, numbers, true, false, null, lists and maps: no
tag makes an object of its own. Plain words mean what YAML 1.2 says they mean, as Serverless Devs reads them (`yes` and
`on` are text). Twice the same key, aliases into themselves, tags, a second document and whatever is larger than anybody
writes by hand are refused. What the tree means is left to `reading`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NoReturn

from yaml import SafeLoader, YAMLError, parse
from yaml.error import MarkedYAMLError
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)
from yaml.reader import ReaderError

from .problem import ManifestInvalid, Problem

BYTES_MAX = 1024 * 1024
DEPTH_MAX = 40
NODES_MAX = 50_000
"""How many values a tree may hold once its aliases are written out."""
MERGE = "<<"

Scalar = str | int | float | bool | None
Value = Scalar | dict[str, "Node"] | list["Node"]


@dataclass(frozen=True)
class Node:
    """A value and its line, from 1; in a map that is the line of its key.

    `named` is the path under which the file knows it, where that is not the path by which it is found.
    """

    line: int
    value: Value
    named: str = ""

    @property
    def fields(self) -> dict[str, Node]:
        """What it holds when it is a map; nothing otherwise."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def empty(self) -> bool:
        """Whether it says nothing: null, "", false, an empty list or map, or a map of such."""
        if isinstance(self.value, dict):
            return all(node.empty for node in self.value.values())
        return self.value is None or self.value is False or self.value in ("", [])

    def plain(self) -> object:
        """The value without lines."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def parse_document(data: bytes, file: str) -> Node:
    """The tree of one YAML document, whose root is a map.

    Raises
    ------
    ManifestInvalid: it is no such thing; the line says where it ceases to be one.

    """
    if len(data) > BYTES_MAX:
        _refuse(file, 1, f"the file has {len(data)} bytes, at most {BYTES_MAX} are read")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _refuse(file, data.count(b"\n", 0, error.start) + 1, f"is not UTF-8 text (byte 0x{data[error.start]:02x})")
    try:
        return _Builder(file, text).document()
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        _refuse(file, line, f"holds a character that YAML does not allow (U+{_number(error.character):04X})")
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        begun = error.context_mark
        if mark is not None and begun is not None and mark.index >= len(text.rstrip()):
            mark = begun  # what has no end is best told where it begins
        told = ", ".join(part for part in (error.context, error.problem) if part)
        _refuse(file, mark.line + 1 if mark else 1, f"is not YAML: {told}")
    except YAMLError as error:
        _refuse(file, 1, f"is not YAML: {error}")


class _Builder:
    """Builds the tree from the parser's events, one call deep for each level of the file."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._events: Iterator[Event] = iter(parse(text, Loader=SafeLoader))
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._open: set[str] = set()

    def document(self) -> Node:
        event = self._next()
        while isinstance(event, StreamStartEvent | DocumentStartEvent):
            event = self._next()
        if isinstance(event, StreamEndEvent):
            _refuse(self._file, 1, "the file is empty: it must hold edition, name and resources")
        root, _ = self._node(event, 0)
        event = self._next()
        while isinstance(event, DocumentEndEvent):
            event = self._next()
        if not isinstance(event, StreamEndEvent):
            _refuse(self._file, _line(event), "a second document begins here: a file holds one")
        if not isinstance(root.value, dict):
            _refuse(self._file, root.line, "must be a map with edition, name and resources")
        return root

    def _next(self) -> Event:
        return next(self._events)

    def _node(self, event: Event, depth: int) -> tuple[Node, int]:
        """The node that begins with `event`, and how many values it holds with its aliases written out."""
        line = _line(event)
        if depth > DEPTH_MAX:
            _refuse(self._file, line, f"is nested deeper than {DEPTH_MAX} levels")
        if isinstance(event, AliasEvent):
            return self._alias(event, line)
        assert isinstance(event, NodeEvent)  # noqa: S101 - the parser's grammar leaves nothing else here
        anchor = event.anchor
        tag = getattr(event, "tag", None)
        if tag is not None and tag != "!":
            _refuse(self._file, line, f"the tag {tag} is not supported: values are text, numbers, lists and maps")
        if anchor is not None:
            self._open.add(anchor)
        if isinstance(event, ScalarEvent):
            node, count = Node(line, event.value if event.style else _scalar(event.value)), 1
        elif isinstance(event, SequenceStartEvent):
            node, count = self._list(line, depth)
        else:
            assert isinstance(event, MappingStartEvent)  # noqa: S101 - as above
            node, count = self._map(line, depth)
        if count > NODES_MAX:
            _refuse(self._file, line, f"holds more than {NODES_MAX} values with its aliases written out")
        if anchor is not None:
            self._open.discard(anchor)
            self._anchors[anchor] = node, count
        return node, count

    def _alias(self, event: AliasEvent, line: int) -> tuple[Node, int]:
        if event.anchor in self._open:
            _refuse(self._file, line, f"the alias *{event.anchor} stands inside its own anchor")
        if event.anchor not in self._anchors:
            _refuse(self._file, line, f"the alias *{event.anchor} has no anchor above it")
        return self._anchors[event.anchor]

    def _list(self, line: int, depth: int) -> tuple[Node, int]:
        items, count = [], 1
        while not isinstance(event := self._next(), CollectionEndEvent):
            node, more = self._node(event, depth + 1)
            items.append(replace(node, line=_line(event)))
            count += more
        return Node(line, items), count

    def _map(self, line: int, depth: int) -> tuple[Node, int]:
        fields: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        count = 1
        while not isinstance(event := self._next(), CollectionEndEvent):
            here = _line(event)
            if not isinstance(event, ScalarEvent):
                _refuse(self._file, here, "a key must be a word")
            key = event.value
            node, more = self._node(self._next(), depth + 1)
            count += more
            if key == MERGE and not event.style:
                for name, part in self._merged(node, here):
                    merged.setdefault(name, part)
            elif key in fields:
                _refuse(
                    self._file, here, f"the key {key!r} is here a second time; the first is in line {fields[key].line}"
                )
            else:
                fields[key] = replace(node, line=here)
        return Node(line, merged | fields), count

    def _merged(self, node: Node, line: int) -> Iterator[tuple[str, Node]]:
        for part in node.value if isinstance(node.value, list) else [node]:
            if not isinstance(part.value, dict):
                _refuse(self._file, line, "<< merges maps, and this is none")
            yield from part.value.items()


_NULL = re.compile(r"|~|null|Null|NULL")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_DECIMAL = re.compile(r"[-+]?[0-9]{1,40}")
_OTHER_BASE = re.compile(r"0o[0-7]{1,40}|0x[0-9a-fA-F]{1,40}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def _scalar(text: str) -> Scalar:
    """What a plain word means in YAML 1.2 (its core schema)."""
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return text[0] in "tT"
    if _DECIMAL.fullmatch(text):
        return int(text)
    if _OTHER_BASE.fullmatch(text):
        return int(text[2:], 8 if text[1] == "o" else 16)
    if _FLOAT.fullmatch(text):
        return float(re.sub(r"\.(?=[ iInN])", "", text) if text.lower().endswith(("inf", "nan")) else text)
    return text


def _line(event: Event) -> int:
    return int(event.start_mark.line) + 1 if event.start_mark is not None else 1


def _number(character: object) -> int:
    """A character's number; the parser gives it as a number or as text."""
    return character if isinstance(character, int) else ord(str(character)[:1] or "\0")


def _refuse(file: str, line: int, text: str) -> NoReturn:
    raise ManifestInvalid([Problem(file, line, text)])
