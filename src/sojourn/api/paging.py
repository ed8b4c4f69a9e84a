"""Page tokens: where a list goes on, as text that callers hand back unread.

A token names its list and carries a check, so that one of another list, or a mistyped one, is told from a good one. It
holds nothing secret and gives no right: every list is searched within the caller's own account.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from sojourn.errors import InvalidArgument
from sojourn.function import check_digits

T = TypeVar("T")

FIELD = "nextToken"
LIMIT_BOUNDS = (1, 100)
LIMIT_DEFAULT = 20
TOKEN_CHARACTERS_MAX = 512
NUMBER_DIGITS_MAX = 19
BOUND = "must be a token that the previous page of this list gave"
_CHECK_BYTES = 6


def token(kind: str, position: str) -> str:
    """The token of the list `kind` for the page after `position`."""
    return base64.urlsafe_b64encode(_check(kind, position.encode()) + position.encode()).decode().rstrip("=")


def position_of(kind: str, query: Mapping[str, str]) -> str | None:
    """Where the page that `query` asks for begins, None for the first one.

    Raises
    ------
    InvalidArgument: `nextToken` did not come from this list.

    """
    text = query.get(FIELD)
    if text is None:
        return None
    if len(text) > TOKEN_CHARACTERS_MAX or not text.isascii():
        raise InvalidArgument(FIELD, text, BOUND)
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        position = data[_CHECK_BYTES:].decode()
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidArgument(FIELD, text, BOUND) from None
    if data[:_CHECK_BYTES] != _check(kind, data[_CHECK_BYTES:]) or token(kind, position) != text:
        raise InvalidArgument(FIELD, text, BOUND)
    return position


def number_of(kind: str, query: Mapping[str, str]) -> int | None:
    """The same of a list that goes on after a number; anybody can make a token, so it need not be one.

    Raises
    ------
    InvalidArgument: `nextToken` did not come from this list.

    """
    text = position_of(kind, query)
    if text is None:
        return None
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX else -1
    if not 0 <= number < 1 << 63:
        raise InvalidArgument(FIELD, text, BOUND)
    return number


def page(kind: str, query: Mapping[str, str], items: Iterable[T], key: Callable[[T], str]) -> tuple[list[T], str]:
    """One page of `items` in the order of `key`, and the token of the next one.

    `startKey` (of older generations) is the key that the first page begins with.
    """
    limit, after, first = limit_of(query), position_of(kind, query), query.get("startKey", "")
    found = [item for item in sorted(items, key=key) if key(item) >= first and (after is None or key(item) > after)]
    return found[:limit], token(kind, key(found[limit - 1])) if len(found) > limit else ""


def limit_of(query: Mapping[str, str], default: int = LIMIT_DEFAULT) -> int:
    """How many items a page may hold."""
    text = query.get("limit")
    return default if text is None else check_digits("limit", text, LIMIT_BOUNDS)


def _check(kind: str, position: bytes) -> bytes:
    return hashlib.blake2s(position, digest_size=_CHECK_BYTES, key=kind.encode()).digest()
