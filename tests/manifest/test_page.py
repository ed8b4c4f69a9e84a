"""docs/deploy.md tells every key, and what it says of them is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from sojourn import configuration
from sojourn.function import AsyncConfig, CustomRuntime, HealthCheck, Lifecycle
from sojourn.manifest import ManifestInvalid, Options, read
from sojourn.manifest.keys import ASYNC, CUSTOM, FC2, FC3, HEALTH, HOOKS, TABLES, Table
from sojourn.manifest.variables import FUNCTIONS

PAGE = (Path(__file__).resolve().parent.parent.parent / "docs" / "deploy.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.heading)
def test_every_table_is_that_of_the_code(table: Table) -> None:
    """The rows under its heading are the keys, in their order, with their use and words."""
    section = PAGE.partition(f"### {table.heading}\n")[2].partition("\n## ")[0].partition("\n### ")[0]
    rows = re.findall(r"^\| `(.+?)` \| (\w+) \| (.+) \|$", section, re.MULTILINE)

    assert rows == list(table.rows())


def test_every_function_of_expressions_is_told() -> None:
    """With the same words."""
    for name, words in FUNCTIONS.items():
        assert f"| `${{{name}(…)}}` | {words} |" in PAGE


def wire_names(kind: type[msgspec.Struct]) -> set[str]:
    """The fields of a configuration as the wire spells them."""
    return {field.encode_name for field in msgspec.structs.fields(kind)}


def test_every_setting_of_a_function_has_a_key() -> None:
    """What the server takes of a function can be said in a file: nothing is forgotten when a field comes."""
    fields = {*configuration.RULES, "instanceLifecycleConfig"}

    assert fields <= {name for name, key in FC3.items() if key.use == "applied"}
    assert wire_names(Lifecycle) == set(HOOKS)
    assert wire_names(CustomRuntime) == set(CUSTOM)
    assert wire_names(HealthCheck) == set(HEALTH)
    assert wire_names(AsyncConfig) - {"createdAt", "modifiedAt"} == set(ASYNC)


REFUSED = [("fc3", name) for name, key in FC3.items() if key.use == "refused"] + [
    ("fc", f"function.{name}") for name, key in (FC2["function"].inside or {}).items() if key.use == "refused"
]


@pytest.mark.parametrize(("form", "path"), REFUSED)
def test_what_is_called_refused_is_refused(form: str, path: str, tmp_path: Path) -> None:
    """With its words and its line, and not when it is empty."""
    (tmp_path / "code").mkdir()
    keys = FC3 if form == "fc3" else (FC2["function"].inside or {})
    name = path.rpartition(".")[2]
    if form == "fc3":
        head = "edition: 3.0.0\nresources:\n  a:\n    component: fc3\n    props:\n"
        body = "functionName: a\nruntime: python3.12\nhandler: index.handler\ncode: ./code\n"
        text = head + "".join(f"      {line}\n" for line in body.splitlines()) + f"      {name}: VALUE\n"
    else:
        head = "edition: 1.0.0\nservices:\n  a:\n    component: fc\n    props:\n"
        head += "      service: {name: s}\n      function:\n"
        body = "name: a\nruntime: python3.12\nhandler: index.handler\ncodeUri: ./code\n"
        text = head + "".join(f"        {line}\n" for line in body.splitlines()) + f"        {name}: VALUE\n"
    options = Options(without_services=True)
    with pytest.raises(ManifestInvalid) as caught:
        read(text.replace("VALUE", "[x]").encode(), "f", tmp_path, options)
    (problem,) = caught.value.problems

    assert problem.line == text.count("\n")
    assert keys[name].words in problem.text
    assert read(text.replace("VALUE", "[]").encode(), "f", tmp_path, options)
