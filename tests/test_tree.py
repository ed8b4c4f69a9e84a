"""The tree itself: rules that no single module can keep by its own tests.

Each rule is a function from a module's syntax tree to what is wrong with it, and is tried on a planted offence before
it is trusted with the tree.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "sojourn"
FOLDERS = ("src", "tests", "docs", "examples", "bench", "proof", "requirements", ".ci")
LINES_MAX = 400

TIMEKEEPERS = (
    "clock.py",
    "server.py",
    "server/",
    "agent/",
    "stores/",
    "sandboxes/",
    "runtimes/",
    "client/",
    "cli/",
    "conform/",
    "testing/",
)
"""Who may read time or draw random numbers: the clock, the composition root, what talks to the outside, and the
programs at the user's end. Everything between them gets time and randomness as arguments."""

Rule = Callable[[ast.AST], Iterator[str]]


def files(*folders: str) -> list[Path]:
    """The project's own text files: those of `folders` and those beside them, none that a tool has made."""
    found = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in folders:
        for directory, names, leaves in os.walk(ROOT / folder):
            names[:] = [name for name in names if name != "__pycache__" and not name.startswith((".", "_build"))]
            found += [Path(directory, leaf) for leaf in leaves if not leaf.endswith((".pyc", ".so"))]
    return sorted(found)


def modules(*folders: str) -> list[Path]:
    """The Python files of `folders`."""
    return [path for path in files(*folders) if path.suffix == ".py"]


def called(node: ast.AST) -> str:
    """The dotted name of what a call calls, as far as it is written out."""
    if isinstance(node, ast.Attribute):
        return f"{called(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def nodes(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Every node of `tree`, with its place for people to find."""
    for node in ast.walk(tree):
        yield node, f"line {getattr(node, 'lineno', 0)}"


def imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Every module that `tree` imports, relative ones with their dots, and the place."""
    for node, place in nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, place) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or ""), place


def shells(tree: ast.AST) -> Iterator[str]:
    """Commands are argv lists: a shell would read what a user wrote."""
    for node, place in nodes(tree):
        if isinstance(node, ast.Call):
            name = called(node.func)
            if any(keyword.arg == "shell" for keyword in node.keywords):
                yield f"{place}: shell= in a call of {name}"
            if name in ("os.system", "os.popen") or name.endswith(("getoutput", "create_subprocess_shell")):
                yield f"{place}: {name}"


YAML_EVENTS = frozenset({"SafeLoader", "YAMLError", "parse"})
"""What may be had from yaml itself: events of the text, which make no objects."""
YAML_MODULES = ("yaml", "yaml.error", "yaml.events", "yaml.reader")
"""The others are the types of those events and of errors."""


def decoders(tree: ast.AST) -> Iterator[str]:
    """Foreign bytes are never turned into code or into objects of their choice."""
    for name, place in imported(tree):
        top = name.split(".")[0]
        if top in ("pickle", "marshal", "shelve", "dill", "cloudpickle") or (
            top == "yaml" and name not in YAML_MODULES
        ):
            yield f"{place}: import of {name}"
    for node, place in nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {each.name for each in node.names}
            whole = isinstance(node, ast.Import) and "yaml" in names
            if whole or (isinstance(node, ast.ImportFrom) and node.module == "yaml" and names - YAML_EVENTS):
                yield f"{place}: import from yaml"
        if isinstance(node, ast.Call) and called(node.func) in ("eval", "exec", "compile", "__import__"):
            yield f"{place}: {called(node.func)}()"


def timekeeping(tree: ast.AST) -> Iterator[str]:
    """Time and dice are arguments, so that a test can hand in its own; only the type of the dice may be named."""
    for name, place in imported(tree):
        if name.split(".")[0] in ("time", "uuid"):
            yield f"{place}: import of {name}"
    for node, place in nodes(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "random":
            yield from (f"{place}: random.{each.name}" for each in node.names if each.name != "Random")
        elif isinstance(node, ast.Call) and re.search(r"(^|\.)(System)?Random$", called(node.func)):
            yield f"{place}: {called(node.func)}()"
        elif isinstance(node, ast.Attribute) and _READS.search(called(node)):
            yield f"{place}: {called(node)}"


_READS = re.compile(r"\b(datetime|date)\.(now|utcnow|today)$|^os\.(urandom|getrandom)$|^random\.(?!Random$)")


def task_writes(tree: ast.AST) -> Iterator[str]:
    """A status change is made by one function and becomes durable in one room."""
    for node, place in nodes(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[-1] == "task":
            yield from (f"{place}: imports {each.name}" for each in node.names if each.name in ("advance", "submit"))
        elif isinstance(node, ast.Call):
            owner, _, verb = called(node.func).rpartition(".")
            if verb in ("advance", "submit") and owner.split(".")[-1] == "task":
                yield f"{place}: calls {owner}.{verb}"
            if verb in ("apply", "insert_task", "insert_tasks", "forget") and owner.endswith("store"):
                yield f"{place}: calls {owner}.{verb}"


def task_statements(tree: ast.AST) -> Iterator[str]:
    """SQL that writes tasks stands in a store."""
    for node, place in nodes(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found = re.search(r"\b(UPDATE|INSERT\s+INTO|DELETE\s+FROM)\s+\w*tasks?\b", node.value, re.IGNORECASE)
            if found:
                yield f"{place}: {found[0]}"


def outsiders(tree: ast.AST) -> Iterator[str]:
    """The agent travels into the sandbox alone: the standard library and its own package is all it has there."""
    for name, place in imported(tree):
        own = name.startswith(".") and not name.startswith("..")
        if not own and name.split(".")[0] not in sys.stdlib_module_names:
            yield f"{place}: import of {name}"


def silence(tree: ast.AST) -> Iterator[str]:
    """A module opens with what it decides and what it leaves to others."""
    if isinstance(tree, ast.Module) and not ast.get_docstring(tree):
        yield "line 1: no module docstring"


OFFENCES: list[tuple[Rule, str]] = [
    (shells, "subprocess.run(text, shell=True)"),
    (shells, "subprocess.run(text, shell=flag)"),
    (shells, "os.system('ls')"),
    (shells, "asyncio.create_subprocess_shell('ls')"),
    (decoders, "import pickle"),
    (decoders, "from yaml import load"),
    (decoders, "import yaml"),
    (decoders, "from yaml.constructor import Constructor"),
    (decoders, "eval(text)"),
    (decoders, "exec(text)"),
    (timekeeping, "import time"),
    (timekeeping, "from random import random"),
    (timekeeping, "random.choice(items)"),
    (timekeeping, "random.Random(1)"),
    (timekeeping, "import uuid"),
    (timekeeping, "datetime.datetime.now(tz)"),
    (timekeeping, "os.urandom(8)"),
    (task_writes, "from .task import advance"),
    (task_writes, "from sojourn.task import Status, submit"),
    (task_writes, "task.advance(row, fact, now)"),
    (task_writes, "await self._store.apply(1, row)"),
    (task_writes, "store.insert_task(row)"),
    (task_writes, "self._store.forget(at, 0, 9)"),
    (task_writes, "store.insert_tasks(rows)"),
    (task_statements, "'update tasks set status = 1'"),
    (task_statements, "'INSERT INTO task (id) VALUES (1)'"),
    (outsiders, "import msgspec"),
    (outsiders, "from ..errors import FrameError"),
    (outsiders, "from sojourn.task import Status"),
    (silence, "x = 1"),
]


@pytest.mark.parametrize(("rule", "source"), OFFENCES, ids=lambda item: getattr(item, "__name__", None))
def test_each_rule_finds_a_planted_offence(rule: Rule, source: str) -> None:
    """A lint that finds nothing proves nothing until it has found something."""
    assert list(rule(ast.parse(source)))


INNOCENT: list[tuple[Rule, str]] = [
    (shells, "subprocess.run(['ls'], check=True)"),
    (decoders, "re.compile('x'); os.execve(a, b, c); model.eval()"),
    (decoders, "from yaml import SafeLoader, parse; from yaml.events import Event"),
    (timekeeping, "import random; from .clock import Clock; dice: random.Random; clock.now(); dice.random()"),
    (task_writes, "progress.advance(bar); queue.submit(function, b''); from_task.apply(1)"),
    (outsiders, "import os; from . import frames; from .frames import read"),
    (silence, "'''What this decides.'''"),
]


@pytest.mark.parametrize(("rule", "source"), INNOCENT, ids=lambda item: getattr(item, "__name__", None))
def test_no_rule_cries_wolf(rule: Rule, source: str) -> None:
    """What merely looks similar is left alone."""
    assert list(rule(ast.parse(source))) == []


def offences(rule: Rule, *, spared: tuple[str, ...] = (), below: str = "") -> list[str]:
    """What `rule` finds in the package's files below `below`, but for those whose path begins with a spared one."""
    found = []
    for path in modules("src"):
        name = path.relative_to(PACKAGE).as_posix() if path.is_relative_to(PACKAGE) else path.name
        if name.startswith(below) and not name.startswith(spared):
            found += [f"{name} {text}" for text in rule(ast.parse(path.read_text(encoding="utf-8")))]
    return found


def test_no_command_goes_through_a_shell() -> None:
    """Whatever a user writes into a name or a payload, no shell will read it."""
    assert offences(shells) == []


def test_foreign_bytes_never_become_code() -> None:
    """Nothing unpickles or evaluates; only the agent, inside the sandbox, loads the code it was sent for."""
    assert offences(decoders, spared=("agent/",)) == []


def test_time_and_randomness_are_arguments() -> None:
    """The rooms between the clock and the outside can be run under a clock and dice of a test."""
    assert offences(timekeeping, spared=TIMEKEEPERS) == []


def test_only_the_queue_writes_tasks() -> None:
    """There is one door through which a task changes."""
    assert offences(task_writes, spared=("queue.py",)) == []


def test_only_stores_hold_task_statements() -> None:
    """No SQL outside the stores touches a task."""
    assert offences(task_statements, spared=("stores/",)) == []


def test_the_agent_needs_only_the_standard_library() -> None:
    """What travels into a sandbox runs there with nothing installed."""
    assert offences(outsiders, below="agent/") == []


@pytest.mark.parametrize("folder", ["src", "bench", "proof", "examples"])
def test_every_module_says_what_it_is(folder: str) -> None:
    """A reader who opens any file learns first what it decides."""
    silent = [path for path in modules(folder) if list(silence(ast.parse(path.read_text(encoding="utf-8"))))]

    assert silent == []


def test_every_file_fits_a_sitting() -> None:
    """No Python file is longer than the bound; a longer one wants to be two."""
    lengths = {path: path.read_text(encoding="utf-8").count("\n") for path in modules(*FOLDERS)}

    assert {path: lines for path, lines in lengths.items() if lines > LINES_MAX} == {}


FOREIGN = "|".join(
    [
        r"/(?:root|work)" + r"/\.?\w",
        r"/home" + r"/(?!user\b)\w+/",
        r"/Users" + r"/\w+/",
        "py" + r"pi\.org",
        "python" + r"hosted\.org",
        r"npm" + r"js\.(?:org|com)",
        "goproxy" + r"\.",
        r"(?:mirrors?|nexus|artifactory)" + r"\.[\w-]+\.\w+",
        r"^(?:--(?:extra-)?index-url|--find-links|-i )",
    ]
)
"""Paths of somebody's machine and hosts that serve packages; spelled so that this file does not match itself."""


def test_nothing_names_somebodys_machine_or_a_package_host() -> None:
    """A clone builds anywhere: no file depends on where it was written or on which host packages came from."""
    found = []
    for path in files(*FOLDERS):
        text = path.read_bytes().decode("utf-8", "replace")
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in re.finditer(FOREIGN, text, re.MULTILINE)]

    assert found == []


def test_the_pattern_of_foreign_places_bites() -> None:
    """It finds what it is meant to find, and spares what is meant."""
    for text in ("/ro" + "ot/.cache/x", "/wo" + "rk/main", "https://py" + "pi.org/simple", "--index" + "-url x"):
        assert re.search(FOREIGN, text, re.MULTILINE)
    for text in ("~/.local/share/sojourn", "/code/index.py", "pip compile --no-emit-index-url", "/var/lib/sojourn"):
        assert not re.search(FOREIGN, text, re.MULTILINE)
