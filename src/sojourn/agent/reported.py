"""What a program of the user's reports as its failure, as an error document.

A JSON object with `errorMessage` is taken as it is, anything else is the message. The headers `x-fc-retry-after`
(seconds) and `x-fc-retry: false` steer the retries.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

_MESSAGE_CHARACTERS_MAX = 64 * 1024


def error_document(body: bytes, header: Callable[[str], str | None], kind: str) -> bytes:
    """The document for `body`; `header` looks one up by its name, `kind` is the type of an error that names none."""
    text = body.decode("utf-8", "replace")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or "errorMessage" not in found:
        found = {"errorMessage": text[:_MESSAGE_CHARACTERS_MAX], "errorType": kind, "stackTrace": []}
    found.setdefault("errorType", kind)
    found.setdefault("stackTrace", [])
    found.update(_wishes(header))
    return json.dumps(found).encode("ascii")


def _wishes(header: Callable[[str], str | None]) -> dict[str, Any]:
    """What the headers say about retries; a wish that is not well-formed is none."""
    found: dict[str, Any] = {}
    try:
        after = float(header("x-fc-retry-after") or "nan")
    except ValueError:
        after = math.nan
    if 0 <= after < math.inf:
        found["retryAfterSeconds"] = after
    if (header("x-fc-retry") or "").strip().lower() == "false":
        found["retryable"] = False
    return found
