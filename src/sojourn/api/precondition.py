"""`ETag` and `If-Match`: a change that is made only to what its caller has seen.

An ETag is a digest of what GET shows, but for the time of the last change: what looks the same is the same. The value
that was compared is the one that is replaced, because nothing is awaited in between, and the store replaces it only if
it still stands so. Which operations have a condition is said by the commands, which generations have them by `dialect`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import orjson

from sojourn.errors import Conflict
from sojourn.refusals import PreconditionFailed

from . import answer
from .answer import Answer
from .call import Call

T = TypeVar("T")
Document = Mapping[str, object]

_UNTOLD = ("lastModifiedTime", "urlInternet", "urlIntranet", "runtimeNote", "current", "currentError")
"""What may differ between two looks at the same thing."""


def etag(document: Document) -> str:
    """The ETag of what is shown as `document`."""
    told = {name: value for name, value in document.items() if name not in _UNTOLD}
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def shown(call: Call, document: Document) -> Answer:
    """`document` as an answer, with its ETag where the generation has them."""
    made = answer.of_json(document)
    return made._replace(headers=((b"etag", etag(document).encode()),)) if call.dialect.etags else made


async def guarded(
    call: Call, look: Callable[[], Document], change: Callable[[], Awaitable[T]], *, again: bool = False
) -> T:
    """What `change` answers, provided that `look` shows what the request's `If-Match` names.

    Parameters
    ----------
    call: the request.
    look: shows the thing as it stands now; raises when it is not there.
    change: takes the thing as it stands when it is called, and replaces that one and no other.
    again: whether a change without a condition is repeated, too, when somebody else was first.

    Raises
    ------
    PreconditionFailed: it was changed since.

    """
    wanted = call.header(b"if-match") if call.dialect.etags else None
    while True:
        if wanted is not None:
            document = look()
            if not _names(wanted, etag(document)):
                raise PreconditionFailed
        try:
            return await change()
        except Conflict as error:
            if type(error) is not Conflict or not (again or wanted is not None):
                raise  # somebody else was first: whether that changed what the caller has seen is looked at again


def _names(wanted: str, found: str) -> bool:
    """Whether the value of an `If-Match` names `found`; official clients send it without quotes."""
    names = [each.strip().strip('"') for each in wanted.split(",")]
    return "*" in names or found in names
