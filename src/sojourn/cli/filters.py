"""Filters as words: `status=Failed,Stopped function=hello since=1h`, as `--filter` takes them.

The fields are those of the API; `since` is a time ago, in place of `createdFrom`. What they may hold is the server's to
say.
"""

from __future__ import annotations

import shlex

from sojourn.client import Status
from sojourn.clock import SystemClock, milliseconds
from sojourn.filter import FIELDS

from .failure import CommandFailed
from .payload import milliseconds_of

SINCE = "since"
_NAMES = {name.lower(): name for name in (*FIELDS, SINCE)}
_STATUSES = {status.value.lower(): status.value for status in Status}


def fields_of(text: str) -> dict[str, str]:
    """The fields that `text` spells.

    Raises
    ------
    CommandFailed: a word is no `field=value`, a field is not known, or none is given.

    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise CommandFailed(f"--filter is no row of words ({error})", "close every quotation mark") from None
    found: dict[str, str] = {}
    for word in words:
        name, sign, value = word.partition("=")
        field = _NAMES.get(name.lower())
        if not sign or field is None or field in found:
            known = ", ".join((*FIELDS, SINCE))
            raise CommandFailed(f"--filter does not know {word!r}", f"write field=value, each once, of {known}")
        found[field] = value
    if not found:
        raise CommandFailed("--filter is empty", "name at least one field; createdFrom=0 means every task")
    return checked(found)


def checked(found: dict[str, str]) -> dict[str, str]:
    """`found` with statuses spelled as the API has them, and `since` as a moment."""
    if "status" in found:
        found["status"] = ",".join(status_of(name) for name in found["status"].split(","))
    if SINCE in found:
        found["createdFrom"] = str(milliseconds_of(found.pop(SINCE), milliseconds(SystemClock().now())))
    return found


def status_of(text: str) -> str:
    """A status in the API's spelling."""
    status = _STATUSES.get(text.strip().lower())
    if status is None:
        raise CommandFailed(f"there is no status {text!r}", f"use one of {', '.join(_STATUSES.values())}")
    return status
