"""Tags of tasks: words of the caller's own that a task carries from its submission on, and is found by.

Pure. Tags are given with the task, and may be given anew until it is over. On the wire they are an object in JSON, and
`key=value` pairs with commas between them in a header or a query parameter, which is why neither part may hold a comma.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .errors import InvalidArgument
from .function import matching

TAGS_MAX = 10
HEADER = b"x-sojourn-task-tags"

KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,63}")
VALUE = re.compile(r"[^\x00-\x1f\x7f,]{0,128}")


def check_tags(field: str, value: object) -> dict[str, str]:
    """`value` when it can be the tags of a task: an object of text, in the order of keys.

    Raises
    ------
    InvalidArgument: it is none, there are too many, or a key or a value is out of its bounds.

    """
    if not isinstance(value, Mapping):
        raise InvalidArgument(field, value, "must be an object of keys and values")
    if len(value) > TAGS_MAX:
        raise InvalidArgument(field, len(value), f"must hold at most {TAGS_MAX} tags")
    key_bound = "must have keys of 1 to 64 letters, digits, '_', '.', ':', '/' or '-'"
    value_bound = "must have values of at most 128 characters, without commas and control characters"
    found = {
        matching(field, key, KEY, key_bound): matching(f"{field}.{key}", text, VALUE, value_bound)
        for key, text in value.items()
    }
    return dict(sorted(found.items()))


def parse_tags(field: str, text: str) -> dict[str, str]:
    """The tags that a header or a parameter spells, `key=value,key=value`.

    Raises
    ------
    InvalidArgument: as `check_tags`, or a pair has no `=`, or a key is given twice.

    """
    found: dict[str, str] = {}
    for pair in filter(None, map(str.strip, text.split(","))):
        key, sign, value = pair.partition("=")
        if not sign or key in found:
            raise InvalidArgument(field, pair, "must be key=value pairs with commas between them, each key once")
        found[key] = value
    return check_tags(field, found)
