"""What `docs/compat.md` says of the official clients is what the tests do."""

from __future__ import annotations

import inspect
import re
from importlib.metadata import version

from end_to_end import test_generations
from end_to_end.node_clients import PACKAGES
from live import ROOT

PAGE = (
    (ROOT / "docs" / "compat.md")
    .read_text(encoding="utf-8")
    .partition("\n## Official clients\n")[2]
    .partition("\n## ")[0]
)


def test_the_clients_are_those_that_run_in_these_versions() -> None:
    """Three of PyPI as they are installed, three of npm as they are asked for."""
    told = dict(re.findall(r"`(@?[\w/-]+)` (\d+\.\d+\.\d+)", PAGE))
    python = {"alibabacloud-fc20230330", "alibabacloud-fc-open20210406", "aliyun-fc2"}
    asked = dict(each.rsplit("@", 1) for each in PACKAGES.values())
    assert told == {name: version(name) for name in python} | asked
    assert len(test_generations.CLIENTS) == len(told)


def test_each_step_has_its_test_for_each_client() -> None:
    """The list names exactly the tests that take whichever client."""
    told = re.findall(r"^- .*: `(test_\w+)`$", PAGE, re.MULTILINE)
    tests = dict(inspect.getmembers(test_generations, inspect.isfunction))
    driven = [name for name, test in tests.items() if name.startswith("test_") and "client" in _words(test)]
    assert sorted(told) == sorted(driven)


def _words(test: object) -> list[str]:
    return list(inspect.signature(test).parameters)  # type: ignore[arg-type]  # a function
