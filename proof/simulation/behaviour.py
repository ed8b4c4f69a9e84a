"""What user code would do: spelled in the payload, so that the agents, the observer and the clients read the same.

A payload is a script, `ok,0.05;err,1;crash,0.2/TAG`: what attempt 1, 2, 3 … does after how many seconds; the last one
holds for all that follow. Anything else, such as the record of a destination, is answered at once.
"""

from __future__ import annotations

import zlib

import msgspec

from sojourn.agent import frames
from sojourn.sandbox import Exit

KINDS = ("ok", "big", "err", "handled", "final", "later", "crash", "oom", "exit", "hang")
USER_ERRORS = frozenset({"err", "handled", "final", "later", "crash", "oom", "exit", "hang"})
_EXITS = {"crash": Exit(signal=11), "oom": Exit(signal=9, oom=True), "exit": Exit(code=0)}
_OUTCOMES = {"handled": frames.HANDLED, "err": frames.UNHANDLED, "final": frames.UNHANDLED, "later": frames.UNHANDLED}


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """What one attempt does; `seconds` None means that it never ends by itself."""

    kind: str
    seconds: float | None
    outcome: int = frames.OK
    result: bytes = b""
    exit: Exit | None = None
    log: bytes = b""


def script(kinds: list[tuple[str, float]], tag: str) -> bytes:
    """The payload that asks for this."""
    return (";".join(f"{kind},{seconds:.4f}" for kind, seconds in kinds) + f"/{tag}").encode()


def behaviour_of(payload: bytes, retry: int, request_id: str) -> Behaviour:
    """What attempt `retry` + 1 of the execution `request_id` does with `payload`."""
    kind, seconds = _scripted(payload, retry)
    mark = result_mark(request_id, retry + 1, payload)
    if kind in _EXITS:
        return Behaviour(kind=kind, seconds=seconds, exit=_EXITS[kind], log=mark)
    if kind == "hang":
        return Behaviour(kind=kind, seconds=None, log=mark)
    document: dict[str, object] = {"errorMessage": mark.decode(), "errorType": "SimulatedError"}
    if kind == "final":
        document["retryable"] = False
    if kind == "later":
        document["retryAfterSeconds"] = 2.5
    if kind in _OUTCOMES:
        text = msgspec.json.encode(document)
        return Behaviour(kind=kind, seconds=seconds, outcome=_OUTCOMES[kind], result=text, log=mark)
    return Behaviour(kind=kind, seconds=seconds, result=mark * 40 if kind == "big" else mark, log=mark)


def result_mark(request_id: str, attempt: int, payload: bytes) -> bytes:
    """Bytes that only this attempt of this execution answers."""
    return f"<{request_id} {attempt} {zlib.crc32(payload):08x}>".encode()


def _scripted(payload: bytes, retry: int) -> tuple[str, float]:
    head, slash, _ = payload.partition(b"/")
    if not slash:
        return "ok", 0.001
    steps = head.decode("ascii", "replace").split(";")
    kind, comma, seconds = steps[min(retry, len(steps) - 1)].partition(",")
    if not comma or kind not in KINDS:
        return "ok", 0.001
    return kind, float(seconds)
