"""Errors on the wire.

One body serves every client: official ones of different generations read `Code` and `Message`, or `ErrorCode` and
`ErrorMessage`, so both stand in it. On `/v1` it is a problem document as well (RFC 9457). What went wrong through our
own fault is told to the log in full, and to the caller only by its request id.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

import orjson

from sojourn.errors import InvalidArgument, ServiceUnavailable, SojournError

from .answer import JSON, PROBLEM, Answer, Header

log = logging.getLogger(__name__)

INTERNAL_CODE = "InternalServerError"
INTERNAL_MESSAGE = "an internal error has occurred. Please retry."


def of_error(
    error: SojournError,
    request_id: str,
    *,
    problem: bool = False,
    headers: tuple[Header, ...] = (),
    codes: Mapping[str, str] = MappingProxyType({}),
) -> Answer:
    """The answer that tells the caller about `error`, as a problem document when `problem` is True.

    `codes` are those that the caller's generation of the API has under another name.
    """
    code, status, message = codes.get(error.code, error.code), error.status, error.message
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("request %s failed", request_id, exc_info=error)
        code, message = INTERNAL_CODE, INTERNAL_MESSAGE
    retry_after_seconds = getattr(error, "retry_after_seconds", None)
    if retry_after_seconds is not None:
        headers = (*headers, (b"retry-after", b"%d" % retry_after_seconds))
    return _answer(status, code, message, request_id, problem=error if problem else None, headers=headers)


def of_surprise(error: Exception, request_id: str, *, problem: bool = False) -> Answer:
    """The answer to a caller who met a fault of ours that nobody foresaw."""
    log.error("request %s failed", request_id, exc_info=error)
    status = HTTPStatus.INTERNAL_SERVER_ERROR.value
    return _answer(status, INTERNAL_CODE, INTERNAL_MESSAGE, request_id, problem=SojournError() if problem else None)


def refusal(status: int, message: str, request_id: str) -> Answer:
    """The answer to what is no request at all, or to a caller for whom there is no room."""
    code = ServiceUnavailable.code if status == ServiceUnavailable.status else InvalidArgument.code
    return _answer(status, code, message, request_id, problem=None)


def document(code: str, message: str, request_id: str) -> dict[str, object]:
    """The body that clients of every generation can read."""
    return {"Code": code, "Message": message, "RequestId": request_id, "ErrorCode": code, "ErrorMessage": message}


def _answer(
    status: int,
    code: str,
    message: str,
    request_id: str,
    *,
    problem: SojournError | None,
    headers: tuple[Header, ...] = (),
) -> Answer:
    body = document(code, message, request_id)
    if problem is None:
        return Answer(status, _encoded(body), JSON, headers)
    body |= {
        "type": f"urn:sojourn:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": message,
        "instance": request_id,
    }
    if isinstance(problem, InvalidArgument):
        body["field"] = problem.field
    return Answer(status, _encoded(body), PROBLEM, headers)


def _encoded(body: dict[str, object]) -> bytes:
    """`body` as JSON; a message may repeat what a caller sent, which need not be valid Unicode."""
    try:
        return orjson.dumps(body)
    except TypeError:
        return orjson.dumps(
            {
                name: value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
                for name, value in body.items()
            }
        )
