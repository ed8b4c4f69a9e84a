"""Which route a path leads to: by words, names, names with an end, and the rest."""

from __future__ import annotations

import pytest

from sojourn.api.answer import Answer
from sojourn.api.paths import Paths
from sojourn.api.request import Request
from sojourn.api.routing import Route


class Named:
    """An endpoint with a name."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def __call__(self, request: Request) -> Answer:
        """Nothing."""
        return Answer(200, request.raw_path)


def paths(*routes: str) -> Paths:
    """The router of `METHOD /path` each, whose endpoint is named so."""
    return Paths(Route(text.split()[1], Named(text), methods=[text.split()[0]]) for text in routes)


ROUTER = paths(
    "GET /f/{function}",
    "PUT /f/{function}",
    "GET /f/{function}/tasks/{task}",
    "POST /f/{function}/tasks/{task}:stop",
    "POST /f/{function}/tasks:batch",
    "GET /f/mine/{thing}/x",
    "GET /http/{account}/{rest:path}",
    "POST /http/{account}",
)


@pytest.mark.parametrize(
    ("method", "path", "found", "names"),
    [
        ("GET", "/f/a", "GET /f/{function}", {"function": "a"}),
        ("HEAD", "/f/a", "GET /f/{function}", {"function": "a"}),
        ("PUT", "/f/a", "PUT /f/{function}", {"function": "a"}),
        ("GET", "/f/a/tasks/t:stop", "GET /f/{function}/tasks/{task}", {"function": "a", "task": "t:stop"}),
        ("POST", "/f/a/tasks/t:stop", "POST /f/{function}/tasks/{task}:stop", {"function": "a", "task": "t"}),
        ("POST", "/f/a/tasks:batch", "POST /f/{function}/tasks:batch", {"function": "a"}),
        ("GET", "/f/mine/t/x", "GET /f/mine/{thing}/x", {"thing": "t"}),
        ("GET", "/f/mine/tasks/y", "GET /f/{function}/tasks/{task}", {"function": "mine", "task": "y"}),
        ("GET", "/f/mine", "GET /f/{function}", {"function": "mine"}),
        ("GET", "/http/a/", "GET /http/{account}/{rest:path}", {"account": "a", "rest": ""}),
        ("GET", "/http/a/b//c/", "GET /http/{account}/{rest:path}", {"account": "a", "rest": "b//c/"}),
        ("POST", "/http/a", "POST /http/{account}", {"account": "a"}),
    ],
)
def test_a_path_leads_to_its_route(method: str, path: str, found: str, names: dict[str, str]) -> None:
    """And what stands at its names is told."""
    way = ROUTER.find(method, path)
    assert way is not None
    assert isinstance(way[0], Named)
    assert (way[0].name, way[1]) == (found, names)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/"),
        ("GET", "/f"),
        ("GET", "/f/"),
        ("GET", "/f/a/"),
        ("GET", "//f/a"),
        ("GET", "/f/a\n/x"),
        ("GET", "/F/a"),
        ("POST", "/f/a"),
        ("POST", "/f/a/tasks/:stop"),
        ("GET", "/f//tasks/t"),
        ("HEAD", "/f/a/tasks:batch"),
    ],
)
def test_other_paths_lead_nowhere(method: str, path: str) -> None:
    """Names are never empty, a slash at the end makes another path, and what is not GET is not HEAD."""
    assert ROUTER.find(method, path) is None


def test_the_methods_of_a_path_are_those_of_all_its_routes() -> None:
    """Whatever way it is read."""
    assert ROUTER.methods("/f/a") == ["GET", "HEAD", "PUT"]
    assert ROUTER.methods("/f/a/tasks/t:stop") == ["GET", "HEAD", "POST"]
    assert ROUTER.methods("/nothing") == []
