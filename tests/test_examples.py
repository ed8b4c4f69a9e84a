"""The example functions, called as the runtime calls them."""

from __future__ import annotations

import json
import logging
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
CENSUS = runpy.run_path(str(EXAMPLES / "stdlib_census" / "index.py"))
MODULES = runpy.run_path(str(EXAMPLES / "stdlib_census" / "modules.py"))


def context(retry_count: int = 0) -> SimpleNamespace:
    """As much of a handler's context as the examples look at."""
    return SimpleNamespace(retry_count=retry_count, logger=logging.getLogger("example"))


def call(function: str, event: bytes, retry_count: int = 0) -> Any:
    """What the handler of an example answers."""
    handler = runpy.run_path(str(EXAMPLES / "functions" / function / "index.py"))["handler"]
    return handler(event, context(retry_count))


def census(module: str) -> Any:
    """What the census says about a module."""
    return CENSUS["handler"](json.dumps({"module": module}).encode(), context())


def test_the_census_counts_a_module_the_same_by_name_and_by_path() -> None:
    """Both spellings lead to the same source, and its numbers are plausible."""
    by_name, by_path = census("json.decoder"), census("json/decoder.py")

    assert by_name["module"] == "json.decoder"
    assert by_name | {"module": ""} == by_path | {"module": ""}
    assert (by_name["lines"] > 100, by_name["functions"] > 5, by_name["classes"]) == (True, True, 2)


def test_the_census_finds_a_package() -> None:
    """A package's source is its `__init__`."""
    assert census("json")["functions"] > 2


@pytest.mark.parametrize("module", ["no_such_module", "json.no_such", "../../../etc/passwd.py", ""])
def test_the_census_refuses_what_is_not_in_the_library(module: str) -> None:
    """A name that leads nowhere, or out of the library, fails the task and says why."""
    with pytest.raises(ModuleNotFoundError, match="no source of"):
        census(module)


def test_there_are_enough_modules_and_each_can_be_counted() -> None:
    """The client's list holds more than two hundred names, sorted, without tests; all of a sample have a source."""
    names = MODULES["modules"]()

    assert len(names) > 200
    assert names == sorted(set(names))
    assert not [name for name in names if {"test", "tests", "site-packages"} & set(name.split("."))]
    assert all(CENSUS["source_of"](name).is_file() for name in names)


def test_flaky_works_in_the_third_attempt() -> None:
    """Two failures, then an answer that says which attempt it was."""
    for retry_count in (0, 1):
        with pytest.raises(ConnectionError):
            call("flaky", b"", retry_count)

    assert call("flaky", b"", 2) == {"attempt": 3}


def test_broken_never_works() -> None:
    """It fails in every attempt with the error its docstring names."""
    with pytest.raises(ValueError, match="never works"):
        call("broken", b"", 8)


def test_echo_returns_the_event() -> None:
    """Byte for byte, text or not."""
    assert call("echo", b"\x00\xff") == b"\x00\xff"


def test_sleeper_ticks_and_answers(caplog: pytest.LogCaptureFixture) -> None:
    """Even a short sleep is told in the log, and answered with its length."""
    with caplog.at_level(logging.INFO):
        assert call("sleeper", b'{"seconds": 0.01}') == {"seconds": 0.01}

    assert "of 0.0 seconds" in caplog.text
