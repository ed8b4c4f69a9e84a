"""The pages on runtimes: their examples are taken from the page and run on a real server, as printed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from end_to_end.lives import instances
from images import image
from live import LiveServer, until
from sojourn.client import Status
from sojourn.runtimes.node import NodeRuntime

PAGES = sorted((Path(__file__).resolve().parent.parent / "docs" / "runtimes").glob("*.md"))
FILE = re.compile(r"^`([\w./-]+)`(, with mode 755)?:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FUNCTION = re.compile(r"^The function:\n\n```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EVENT = re.compile(r"^Event `(.*?)` gives `(.*)`\.$", re.MULTILINE)


class Example(msgspec.Struct, frozen=True):
    """What a page shows: the function's fields, and an event with its result."""

    settings: dict[str, Any]
    event: str
    result: str


def example(page: Path, code: Path) -> Example:
    """The example of `page`, with its files written below `code`."""
    text = page.read_text(encoding="utf-8")
    for name, executable, content in FILE.findall(text):
        path = code / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        path.chmod(0o755 if executable else 0o644)
    (function,), ((event, result),) = FUNCTION.findall(text), EVENT.findall(text)
    return Example(settings=json.loads(function), event=event, result=result)


def value(text: str) -> object:
    """What `text` means: JSON as its value, anything else as it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


@pytest.fixture(scope="module", params=["process", "bubblewrap"])
def server(request: pytest.FixtureRequest) -> Iterator[LiveServer]:
    """A server of each isolation."""
    with LiveServer(sandbox=request.param) as live:
        yield live


@pytest.fixture(scope="module")
def greeter() -> Iterator[str]:
    """An image that has a Python, in the place of the one that the page names."""
    with image() as name:
        yield name


def test_there_is_a_page_for_each_family() -> None:
    """And no more."""
    assert [page.stem for page in PAGES] == ["compiled", "container", "custom", "node", "python"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_example_works_as_printed(
    page: Path, tmp_path: Path, server: LiveServer, request: pytest.FixtureRequest
) -> None:
    """As a task, with its hooks."""
    if page.stem == "node" and not NodeRuntime().interpreters():
        pytest.skip("needs Node.js")
    shown = example(page, tmp_path)
    if page.stem == "container":
        shown.settings["customContainerConfig"]["image"] = request.getfixturevalue("greeter")
    client = server.client()
    client.deploy(page.stem, tmp_path, settings=shown.settings)
    submission = client.submit(page.stem, shown.event.encode())
    task = client.wait(page.stem, submission.task_id, timeout=60)

    assert task.status == Status.SUCCEEDED, task
    assert value(task.result.decode()) == value(shown.result)
    client.delete_function(page.stem)
    until(lambda: not instances(client, page.stem), 60, "ended, before its image is removed")
