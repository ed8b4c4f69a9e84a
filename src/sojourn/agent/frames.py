"""Frames: the form of everything that is said between host, agent and instance.

A frame is a 17-byte header (length of the body, type, request number, instance number) and a body. Cold messages
have a JSON body. The hot ones (invoke, result, log) have a few fixed fields and the payload as it is, so that nobody
on the way decodes what only the handler needs. This file decides the form and its bounds; who may say what to whom
is left to the two ends.
"""

from __future__ import annotations

import json
import struct

MEBIBYTE = 1024 * 1024
PAYLOAD_BYTES_MAX = 32 * MEBIBYTE
CHECKPOINT_BYTES_MAX = 64 * 1024
BODY_BYTES_MAX = PAYLOAD_BYTES_MAX + CHECKPOINT_BYTES_MAX + 64 * 1024
PROGRESS_BYTES_MAX = 128 * 1024

# From the host.
CREATE, INVOKE, STOP, PING = 1, 2, 3, 4
INITIALIZE, FREEZE, THAW, USAGE = 7, 8, 9, 10
# From the agent to an instance besides INVOKE; CANCEL comes from the host.
HOOK, CANCEL = 5, 6
# From the agent to the host, besides HOOKED and CANCELLED.
HELLO, CREATED, RESULT, LOG, EXIT, PONG, FROZEN, USED, NOTED = 16, 17, 18, 19, 20, 21, 22, 23, 24
# From an instance to the host, for the execution that it numbers.
PROGRESS = 25
# From an instance to its agent, besides RESULT.
READY, FAILED, HOOKED, CANCELLED = 32, 33, 34, 35

HTTP = 1 << 31
"""Set in the retry count of an INVOKE whose payload is an HTTP request for the program itself, see `pack_http`."""

CHECKPOINT = 1 << 30
"""Set there when the payload comes after a checkpoint and its length."""

OK, UNHANDLED, HANDLED, TIMED_OUT = 0, 1, 2, 3
"""Outcomes in a RESULT and a HOOKED; only the agent itself says that a hook timed out."""

INITIALIZER, PRE_FREEZE, PRE_STOP = "initializer", "pre_freeze", "pre_stop"
"""The hooks of an instance's life, as a HOOK and a specification name them."""

HEADER = struct.Struct(">IBQI")
INVOKE_HEAD = struct.Struct(">QIH")
HTTP_HEAD = struct.Struct(">I")
CHECKPOINT_HEAD = struct.Struct(">I")
RESULT_HEAD = struct.Struct(">BQQ")
LOG_HEAD = struct.Struct(">Q")

Frame = "tuple[int, int, int, bytes]"
"""Type, request number, instance number, body."""


class Malformed(ValueError):
    """Bytes that are not a frame, or a frame over its bound."""


def pack(kind: int, request: int, instance: int, body: bytes = b"") -> bytes:
    """A frame as bytes."""
    return HEADER.pack(len(body), kind, request, instance) + body


def pack_invoke(  # noqa: PLR0917 - in the order of the frame
    request: int,
    instance: int,
    request_id: bytes,
    retry: int,
    deadline_at: int,
    payload: bytes,
    checkpoint: bytes = b"",
) -> bytes:
    """An INVOKE: `deadline_at` in microseconds since 1970, 0 for none; `retry` counts retries."""
    if checkpoint:
        retry |= CHECKPOINT
        payload = b"".join((CHECKPOINT_HEAD.pack(len(checkpoint)), checkpoint, payload))
    length = INVOKE_HEAD.size + len(request_id) + len(payload)
    head = HEADER.pack(length, INVOKE, request, instance) + INVOKE_HEAD.pack(deadline_at, retry, len(request_id))
    return b"".join((head, request_id, payload))


def unpack_invoke(body: bytes) -> tuple[str, int, int, bytes]:
    """Request id, retry count, deadline and payload of an INVOKE body."""
    try:
        deadline_at, retry, length = INVOKE_HEAD.unpack_from(body)
    except struct.error as error:
        raise Malformed(str(error)) from None
    start = INVOKE_HEAD.size
    request_id = str(body[start : start + length], "utf-8", "replace")
    start += length
    if retry & CHECKPOINT:
        start += CHECKPOINT_HEAD.size + len(checkpoint_of(body))
    return request_id, retry & ~(HTTP | CHECKPOINT), deadline_at, body[start:]


def checkpoint_of(body: bytes) -> bytes:
    """The checkpoint in an INVOKE body, empty when there is none."""
    try:
        _, retry, length = INVOKE_HEAD.unpack_from(body)
        if not retry & CHECKPOINT:
            return b""
        start = INVOKE_HEAD.size + int(length)
        (size,) = CHECKPOINT_HEAD.unpack_from(body, start)
    except struct.error as error:
        raise Malformed(str(error)) from None
    start += CHECKPOINT_HEAD.size
    return body[start : start + size]


def is_http(body: bytes) -> bool:
    """Whether the payload of an INVOKE body is an HTTP request."""
    return len(body) >= INVOKE_HEAD.size and bool(INVOKE_HEAD.unpack_from(body)[1] & HTTP)


def pack_http(head: dict[str, object], body: bytes) -> bytes:
    """A request (`method`, `path`, `headers`) or its answer (`status`, `headers`) and the body, as one payload."""
    text = json.dumps(head).encode()
    return HTTP_HEAD.pack(len(text)) + text + body


def unpack_http(payload: bytes) -> tuple[dict[str, object], bytes]:
    """Head and body of what `pack_http` made.

    Raises
    ------
    Malformed: it was not made so.

    """
    try:
        (length,) = HTTP_HEAD.unpack_from(payload)
        head = json.loads(payload[HTTP_HEAD.size : HTTP_HEAD.size + length])
    except (struct.error, ValueError) as error:
        raise Malformed(str(error)) from None
    if not isinstance(head, dict):
        raise Malformed("a head that is no object")
    return head, payload[HTTP_HEAD.size + length :]


def pack_result(request: int, outcome: int, duration_us: int, peak_bytes: int, payload: bytes) -> bytes:
    """A RESULT: how the handler ended, how long it took, the memory peak, and what it answered."""
    length = RESULT_HEAD.size + len(payload)
    return HEADER.pack(length, RESULT, request, 0) + RESULT_HEAD.pack(outcome, duration_us, peak_bytes) + payload


def pack_hooked(request: int, outcome: int, duration_us: int, peak_bytes: int, payload: bytes) -> bytes:
    """A HOOKED: the same of a hook, with the number of its HOOK; `payload` is the error document when it failed."""
    return pack(HOOKED, request, 0, RESULT_HEAD.pack(outcome, duration_us, peak_bytes) + payload)


def unpack_result(body: bytes) -> tuple[int, int, int, bytes]:
    """Outcome, duration in microseconds, memory peak in bytes and payload of a RESULT body.

    Raises
    ------
    Malformed: it is too short, too long, or its outcome is unknown.

    """
    check_result(body)
    return _unpacked(body)


def unpack_hooked(body: bytes) -> tuple[int, int, int, bytes]:
    """The same of a HOOKED body as the host gets it, where TIMED_OUT is an outcome too.

    Raises
    ------
    Malformed: as above.

    """
    check_result(body, TIMED_OUT)
    return _unpacked(body)


def _unpacked(body: bytes) -> tuple[int, int, int, bytes]:
    outcome, duration_us, peak_bytes = RESULT_HEAD.unpack_from(body)
    return outcome, duration_us, peak_bytes, body[RESULT_HEAD.size :]


def check_result(body: bytes, outcome_max: int = HANDLED) -> None:
    """Whether a RESULT or HOOKED body has the right form, without taking it apart.

    Raises
    ------
    Malformed: it is too short, too long, or its outcome is unknown.

    """
    if not RESULT_HEAD.size <= len(body) <= RESULT_HEAD.size + PAYLOAD_BYTES_MAX or body[0] > outcome_max:
        raise Malformed("a result of " + str(len(body)) + " bytes with outcome " + str(body[:1]))


class Parser:
    """Finds the frames in a stream of bytes, however it was cut.

    `body_bytes_max` bounds a body; a header that announces more raises `Malformed` before anything is kept.
    """

    __slots__ = ("_body_bytes_max", "_kept", "_needed")

    def __init__(self, body_bytes_max: int = BODY_BYTES_MAX) -> None:
        self._body_bytes_max = body_bytes_max
        self._kept = bytearray()
        self._needed = HEADER.size

    def feed(self, data: bytes) -> list[tuple[int, int, int, bytes]]:
        """The frames that `data` completes, in order.

        Raises
        ------
        Malformed: a body would be over the bound; the stream cannot be read any further.

        """
        kept = self._kept
        if kept:
            kept += data
            if len(kept) < self._needed:
                return []
            data = bytes(kept)
            kept.clear()
        found: list[tuple[int, int, int, bytes]] = []
        start, size = 0, len(data)
        self._needed = HEADER.size
        while size - start >= HEADER.size:
            length, kind, request, instance = HEADER.unpack_from(data, start)
            if length > self._body_bytes_max:
                raise Malformed("a frame of " + str(length) + " bytes; at most " + str(self._body_bytes_max))
            end = start + HEADER.size + length
            if end > size:
                self._needed = end - start
                break
            found.append((kind, request, instance, data[start + HEADER.size : end]))
            start = end
        if start < size:
            kept += data[start:]
        return found
