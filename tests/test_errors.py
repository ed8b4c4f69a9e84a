"""The error tree: one root, a code and a status for each, and messages that say what to do."""

from __future__ import annotations

import inspect
import re

import pytest

from sojourn import errors
from sojourn.errors import InvalidArgument, SojournError

CLASSES = [item for _, item in inspect.getmembers(errors, inspect.isclass) if item.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_hangs_below_the_one_root(kind: type[SojournError]) -> None:
    """Whoever catches the root catches all we raise on purpose, each with a code, a status and a sentence."""
    assert issubclass(kind, SojournError)
    assert re.fullmatch(r"([A-Z][A-Za-z]*)+", kind.code)
    assert 400 <= kind.status <= 599
    assert re.fullmatch(r"[A-Z].*\.", inspect.cleandoc(kind.__doc__ or "").splitlines()[0])


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind.__init__ is Exception.__init__])
def test_an_error_without_words_speaks_its_docstring(kind: type[SojournError]) -> None:
    """A bare raise still gives the caller a sentence."""
    assert (kind.__doc__ or "").strip() == kind().message
    assert kind("in other words").message == "in other words"


def test_an_invalid_argument_names_field_value_and_bound() -> None:
    """The caller can tell from the message alone what to send instead."""
    error = InvalidArgument("memorySize", 100, "must be a multiple of 64 MB")

    assert error.message == "memorySize must be a multiple of 64 MB, got 100"
    assert (error.code, error.status) == ("InvalidArgument", 400)
    assert (error.field, error.value, error.bound) == ("memorySize", 100, "must be a multiple of 64 MB")


def test_a_long_value_is_shown_shortened() -> None:
    """A megabyte that was sent by mistake is not sent back."""
    message = InvalidArgument("handler", "x" * 1_000_000, "must be shorter").message

    assert len(message) < 200
    assert message.endswith("…")


WIRE = [
    (errors.MissingHeader("x-acs-date"), 400, "MissingRequiredHeader", "x-acs-date"),
    (errors.PathNotSupported("GET", "/nowhere"), 404, "PathNotSupported", "'GET' against '/nowhere'"),
    (errors.PathNotSupported("PATCH", "/functions", 405), 405, "PathNotSupported", "'PATCH' against '/functions'"),
    (errors.PayloadTooLarge("event", 131073, 131072), 400, "EntityTooLarge", "131072 bytes"),
    (errors.SignatureMismatch("the nonce was used"), 403, "SignatureNotMatch", ": the nonce was used"),
    (errors.UnknownAccessKey("nobody"), 403, "InvalidAccessKeyID", "'nobody'"),
    (errors.FunctionNotFound("f"), 404, "FunctionNotFound", "function 'f' does not exist"),
    (errors.QualifierNotFound("f", "v9"), 404, "VersionNotFound", "'v9'"),
    (errors.TaskNotFound("t"), 404, "AsyncTaskNotFound", "'t'"),
    (errors.AsyncConfigNotFound("f"), 404, "AsyncConfigNotExists", "'f'"),
    (errors.FunctionAlreadyExists("f"), 409, "FunctionAlreadyExists", "'f'"),
    (errors.TaskAlreadyExists("t"), 409, "AsyncTaskAlreadyExists", "'t'"),
    (errors.TaskAlreadyCompleted("t", "Failed"), 412, "AsyncTaskAlreadyCompleted", "Failed"),
    (errors.InstanceStartFailed("CodeMissing", "no code"), 412, "FunctionNotStarted", "no code"),
    (errors.ResourceExhausted("too many tasks"), 429, "ResourceExhausted", "too many tasks"),
    (errors.ServiceUnavailable("draining"), 503, "ServiceUnavailable", "draining"),
    (errors.StoreFailed("disk full"), 503, "ServiceUnavailable", "disk full"),
]


@pytest.mark.parametrize(("error", "status", "code", "words"), WIRE, ids=lambda item: type(item).__name__)
def test_what_the_wire_promises(error: SojournError, status: int, code: str, words: str) -> None:
    """Status, code and the telling words of the errors that clients are written against."""
    assert (error.status, error.code) == (status, code)
    assert words in error.message


@pytest.mark.parametrize("error", [errors.ResourceExhausted("x"), errors.ServiceUnavailable("x"), errors.StoreFailed()])
def test_what_may_pass_says_when_to_come_back(
    error: errors.ResourceExhausted | errors.ServiceUnavailable | errors.StoreFailed,
) -> None:
    """Every error that a retry may cure carries a wait in seconds."""
    assert error.retry_after_seconds >= 1


def test_operators_errors_say_what_to_do() -> None:
    """A refusal at start ends with a way out."""
    assert "start the newer version" in errors.SchemaTooNew(9, 3).message
    assert "stop it first" in errors.DataDirectoryLocked("/data").message
