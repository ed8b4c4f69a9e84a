from __future__ import annotations

import json

import pytest

from sojourn.client import errors
from sojourn.errors import SojournError

KINDS: list[tuple[int, type[errors.ClientError]]] = [
    (302, errors.ServerError),
    (400, errors.Refused),
    (401, errors.Unauthorized),
    (403, errors.Unauthorized),
    (404, errors.NotFound),
    (405, errors.Refused),
    (409, errors.Conflict),
    (412, errors.Conflict),
    (413, errors.Refused),
    (429, errors.Throttled),
    (500, errors.ServerError),
    (502, errors.ServerError),
    (503, errors.Throttled),
]


@pytest.mark.parametrize(("status", "kind"), KINDS)
def test_each_status_has_its_kind(status: int, kind: type[errors.ClientError]) -> None:
    """Status, code, message and request id of an answer arrive in the error of its kind, below one root."""
    body = json.dumps({"Code": "SomeCode", "Message": "some words", "RequestId": "1-r"}).encode()
    error = errors.of_answer(status, {}, body)

    assert type(error) is kind
    assert isinstance(error, errors.ClientError)
    assert isinstance(error, SojournError)
    assert (error.status, error.code, error.message, error.request_id) == (status, "SomeCode", "some words", "1-r")


@pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway</html>", b"\xff\xfe", b"[1]", b'"x"'])
def test_foreign_pages_are_errors_too(body: bytes) -> None:
    """A proxy's page becomes an error with a message and the request id of the header."""
    error = errors.of_answer(502, {"x-fc-request-id": "1-h"}, body)

    assert type(error) is errors.ServerError
    assert error.message
    assert error.request_id == "1-h"


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("", 1.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 1.0), ("-1", 1.0)]
)
def test_retry_after(header: str, seconds: float) -> None:
    """What the server asks to wait is a number, one second when it does not say."""
    error = errors.of_answer(429, {"retry-after": header} if header else {}, b"{}")

    assert isinstance(error, errors.Throttled)
    assert error.retry_after == seconds
