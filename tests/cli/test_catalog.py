"""The commands about services, versions, aliases, triggers, configurations, tags and keys, on a real server."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.conftest import Run
from end_to_end.functions import HANDLER, RUNTIME
from live import LiveServer, archive, until
from sojourn.cli import app

NUMBERED = "def handler(event, context):\n    return 'this is %d'\n"
SLEEPER = "import time\ndef handler(event, context):\n    time.sleep(600)\n"


@pytest.fixture(scope="module")
def live() -> Iterator[LiveServer]:
    """The server."""
    with LiveServer() as running:
        yield running


@pytest.fixture
def run(cli: Run, live: LiveServer, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command that finds the server by its data directory."""
    monkeypatch.setenv("SOJOURN_DATA_DIR", str(live.data))
    return cli


@pytest.fixture
def deploy(run: Run, tmp_path: Path) -> Any:
    """Deploy a function that says a number."""

    def deployed(name: str, number: int = 1, source: str = "") -> None:
        path = tmp_path / f"{number}.zip"
        path.write_bytes(archive(source or NUMBERED % number))
        ran = run("function", "deploy", name, "--code", str(path), "--handler", HANDLER, "--runtime", RUNTIME)
        assert ran.code == 0, ran.err

    return deployed


def document(run: Run, *words: str) -> Any:
    """What a command prints as JSON."""
    ran = run(*words, "-o", "json")
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def said(run: Run, *words: str) -> list[str]:
    """What it prints for people."""
    ran = run(*words)
    assert ran.code == 0, ran.err
    return ran.lines


def refused(run: Run, code: int, *words: str) -> str:
    """What it says when it ends with `code`, and that it says what to do next."""
    ran = run(*words)
    assert (ran.code, ran.out) == (code, ""), ran.err
    assert "\nnext: " in ran.err
    return ran.err


def test_a_version_is_called_by_number_and_by_alias(run: Run, deploy: Any) -> None:
    """Published, named, called, moved, shared, and deleted when nothing names it any more."""
    deploy("hello", 1)
    assert said(run, "function", "publish", "hello", "--description", "first") == [
        "Published version 1 of function hello."
    ]
    deploy("hello", 2)
    assert document(run, "function", "publish", "hello")["versionId"] == "2"
    assert [line.split()[0] for line in said(run, "function", "versions", "hello")] == ["VERSION", "2", "1"]
    assert run("invoke", "hello", "--qualifier", "1").out == "this is 1"
    assert "Version 1" in said(run, "function", "get", "hello", "--qualifier", "1")

    made = document(
        run, "alias", "create", "hello", "prod", "--version", "1", "--weight", "2=0.5", "--description", "d"
    )
    assert (made["versionId"], made["additionalVersionWeight"]) == ("1", {"2": 0.5})
    assert "Shared with 2=0.5" in said(run, "alias", "get", "hello", "prod")
    changed = document(run, "alias", "update", "hello", "prod", "--version", "2", "--weight", "")
    assert (changed["versionId"], changed["additionalVersionWeight"], changed["description"]) == ("2", {}, "d")
    assert run("invoke", "hello", "--qualifier", "prod").out == "this is 2"
    task = document(run, "task", "submit", "hello", "--qualifier", "prod", "--wait")
    assert (task["status"], task["returnPayload"], task["qualifier"]) == ("Succeeded", "this is 2", "prod")
    assert [each["aliasName"] for each in document(run, "alias", "list", "hello")] == ["prod"]

    assert "alias update" in refused(run, 4, "function", "unpublish", "hello", "2")
    assert said(run, "alias", "delete", "hello", "prod") == ["Deleted alias prod of hello."]
    assert said(run, "function", "unpublish", "hello", "2") == ["Deleted version 2 of function hello."]
    refused(run, 3, "invoke", "hello", "--qualifier", "2")
    refused(run, 3, "alias", "get", "hello", "prod")
    assert "VERSION=SHARE" in refused(run, 2, "alias", "create", "hello", "p", "--version", "1", "--weight", "half")
    refused(run, 2, "alias", "create", "hello", "p", "--version", "9")


def test_a_service_has_functions_versions_and_aliases(run: Run, deploy: Any) -> None:
    """Of its own, and is deleted when it has none any more."""
    assert said(run, "service", "create", "shop", "--description", "d") == ["Created service shop."]
    refused(run, 4, "service", "create", "shop")
    deploy("shop$sell", 1)
    assert said(run, "service", "publish", "shop") == ["Published version 1 of service shop."]
    deploy("shop$sell", 2)
    document(run, "alias", "create", "shop", "prod", "--version", "1", "--service")
    assert run("invoke", "shop$sell", "--qualifier", "prod").out == "this is 1"
    changed = document(run, "service", "update", "shop", "--description", "other")
    assert (changed["description"], changed["internetAccess"]) == ("other", True)
    assert "Description other" in said(run, "service", "get", "shop")
    assert said(run, "service", "list", "--prefix", "sh")[1].startswith("shop yes other")
    assert "delete its functions" in refused(run, 4, "service", "delete", "shop")
    said(run, "alias", "delete", "shop", "prod", "--service")
    said(run, "function", "delete", "shop$sell")
    assert said(run, "service", "unpublish", "shop", "1") == ["Deleted version 1 of service shop."]
    assert document(run, "service", "versions", "shop") == []
    assert said(run, "service", "delete", "shop") == ["Deleted service shop."]
    assert "service list" in refused(run, 3, "service", "get", "shop")


def test_a_timer_fires_and_an_address_answers(run: Run, deploy: Any, live: LiveServer) -> None:
    """Made, changed field by field, listed and forgotten."""
    deploy("fired", 7)
    made = document(run, "trigger", "create", "fired", "tick", "--every", "1s", "--payload", "p")
    assert json.loads(made["triggerConfig"]) == {"cronExpression": "@every 1s", "payload": "p", "enable": True}
    client = live.client()
    until(lambda: bool(client.list_tasks("fired").tasks), 30, "a firing")
    changed = document(run, "trigger", "update", "fired", "tick", "--disable", "--description", "d")
    assert json.loads(changed["triggerConfig"]) == {"cronExpression": "@every 1s", "payload": "p", "enable": False}
    assert "Fires no, it is disabled" in said(run, "trigger", "get", "fired", "tick")
    assert document(run, "trigger", "update", "fired", "tick", "--cron", "0 0 4 * * *")["description"] == "d"

    web = document(run, "trigger", "create", "fired", "web", "--http", "--auth", "anonymous", "--method", "get")
    url = web["httpTrigger"]["urlInternet"]
    assert httpx.get(url, trust_env=False).content == b"this is 7"
    said(run, "trigger", "update", "fired", "web", "--auth", "function")
    assert httpx.get(url, trust_env=False).status_code in (400, 403)
    lines = said(run, "trigger", "list", "fired")
    assert [line.split()[:2] for line in lines[1:]] == [["tick", "timer"], ["web", "http"]]

    assert "trigger list" in refused(run, 4, "function", "delete", "fired")
    for name in ("tick", "web"):
        assert said(run, "trigger", "delete", "fired", name) == [f"Deleted trigger {name} of fired."]
    refused(run, 3, "trigger", "get", "fired", "web")
    for words in (("--every", "1s", "--http"), (), ("--every", "1s", "--auth", "function"), ("--every", "x")):
        refused(run, 2, "trigger", "create", "fired", "t", *words)
    refused(run, 2, "trigger", "create", "fired", "t", "--every", "1s", "--cron", "0 0 4 * * *")


def test_configurations_are_set_shown_listed_and_deleted(run: Run, deploy: Any) -> None:
    """Of tasks, of concurrency, and of what is kept warm; what is not there is 3."""
    deploy("set", 1)
    said(run, "function", "publish", "set")
    document(run, "async-config", "set", "set", "--retries", "5", "--on-failure", "https://hook.example/x")
    config = document(run, "async-config", "set", "set", "--max-age", "60")
    assert (config["maxAsyncRetryAttempts"], config["maxAsyncEventAgeInSeconds"]) == (5, 60)
    assert config["destinationConfig"] == {"onFailure": {"destination": "https://hook.example/x"}}
    document(run, "async-config", "set", "set", "--retries", "0", "--qualifier", "1")
    assert {"Retries 5", "Maximum age 60 s", "On failure https://hook.example/x"} <= set(
        said(run, "async-config", "get", "set")
    )
    assert [line.split()[:2] for line in said(run, "async-config", "list", "--function", "set")[1:]] == [
        ["set/1", "0"],
        ["set", "5"],
    ]
    said(run, "async-config", "delete", "set")
    assert "defaults" in refused(run, 3, "async-config", "get", "set")
    assert document(run, "async-config", "get", "set", "--qualifier", "1")["maxAsyncRetryAttempts"] == 0

    assert said(run, "concurrency", "set", "set", "3") == ["At most 3 of function set at a time."]
    assert document(run, "concurrency", "get", "set")["reservedConcurrency"] == 3
    assert said(run, "concurrency", "list") == ["FUNCTION AT A TIME", "set 3"]
    said(run, "concurrency", "delete", "set")
    refused(run, 3, "concurrency", "get", "set")
    refused(run, 2, "concurrency", "set", "set", "-1")

    for noun, field in (("provision", "target"), ("scaling", "minInstances")):
        assert document(run, noun, "set", "set", "1", "--qualifier", "1")[field] == 1
        assert "Wanted 1" in said(run, noun, "get", "set", "--qualifier", "1")
        assert [line.split()[:2] for line in said(run, noun, "list")[1:]] == [["set/1", "1"]]
        refused(run, 3, noun, "get", "set")
        said(run, noun, "delete", "set", "--qualifier", "1")
        refused(run, 3, noun, "get", "set", "--qualifier", "1")


def test_tags_are_put_on_and_taken_off(run: Run, deploy: Any) -> None:
    """Of functions and of services."""
    deploy("tagged", 1)
    said(run, "service", "create", "labelled")
    for owner in (["tagged"], ["labelled", "--service"]):
        assert said(run, "tag", "set", *owner, "a=1", "b=x=y") == ["KEY VALUE", "a 1", "b x=y"]
        assert document(run, "tag", "delete", *owner, "a") == [{"key": "b", "value": "x=y"}]
        assert said(run, "tag", "delete", *owner, "--all") == ["KEY VALUE"]
        assert document(run, "tag", "list", *owner) == []
    assert "KEY=VALUE" in refused(run, 2, "tag", "set", "tagged", "a")
    refused(run, 2, "tag", "delete", "tagged")
    refused(run, 3, "tag", "list", "nobody")


def test_a_function_is_switched_off_and_on(run: Run, deploy: Any, live: LiveServer) -> None:
    """Calls are refused with the reason, tasks wait, and with --abort what runs is ended."""
    deploy("off", source=SLEEPER)
    client = live.client()
    running = client.submit("off").task_id
    until(lambda: client.get_task("off", running).status.value == "Running", 30, "running")
    assert said(run, "function", "disable", "off", "--reason", "broken", "--abort") == [
        "Function off takes no invocations."
    ]
    assert client.wait("off", running, timeout=30).status.value == "Stopped"
    assert "Disabled broken" in said(run, "function", "get", "off")
    ran = run("invoke", "off")
    assert (ran.code, "broken" in ran.err) == (1, True)
    assert said(run, "function", "enable", "off") == ["Function off takes invocations."]
    assert client.get_function("off").disabled is False


def test_code_comes_back_as_it_went(run: Run, deploy: Any, tmp_path: Path) -> None:
    """Of the function and of a version; a file that is there is not written over."""
    deploy("code", 1)
    said(run, "function", "publish", "code")
    deploy("code", 2)
    for number, more in ((2, []), (1, ["--qualifier", "1"])):
        path = tmp_path / f"got-{number}.zip"
        assert said(run, "function", "download", "code", str(path), *more)[0].startswith("Wrote ")
        assert zipfile.ZipFile(io.BytesIO(path.read_bytes())).read("index.py").decode() == NUMBERED % number
    assert run("function", "download", "code", str(path)).code == 1


def test_a_key_for_a_time_opens_the_server_with_its_token(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command takes it from the environment; without the token it opens nothing."""
    key = document(run, "account", "key", "issue", "--ttl", "15m")
    assert any(line.startswith("Security token") for line in said(run, "account", "key", "issue"))
    assert "durationSeconds" in refused(run, 2, "account", "key", "issue", "--ttl", "1s")
    assert "--ttl" in refused(run, 2, "account", "key", "issue", "--ttl", "soon")
    monkeypatch.setenv("SOJOURN_ACCESS_KEY_ID", key["accessKeyId"])
    monkeypatch.setenv("SOJOURN_ACCESS_KEY_SECRET", key["accessKeySecret"])
    refused(run, 1, "function", "list")
    monkeypatch.setenv("SOJOURN_SECURITY_TOKEN", key["securityToken"])
    said(run, "function", "list")
    refused(run, 1, "account", "key", "issue")


def commands() -> Iterator[tuple[str, ...]]:
    """Every command there is."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), app)]
    while waiting:
        words, here = waiting.pop()
        names = [name for name in here if not name.startswith("-")]
        if not names and words:
            yield words
        waiting += [((*words, name), here[name]) for name in names]


def test_every_command_has_an_example(cli: Run) -> None:
    """In its help, which is 0."""
    found = sorted(commands())
    assert len(found) > 60
    for words in found:
        ran = cli(*words, "--help")
        assert ran.code == 0
        assert words == ("serve",) or f"sojourn {' '.join(words)}" in ran.out.partition("For example:")[2], words
