"""What can go wrong in a call, by kind: one root, one subclass for each way a caller may want to react.

This file decides which answer becomes which error. What to do about it is left to the caller, and to `retries`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from sojourn.errors import SojournError

from .model import Task

HTTP_ERRORS_BEGIN = 300
CONFLICTS = (409, 412)
THROTTLES = (429, 503)
UNAUTHORIZED = (401, 403)
NOT_FOUND = 404
CLIENT_ERRORS_BEGIN = 400
SERVER_ERRORS_BEGIN = 500
SHOWN_CHARACTERS_MAX = 200


class ClientError(SojournError):
    """A call did not succeed.

    Parameters
    ----------
    message: a sentence for people.
    status: the HTTP status of the answer, 0 when there was none.
    code: the wire's error code, such as `FunctionNotFound`.
    request_id: the server's id of this request, "" when there was none.

    """

    def __init__(self, message: str, *, status: int = 0, code: str = "", request_id: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.request_id = status, code, request_id


class NotFound(ClientError):
    """There is no such function, task, account or configuration (404)."""


class Conflict(ClientError):
    """It is already there (409), or already over (412)."""


class Refused(ClientError):
    """The request asks for something that cannot be given (4xx), or that the client saw to be impossible."""


class Unauthorized(ClientError):
    """The key, its signature or its account does not allow this (401, 403)."""


class NoCredentials(Unauthorized):
    """No access key is configured anywhere."""


class ServerError(ClientError):
    """The server failed (5xx), or answered what no Sojourn server answers."""


class Throttled(ClientError):
    """The server has no room now (429), or is starting or draining (503).

    `retry_after` is how many seconds the server asks to wait.
    """

    def __init__(
        self, message: str, *, status: int = 0, code: str = "", request_id: str = "", retry_after: float = 1.0
    ) -> None:
        super().__init__(message, status=status, code=code, request_id=request_id)
        self.retry_after = retry_after


class Unreachable(ClientError):
    """No answer came: nothing listens there, the connection broke, or the time was up.

    `sent` is False when the request cannot have arrived, because there was no connection to send it on.
    """

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class WaitTimedOut(ClientError):
    """Tasks were not over in time; they go on.

    `waiting` names them as (function, task id); `task` is the last state seen of the only one, if there was only one.
    """

    def __init__(self, message: str, waiting: Sequence[tuple[str, str]], task: Task | None = None) -> None:
        super().__init__(message, code="WaitTimedOut")
        self.waiting, self.task = list(waiting), task


def refused(field: str, value: object, bound: str) -> Refused:
    """What the client itself refuses: `field` holds `value`, but `bound`."""
    shown = repr(value)
    if len(shown) > SHOWN_CHARACTERS_MAX:
        shown = shown[:SHOWN_CHARACTERS_MAX] + "…"
    return Refused(f"{field} {bound}, got {shown}", status=400, code="InvalidArgument")


class _Body(msgspec.Struct, rename="pascal"):
    code: str = ""
    message: str = ""
    request_id: str = ""


def of_answer(status: int, headers: Mapping[str, str], body: bytes) -> ClientError:
    """The error that an answer of 300 or above stands for; `headers` are named in lower case."""
    try:
        told = msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError):  # somebody else's page: a proxy, or another program at this port
        told = _Body(message=body[:SHOWN_CHARACTERS_MAX].decode("utf-8", "replace").strip())
    message = told.message or f"the server answered with status {status}"
    request_id = told.request_id or headers.get("x-fc-request-id", "")
    if status in THROTTLES:
        return Throttled(
            message, status=status, code=told.code, request_id=request_id, retry_after=_retry_after_seconds(headers)
        )
    return _kind(status)(message, status=status, code=told.code, request_id=request_id)


def of_outcome(status: int, code: str, message: str) -> ClientError:
    """The error of one line of a batch, as if it had come alone."""
    return (Throttled if status in THROTTLES else _kind(status))(message, status=status, code=code)


def _kind(status: int) -> type[ClientError]:
    if status == NOT_FOUND:
        return NotFound
    if status in CONFLICTS:
        return Conflict
    if status in UNAUTHORIZED:
        return Unauthorized
    if status >= SERVER_ERRORS_BEGIN or status < CLIENT_ERRORS_BEGIN:  # a Sojourn server never redirects
        return ServerError
    return Refused


def _retry_after_seconds(headers: Mapping[str, str]) -> float:
    """Retry-After as seconds; one second when it is absent or spelled as a date."""
    text = headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else 1.0
