"""Reports from inside an instance."""

from __future__ import annotations

import base64
import json
import os

import pytest

from sojourn.agent import frames
from sojourn.agent.reporting import Reporting


def told(sent: list[bytes]) -> list[dict[str, object]]:
    """The bodies of the frames that were sent."""
    return [json.loads(frame[frames.HEADER.size :]) for frame in sent]


def invoked(checkpoint: bytes = b"") -> bytes:
    """The body of an INVOKE."""
    return frames.pack_invoke(1, 2, b"1-a", 0, 0, b"", checkpoint)[frames.HEADER.size :]


def test_each_report_is_all_that_is_known() -> None:
    """So that all but the last may be left out on the way."""
    sent: list[bytes] = []
    reporting = Reporting(sent.append)
    assert reporting.begin("1-a", 5, invoked(b"before")) == b"before"
    assert reporting.report("1-a", 10)
    assert reporting.report("1-a", message="half")
    assert reporting.report("1-a", checkpoint="ü")
    encoded = base64.b64encode("ü".encode()).decode()
    assert told(sent)[-1] == {
        "percent": 10.0,
        "message": "half",
        "checkpoint": encoded,
        "checkpointEncoding": "base64",
    }
    assert told(sent)[0]["checkpoint"] == base64.b64encode(b"before").decode()
    assert frames.HEADER.unpack_from(sent[0])[1:] == (frames.PROGRESS, 5, 0)
    assert reporting.checkpoint("1-a") == "ü".encode()


def test_what_does_not_run_reports_nothing() -> None:
    """Before it began, and after it ended."""
    sent: list[bytes] = []
    reporting = Reporting(sent.append)
    assert not reporting.report("1-a", 10)
    reporting.begin("1-a", 5, invoked())
    reporting.end("1-a")
    assert not reporting.report("1-a", 10)
    assert reporting.checkpoint("1-a") is None
    assert sent == []


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"percent": -1}, "percent"),
        ({"percent": 100.5}, "percent"),
        ({"percent": float("nan")}, "percent"),
        ({"percent": True}, "percent"),
        ({"percent": "50"}, "percent"),
        ({"message": 7}, "message"),
        ({"message": "x" * 1025}, "message"),
        ({"checkpoint": 7}, "checkpoint"),
        ({"checkpoint": b"x" * (64 * 1024 + 1)}, "checkpoint"),
    ],
)
def test_a_mistake_is_told_where_it_is_made(given: dict[str, object], word: str) -> None:
    """And nothing of it is sent."""
    sent: list[bytes] = []
    reporting = Reporting(sent.append)
    reporting.begin("1-a", 5, invoked())
    with pytest.raises(ValueError, match=word):
        reporting.report("1-a", **given)
    assert sent == []


def test_a_forked_child_says_nothing_on_its_parents_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would fall into the middle of the parent's frames."""
    sent: list[bytes] = []
    reporting = Reporting(sent.append)
    reporting.begin("1-a", 5, invoked())
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert not reporting.report("1-a", 10)
    assert sent == []
