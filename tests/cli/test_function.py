from __future__ import annotations

import base64
import io
import json
import sys
import zipfile
from pathlib import Path

import pytest

from cli.conftest import Run
from client.fake_server import FakeServer
from sojourn.cli.requirements import pip_words

HERE = f"python{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A function's directory."""
    directory = tmp_path / "code"
    directory.mkdir()
    (directory / "index.py").write_text("def handler(event, context): return event")
    return directory


def uploaded(server: FakeServer) -> dict[str, bytes]:
    """The files of the last upload."""
    body = next(seen.json for seen in reversed(server.requests) if "code" in (seen.body and seen.json))
    archive = zipfile.ZipFile(io.BytesIO(base64.b64decode(body["code"]["zipFile"])))
    return {name: archive.read(name) for name in archive.namelist()}


def test_deploy_creates(sojourn: Run, server: FakeServer, code: Path) -> None:
    """Every option reaches its field of the wire."""
    ran = sojourn(
        *("function", "deploy", "fresh", "--code", str(code), "--handler", "index.handler", "--runtime", HERE),
        *("--timeout", "9", "--memory", "128", "--env", "A=1", "--env", "B=x=y", "--description", "words"),
        *("--retries", "0", "--max-age", "60", "--reserved-concurrency", "2"),
        *("--retry-interval", "5", "--retry-interval-max", "60", "--queue-weight", "4"),
    )
    body = next(seen.json for seen in server.requests if seen.action == "CreateFunction")

    assert ran.code == 0, ran.err
    assert ran.lines[0] == f"Deployed function fresh ({HERE}, index.handler, 1.23 kB)."
    assert body.pop("code")
    assert body == {
        "functionName": "fresh",
        "handler": "index.handler",
        "runtime": HERE,
        "timeout": 9,
        "memorySize": 128,
        "environmentVariables": {"A": "1", "B": "x=y"},
        "description": "words",
    }
    assert server.configs["fresh"] == {
        "asyncTask": True,
        "maxAsyncRetryAttempts": 0,
        "maxAsyncEventAgeInSeconds": 60,
        "retryIntervalSeconds": 5,
        "retryIntervalMaxSeconds": 60,
        "queueWeight": 4,
    }
    shown = sojourn("function", "get", "fresh").lines
    assert {"Retry interval 5 s", "Longest interval 60 s", "Queue weight 4"} <= set(shown)
    assert server.limits["fresh"] == {"reservedConcurrency": 2}


def test_deploy_updates_and_prints_json(sojourn: Run, server: FakeServer, code: Path) -> None:
    """A known function is updated; JSON has the wire's names."""
    ran = sojourn("function", "deploy", "hello", "--code", str(code), "-o", "json")

    assert json.loads(ran.out)["functionName"] == "hello"
    assert server.actions() == ["GetFunction", "UpdateFunction"]
    assert uploaded(server) == {"index.py": (code / "index.py").read_bytes()}


def test_deploy_takes_a_zip(sojourn: Run, server: FakeServer, tmp_path: Path) -> None:
    """A zip goes up as it is."""
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.writestr("index.py", "x = 1")
    assert sojourn("function", "deploy", "hello", "--code", str(tmp_path / "code.zip")).code == 0

    assert uploaded(server) == {"index.py": b"x = 1"}


def test_deploy_refuses_links(sojourn: Run, server: FakeServer, code: Path) -> None:
    """The message names the link, and nothing is sent."""
    (code / "link.py").symlink_to("index.py")
    ran = sojourn("function", "deploy", "hello", "--code", str(code))

    assert ran.code == 2
    assert "must not hold symbolic links" in ran.err
    assert "link.py" in ran.err
    assert server.requests == []


def test_deploy_tells_of_another_interpreter(sojourn: Run, server: FakeServer, code: Path) -> None:
    """What the server notes about the runtime is passed on."""
    server.functions["hello"]["runtimeNote"] = "runs on 3.11, there is no 3.12 here"

    assert (
        "Note: runs on 3.11, there is no 3.12 here" in sojourn("function", "deploy", "hello", "--code", str(code)).out
    )


def wheel(directory: Path) -> Path:
    """A package `demo` as pip installs it: a module, and one that the function has too."""
    path = directory / "demo-1.0-py3-none-any.whl"
    files = {
        "demo.py": "VALUE = 42\n",
        "index.py": "not the function's\n",
        "demo-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
        "demo-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in (*files, "demo-1.0.dist-info/RECORD"))
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in (files | {"demo-1.0.dist-info/RECORD": record}).items():
            archive.writestr(name, text)
    return path


@pytest.mark.parametrize("runtime", [HERE, "python3.9"])
def test_requirements_are_installed_beside_the_code(
    sojourn: Run, server: FakeServer, code: Path, tmp_path: Path, runtime: str
) -> None:
    """Packages come along, for the runtime's Python, the function's own files win, and the directory is as it was."""
    (tmp_path / "requirements.txt").write_text(f"{wheel(tmp_path)}\n")
    words = ("--code", str(code), "--runtime", runtime, "--requirements", str(tmp_path / "requirements.txt"))
    ran = sojourn("function", "deploy", "hello", *words)

    assert ran.code == 0, ran.err
    assert uploaded(server)["demo.py"] == b"VALUE = 42\n"
    assert uploaded(server)["index.py"] == (code / "index.py").read_bytes()
    assert [path.name for path in code.iterdir()] == ["index.py"]


@pytest.mark.parametrize(("text", "ended"), [(None, (2, "no requirements file")), ("./no.whl", (1, "pip could not"))])
def test_requirements_that_cannot_be_had(
    sojourn: Run, server: FakeServer, code: Path, text: str | None, ended: tuple[int, str]
) -> None:
    """A missing file is a usage error, a failing pip is a failure; nothing is deployed."""
    requirements = code.parent / "requirements.txt"
    if text is not None:
        requirements.write_text(text)
    ran = sojourn("function", "deploy", "x", "--code", str(code), "--requirements", str(requirements))

    assert ran.code == ended[0]
    assert ended[1] in ran.err
    assert server.requests == []


def test_requirements_need_pip(sojourn: Run, code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter without pip is named, with the way out."""
    (tmp_path / "requirements.txt").write_text("demo\n")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    ran = sojourn("function", "deploy", "x", "--code", str(code), "--requirements", str(tmp_path / "requirements.txt"))

    assert ran.code == 2
    assert "--requirements needs pip" in ran.err
    assert "ensurepip" in ran.err


def test_packages_for_another_python_are_built_ones() -> None:
    """Pip can build only for the interpreter it runs on; a runtime without a version means this one."""
    words = pip_words(Path("r.txt"), Path("t"), "python3.99")

    assert words[words.index("--python-version") + 1] == "3.99"
    assert words[words.index("--only-binary") + 1] == ":all:"
    for runtime in (HERE, "python3", None):
        assert "--python-version" not in pip_words(Path("r.txt"), Path("t"), runtime)


def test_list(sojourn: Run, server: FakeServer) -> None:
    """All pages, in each form: a table with heads, an array, a line each."""
    for number in range(24):
        server.add_function(f"f-{number:02d}")
    names = [f"f-{number:02d}" for number in range(24)] + ["hello"]

    table = sojourn("function", "list")
    assert table.lines[0] == "FUNCTION RUNTIME HANDLER MEMORY TIMEOUT CODE MODIFIED"
    assert table.lines[1] == "f-00 python3.12 index.handler 512 MB 3 s 1.23 kB 2026-11-24T01:50:00Z"
    assert [line.split()[0] for line in table.lines[1:]] == names
    shown = json.loads(sojourn("function", "list", "-o", "json").out)
    assert [function["functionName"] for function in shown] == names
    lines = sojourn("function", "list", "-o", "jsonl", "--prefix", "f-").out.splitlines()
    assert [json.loads(line)["functionName"] for line in lines] == names[:24]


def test_get(sojourn: Run, server: FakeServer) -> None:
    """The page of a function shows what is configured beside it, too; JSON is the function alone."""
    server.functions["hello"]["environmentVariables"] = {"A": "1"}
    server.configs["hello"] = {"maxAsyncRetryAttempts": 0, "maxAsyncEventAgeInSeconds": 60}
    server.limits["hello"] = {"reservedConcurrency": 0}
    lines = sojourn("function", "get", "hello").lines

    for line in (
        "Function hello",
        "Memory 512 MB",
        "Environment A=1",
        "Retries 0",
        "Maximum age 60 s",
        "Concurrency 0",
    ):
        assert line in lines
    shown = json.loads(sojourn("function", "get", "hello", "-o", "json").out)
    assert (shown["functionName"], shown["environmentVariables"]) == ("hello", {"A": "1"})


def test_get_without_limits(sojourn: Run) -> None:
    """What is not configured is not shown."""
    assert "Retries" not in sojourn("function", "get", "hello").out


def test_delete(sojourn: Run, server: FakeServer) -> None:
    """A deleted function is gone; a second delete finds nothing."""
    assert sojourn("function", "delete", "hello").out == "Deleted function hello.\n"
    assert server.functions == {}
    assert sojourn("function", "delete", "hello").code == 3


def test_hooks_and_further_fields_are_sent_as_the_api_spells_them(sojourn: Run, server: FakeServer, code: Path) -> None:
    """HANDLER[:SECONDS] becomes a hook, NAME=JSON a field; what is not given is not sent."""
    ran = sojourn(
        *("function", "deploy", "hello", "--code", str(code), "--handler", "index.handler", "--runtime", "python3.12"),
        *("--initializer", "index.initialize:60", "--pre-stop", "index.pre_stop", "--idle-timeout", "0"),
        *("--preload", "numpy", "--preload", "pandas"),
        *("--set", 'tags=[{"key": "a"}]'),
    )

    assert ran.code == 0, ran.err
    body = server.functions["hello"]
    assert body["instanceLifecycleConfig"] == {
        "initializer": {"handler": "index.initialize", "timeout": 60},
        "preStop": {"handler": "index.pre_stop"},
    }
    assert (body["idleTimeout"], body["tags"]) == (0, [{"key": "a"}])
    assert body["preload"] == ["numpy", "pandas"]


@pytest.mark.parametrize(
    ("flag", "text"), [("--pre-stop", "index.pre_stop:soon"), ("--set", "idleTimeout"), ("--set", "idleTimeout={")]
)
def test_a_hook_or_field_that_cannot_be_read_is_named(sojourn: Run, code: Path, flag: str, text: str) -> None:
    """Exit code 2, the flag's text, and how to write it."""
    ran = sojourn("function", "deploy", "hello", "--code", str(code), flag, text)

    assert ran.code == 2
    assert repr(text) in ran.err
    assert "write it as" in ran.err
