"""JSON Schema in few words: what a value may be, as the descriptions spell it.

A body that is asked for (`given`) takes null for any field, because null means *not given* in all generations, and any
other field that is empty. An object that is shown (`shown`) has exactly its fields. Bounds and patterns come from the
modules that check them; this file knows none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
BOOLEAN: Schema = {"type": "boolean"}
INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
STAMP: Schema = {"type": "string", "format": "date-time"}
MILLISECONDS: Schema = {"type": "integer", "minimum": 0, "description": "milliseconds since 1970; 0 is not yet"}
ANYTHING: Schema = {}
NOTHING: Schema = {"type": "null"}
EMPTY: Schema = {"enum": ["", [], {}, None, False, 0]}
"""Values of a field that has no effect here which are not refused."""


def text(characters_max: int | None = None, *, pattern: re.Pattern[str] | None = None, **more: Any) -> Schema:
    """Text, at most so long, that `pattern` matches as a whole."""
    found: Schema = {"type": "string"}
    if characters_max is not None:
        found["maxLength"] = characters_max
    if pattern is not None:
        found["pattern"] = f"^(?:{pattern.pattern})$"
    return found | more


def integer(bounds: tuple[int, int], **more: Any) -> Schema:
    """A whole number within bounds."""
    return {"type": "integer", "minimum": bounds[0], "maximum": bounds[1], **more}


def choice(*values: object) -> Schema:
    """One of these."""
    return {"enum": list(values)}


def listed(items: Schema, items_max: int | None = None, items_min: int = 0) -> Schema:
    """A list."""
    found: Schema = {"type": "array", "items": items}
    if items_max is not None:
        found["maxItems"] = items_max
    if items_min:
        found["minItems"] = items_min
    return found


def mapping(values: Schema, **more: Any) -> Schema:
    """An object of names that the caller chooses."""
    return {"type": "object", "additionalProperties": values, **more}


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def given(
    fields: Mapping[str, Schema],
    required: Iterable[str] = (),
    *,
    other: Schema | bool = EMPTY,
) -> Schema:
    """An object of a request: these fields, and others as `other` says."""
    needed = list(required)
    found: Schema = {
        "type": "object",
        "properties": {name: each if name in needed else nullable(each) for name, each in fields.items()},
        "additionalProperties": other,
    }
    return found | ({"required": needed} if needed else {})


def shown(fields: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """An object of an answer: all of `fields`, maybe some of `optional`, and nothing else."""
    return {
        "type": "object",
        "properties": {**fields, **(optional or {})},
        "required": list(fields),
        "additionalProperties": False,
    }


def ref(name: str) -> Schema:
    """A schema by its name among the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def of_struct(struct: type[msgspec.Struct]) -> Schema:
    """What is shown of a stored type: every field under its name on the wire; one that is None is left out.

    Within its parts, None is shown as null.
    """
    fields: dict[str, Schema] = {}
    optional: dict[str, Schema] = {}
    for name, kind in _fields(struct):
        inner = _without_none(kind)
        (fields if inner is kind else optional)[name] = _of_type(inner)
    return shown(fields, optional)


_PLAIN: Mapping[type[msgspec.inspect.Type], Schema] = {
    msgspec.inspect.StrType: TEXT,
    msgspec.inspect.BoolType: BOOLEAN,
    msgspec.inspect.IntType: INTEGER,
    msgspec.inspect.FloatType: NUMBER,
}


def _of_type(kind: msgspec.inspect.Type) -> Schema:
    if isinstance(kind, msgspec.inspect.UnionType):
        return nullable(_of_type(_without_none(kind)))
    if isinstance(kind, msgspec.inspect.ListType):
        return listed(_of_type(kind.item_type))
    if isinstance(kind, msgspec.inspect.DictType):
        return mapping(_of_type(kind.value_type))
    if isinstance(kind, msgspec.inspect.StructType):
        return shown({name: _of_type(inner) for name, inner in _fields(kind.cls)})
    return _PLAIN[type(kind)]


def _fields(struct: type[msgspec.Struct]) -> Iterable[tuple[str, msgspec.inspect.Type]]:
    info = msgspec.inspect.type_info(struct)
    return ((field.encode_name, field.type) for field in getattr(info, "fields", ()))


def _without_none(kind: msgspec.inspect.Type) -> msgspec.inspect.Type:
    if not isinstance(kind, msgspec.inspect.UnionType):
        return kind
    (inner,) = (each for each in kind.types if not isinstance(each, msgspec.inspect.NoneType))
    return inner
