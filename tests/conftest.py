"""How the tests are spread over test processes (`pytest -n 2`), and that nothing in them is judged by the clock.

Tests of a file stay together, those of each isolation by themselves, because they share servers. What takes long begins
first, so that no process is left with it at the end.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

LONG = ("end_to_end", "proof", "sandboxes", "runtimes", "bench", "manifest")
"""The folders with tests of real processes or of many examples, the longest first."""
LONGEST = "tests/sandboxes/test_unprivileged.py"
"""Each test of this file runs many files."""
_FILE = re.compile(r"tests/(?:(\w+)/)?\w+\.py")
_ISOLATION = re.compile(r"[\[-](process|bubblewrap)[\]-]")


class Together(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Gives a test process a file at a time, or what one isolation has of it."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, rest = nodeid.partition("::")
        if nodeid.startswith(LONGEST):
            return nodeid
        found = _ISOLATION.search(rest)
        return f"{file} {found[1]}" if found else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """In place of what `--dist` names."""
    config.option.loadscopereorder = False
    return Together(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the long ones first where several processes share them."""
    if hasattr(config, "workerinput"):
        items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    if item.nodeid.startswith(LONGEST):
        return -1
    found = _FILE.match(item.nodeid)
    folder = found[1] if found else None
    return LONG.index(folder) if folder in LONG else len(LONG)
