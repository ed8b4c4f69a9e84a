"""Every end of user code as an outcome: types, messages, documents, evidence."""

from __future__ import annotations

import math

import msgspec
import pytest

from sojourn import outcome
from sojourn.sandbox import Exit, Reply
from sojourn.task import HANDLED, INSTANCE_LOST, UNHANDLED, Failure, Success

MEBIBYTE = 1024 * 1024
DOCUMENT = b'{"errorMessage":"no","errorType":"ValueError","stackTrace":[]}'


def document_of(failure: object) -> dict[str, str]:
    """The error document of a failure."""
    assert isinstance(failure, Failure)
    return msgspec.json.decode(failure.document, type=dict[str, str])


def test_an_answer_is_a_success_with_its_bytes_and_its_cost() -> None:
    """Bytes as they are, duration and peak memory beside them."""
    reply = Reply(ok=True, payload=b"\0\xff", duration_us=1500, memory_peak_bytes=3 * MEBIBYTE)

    assert outcome.of_reply(reply, 128) == Success(
        result=b"\0\xff", evidence={"durationMs": 1.5, "maxMemoryUsageMB": 3.0}
    )


def test_an_exception_keeps_its_document() -> None:
    """The document of the runtime goes to the caller unchanged."""
    reply = Reply(ok=False, payload=DOCUMENT, kind=UNHANDLED, type="ValueError", message="no")
    failure = outcome.of_reply(reply, 128)

    assert isinstance(failure, Failure)
    assert (failure.kind, failure.type, failure.message, failure.document) == (UNHANDLED, "ValueError", "no", DOCUMENT)
    assert not failure.lost


@pytest.mark.parametrize(
    ("said", "kind"), [(HANDLED, HANDLED), (UNHANDLED, UNHANDLED), ("Made up", UNHANDLED), ("", UNHANDLED)]
)
def test_the_wire_knows_two_kinds_of_error(said: str, kind: str) -> None:
    """Whatever an agent claims, the class is one of the two."""
    failure = outcome.of_reply(Reply(ok=False, payload=DOCUMENT, kind=said, type="E", message=""), 128)

    assert isinstance(failure, Failure)
    assert failure.kind == kind


@pytest.mark.parametrize(
    ("asked", "used"),
    [
        *((None, None), (0.0, 0.0), (2.5, 2.5), (86_400.0, 86_400.0), (86_401.0, 86_400.0), (math.inf, 86_400.0)),
        *((-0.001, None), (-math.inf, None), (math.nan, None)),
    ],
)
def test_a_wait_that_a_function_asks_for_has_bounds(asked: float | None, used: float | None) -> None:
    """More than a day is a day; what is negative or no number was not asked for."""
    reply = Reply(ok=False, payload=DOCUMENT, kind=UNHANDLED, type="Busy", message="no", retry_after_seconds=asked)
    failure = outcome.of_reply(reply, 128)

    assert isinstance(failure, Failure)
    assert (failure.retry_after_seconds, failure.retryable) == (used, True)


def test_a_function_may_say_that_trying_again_is_of_no_use() -> None:
    """It goes into the outcome as it is."""
    failure = outcome.of_reply(Reply(ok=False, payload=DOCUMENT, kind=UNHANDLED, type="E", retryable=False), 128)

    assert isinstance(failure, Failure)
    assert not failure.retryable


def test_a_memory_error_is_the_memory_limit() -> None:
    """Python saw the limit first; the caller learns the same as when the process was ended for it."""
    reply = Reply(
        ok=False, payload=DOCUMENT, kind=UNHANDLED, type="MemoryError", message="", memory_peak_bytes=MEBIBYTE
    )
    caught, ended = outcome.of_reply(reply, 128), outcome.of_exit(Exit(signal=9, oom=True), 0, 128)

    assert document_of(caught)["errorType"] == document_of(ended)["errorType"] == outcome.OUT_OF_MEMORY
    assert "memory limit of 128 MB" in document_of(caught)["errorMessage"]
    assert isinstance(ended, Failure)
    assert ended.evidence["memoryLimitMB"] == 128


def test_a_timeout_says_how_long_it_was_given() -> None:
    """In the words of Function Compute, with the proof that the tree is gone."""
    failure = outcome.of_timeout(Exit(signal=9, signals_sent=("SIGTERM", "SIGKILL")), 3)

    assert document_of(failure) == {
        "errorMessage": "Function timed out after 3 seconds (maxMemoryUsage: 0.00MB)",
        "errorType": "FunctionTimeoutError",
    }
    assert failure.evidence == {
        "processesLeft": 0,
        "elapsedMs": 0.0,
        "signalsSent": ["SIGTERM", "SIGKILL"],
        "signal": 9,
    }


@pytest.mark.parametrize(
    ("exit_", "words"),
    [(Exit(code=0), "exit status 0"), (Exit(code=3), "exit status 3"), (Exit(signal=11), "signal 11")],
)
def test_a_process_that_goes_by_itself_is_an_unhandled_error(exit_: Exit, words: str) -> None:
    """`sys.exit(0)` and a segmentation fault alike: it says how it went, and it is the user's."""
    failure = outcome.of_exit(exit_, 2_000, 128)

    assert failure.type == outcome.CRASHED
    assert words in failure.message
    assert "duration: 2.00ms" in failure.message
    assert not failure.lost


def test_a_loss_is_ours() -> None:
    """It is charged to another budget than the user's errors."""
    failure = outcome.of_loss("the server ended")

    assert failure.lost
    assert document_of(failure) == {"errorMessage": "the server ended", "errorType": INSTANCE_LOST}


def test_processes_that_are_left_are_told() -> None:
    """Evidence does not round a survivor away."""
    evidence = outcome.evidence_of(Exit(code=1, processes_left=2, memory_peak_bytes=MEBIBYTE, elapsed_ms=1.23456))

    assert evidence == {"processesLeft": 2, "elapsedMs": 1.235, "exitStatus": 1, "maxMemoryUsageMB": 1.0}
