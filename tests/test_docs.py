"""The pages say what the code does: diagrams, settings, limits, links, examples."""

from __future__ import annotations

import ast
import functools
import inspect
import re
import runpy
from pathlib import Path

import msgspec
import pytest
from alibabacloud_fc20230330 import models
from alibabacloud_fc20230330.client import Client

from sojourn import archive, call, config, function, instance, output, task
from sojourn.cli import exits
from sojourn.config import Settings
from sojourn.conform.checks import CHECKS

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
RECORDS = sorted((DOCS / "decisions").glob("*.md"))
ORIGINS = {"documented", "recorded", "third party", "our choice"}


def text(*parts: str) -> str:
    """A page as text."""
    return ROOT.joinpath(*parts).read_text(encoding="utf-8")


def rows(page: str, columns: int) -> list[list[str]]:
    """The cells of all table rows of a page that have so many columns, without heads and rules."""
    found = []
    lines = page.splitlines()
    for number, line in enumerate(lines):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        head = number + 1 < len(lines) and re.fullmatch(r"\|[-|]+\|", lines[number + 1].strip())
        if line.startswith("|") and not line.startswith("|--") and not head and len(cells) == columns:
            found.append(cells)
    return found


@pytest.mark.parametrize(
    ("page", "diagram"),
    [
        ("README.md", "task"),
        ("docs/status.md", "task"),
        ("docs/status.md", "instance"),
        ("docs/lifecycle.md", "instance"),
    ],
)
def test_the_diagrams_are_those_of_the_tables(page: str, diagram: str) -> None:
    """Drawing them anew changes nothing: no page shows a table of yesterday."""
    drawing = runpy.run_path(str(DOCS / "diagrams.py"))

    assert drawing["drawn"](text(page)) == text(page)
    assert drawing["DIAGRAMS"][diagram] in text(page)


def test_every_status_is_explained() -> None:
    """Each status of a task and of an instance has its line on the page of statuses."""
    explained = {name for row in rows(text("docs/status.md"), 4) + rows(text("docs/status.md"), 2) for name in [row[0]]}
    names = {part for cell in explained for part in cell.split(", ")}

    assert {status.value for status in (*task.Status, *instance.Status)} <= names
    over = {row[0] for row in rows(text("docs/status.md"), 4) if row[2] == "yes"}
    assert over == {status.value for status in task.TERMINAL}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    """A relative link names a file of the project."""
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]

    assert broken == []


def test_every_setting_is_documented_with_its_default_and_bounds() -> None:
    """The table of settings is complete, names nothing else, and tells defaults and bounds as they are."""
    documented = {row[0].strip("`"): row for row in rows(text("docs/operating.md"), 3) if "SOJOURN_" in row[0]}
    fields = {f"SOJOURN_{field.name.upper()}": field for field in msgspec.structs.fields(Settings)}

    assert set(documented) == set(fields)
    for name, field in fields.items():
        _, default, meaning = documented[name]
        if not field.required and field.default not in ("", 0):
            shown = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
            assert default == f"`{shown}`", name
        for bound in config._BOUNDS.get(field.name, ()):
            assert f"{bound:g}" in meaning or str(bound) in meaning, name
        for choice in config._CHOICES.get(field.name, ()):
            assert f"`{choice}`" in meaning, name


LIMITS = {
    "functionName": (64,),
    "task id": (128,),
    "memorySize": (*function.MEMORY_MB_BOUNDS, function.MEMORY_MB_STEP, function.MEMORY_MB_DEFAULT),
    "cpu": (*function.CPU_BOUNDS,),
    "diskSize": function.DISK_MB_CHOICES,
    "timeout": (*function.TIMEOUT_SECONDS_BOUNDS, function.TIMEOUT_SECONDS_DEFAULT),
    "environmentVariables": (function.VARIABLES_BYTES_MAX,),
    "maxAsyncRetryAttempts": (*function.RETRIES_BOUNDS, function.RETRIES_DEFAULT),
    "maxAsyncEventAgeInSeconds": (*function.AGE_SECONDS_BOUNDS, function.AGE_SECONDS_DEFAULT),
    "x-fc-async-delay": function.DELAY_SECONDS_BOUNDS,
    "asynchronous payload": (function.PAYLOAD_ASYNC_BYTES_MAX,),
    "synchronous payload and result": (function.PAYLOAD_SYNC_BYTES_MAX,),
    "code archive": (archive.ARCHIVE_BYTES_MAX, archive.TOTAL_BYTES_MAX, archive.ENTRIES_MAX, archive.RATIO_MAX),
    "waiting for an instance in a synchronous call": (call.WAIT_SECONDS_MAX,),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_the_limits_are_those_of_the_code(limit: str) -> None:
    """Every number of a limit stands in its row."""
    (row,) = [row for row in rows(text("docs/functions.md"), 3) if row[0].strip("`") == limit]
    numbers = {float(number) for number in re.findall(r"\d+(?:\.\d+)?", " ".join(row[1:]))}

    assert {float(number) for number in LIMITS[limit]} <= numbers


def test_the_bounds_of_logs_are_those_of_the_code() -> None:
    """What is said to be kept of a log is what is kept."""
    page = text("docs/functions.md")

    assert f"the first {output.HEAD_BYTES_MAX // 1024} KiB" in page
    assert f"{output.TAIL_BYTES_MAX // 1024} KiB, with a count of what was dropped" in page


def test_the_exit_codes_are_those_of_the_command_line() -> None:
    """Scripts are written against the table; it lists every code there is."""
    told = {int(row[0]) for row in rows(text("docs/operating.md"), 2) if row[0].isdigit()}

    assert told == {value for name, value in vars(exits).items() if name.isupper()}


def test_every_make_verb_of_the_readme_exists() -> None:
    """What the README tells to type, make knows."""
    told = set(re.findall(r"\bmake (\w+)", text("README.md") + text("CONTRIBUTING.md")))
    targets = set(re.findall(r"^(\w+):", text("Makefile"), re.MULTILINE))

    assert {"demo", "test", "check", "serve", "bench"} <= told
    assert told <= targets


def test_every_guarantee_names_a_test_that_exists() -> None:
    """A promise is shown by a test, or by a whole file of them, or says that it is only planned."""
    shown = [row for row in rows(text("docs/guarantees.md"), 2) if row[1] != "planned"]
    named = [name.partition("::") for row in shown for name in re.findall(r"`(.+?)`", row[1])]
    missing = [
        (file, test) for file, _, test in named if not (ROOT / file).is_file() or test not in {"", *names_in(file)}
    ]

    assert len(shown) > 50
    assert missing == []
    assert all(names_in(file) for file, _, _ in named)
    assert [
        row for row in shown if not re.fullmatch(r"`tests/[\w/]+\.py(::\w+)?`(, `tests/[\w/]+\.py(::\w+)?`)*", row[1])
    ] == []


def test_every_test_that_the_guarantees_mention_exists() -> None:
    """Also in the text around the tables; what a page says of a test that is gone is no evidence."""
    mentioned = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text("docs/guarantees.md"))

    assert [
        (file, test) for file, test in mentioned if not (ROOT / file).is_file() or test not in {"", *names_in(file)}
    ] == []


@functools.cache
def names_in(file: str) -> frozenset[str]:
    """The names of the tests in a file of the suite; also those that a class of conformance holds."""
    module = ast.parse(text(file))
    found = [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return frozenset(node.name for node in found if node.name.startswith("test_"))


def test_every_wire_choice_says_how_it_was_established() -> None:
    """Each behaviour on the page of compatibility has one of the four origins."""
    behaviours = rows(text("docs/compat.md"), 2)

    assert len(behaviours) > 40
    assert {row[1] for row in behaviours} == ORIGINS


def test_the_behaviours_are_those_that_the_kit_checks() -> None:
    """Making the tables anew changes nothing, and every assertion of the kit stands in one with its origin."""
    page = text("docs/compat.md")
    shown = {row[0].split("`")[1]: row for row in rows(page, 4)}

    assert runpy.run_path(str(DOCS / "diagrams.py"))["drawn"](page) == page
    assert set(shown) == {check.id for check in CHECKS}
    assert {source for row in shown.values() for source in ORIGINS if source in row[3]} == ORIGINS


def test_decisions_are_numbered_and_have_their_three_parts() -> None:
    """Records count from 0001 without gap, and each tells context, choice, and what we gave up, on one page."""
    assert [record.name[:4] for record in RECORDS] == [f"{number:04}" for number in range(1, len(RECORDS) + 1)]
    for record in RECORDS:
        page = record.read_text(encoding="utf-8")
        assert page.startswith(f"# {record.name[:4]}: "), record.name
        assert re.findall(r"^\*\*(.+?)\.\*\*", page, re.MULTILINE) == ["Context", "Choice", "What we gave up"]
        assert len(page.splitlines()) <= 50, record.name


def snippets() -> list[str]:
    """Every Python example of every page."""
    return [code for page in PAGES for code in re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)]


@pytest.mark.parametrize("code", snippets())
def test_every_python_example_is_python(code: str) -> None:
    """It parses, and the names it takes from the official SDK are there, with the arguments it gives them."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = ast.unparse(node.func.value)
        if owner in ("models", "client"):
            called = getattr(models if owner == "models" else Client, node.func.attr)
            known = inspect.signature(called).parameters
            assert {keyword.arg for keyword in node.keywords} <= set(known), ast.unparse(node)


def test_the_licence_is_whole() -> None:
    """The licence that the package names is there, from its first line to its last."""
    assert 'license = "Apache-2.0"' in text("pyproject.toml")
    assert "Version 2.0, January 2004" in text("LICENSE")
    assert "limitations under the License." in text("LICENSE")
