"""`sojourn deploy` against a real server: what it shows, what it sends, and what it leaves alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cli.conftest import PROGRAM, Run
from sojourn.client import Client, NotFound
from sojourn.testing.local import LocalServer

HERE = f"python{sys.version_info.major}.{sys.version_info.minor}"
TEMPLATE = f"""\
edition: 3.0.0
name: app
resources:
  job:
    component: fc3
    props:
      functionName: job
      runtime: {HERE}
      handler: index.handler
      code: ./code
      timeout: 30
      environmentVariables: {{PIN: hidden-1, LEVEL: debug}}
      asyncInvokeConfig: {{maxAsyncRetryAttempts: 1}}
      concurrencyConfig: {{reservedConcurrency: 4}}
      instanceLifecycleConfig:
        preStop: {{handler: index.stop, timeout: 10}}
  other:
    component: fc3
    props: {{functionName: other, runtime: {HERE}, handler: index.handler, code: ./code}}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    """A server of these tests."""
    with LocalServer({"sandbox": "process"}) as running:
        yield running


@pytest.fixture
def client(server: LocalServer) -> Iterator[Client]:
    """Talks to it, and leaves it without functions."""
    with server.client() as talking:
        yield talking
        for function in list(talking.iterate_functions()):
            for trigger in talking.list_triggers(function.function_name):
                talking.delete_trigger(function.function_name, trigger.trigger_name)
            talking.delete_function(function.function_name)


@pytest.fixture
def project(tmp_path: Path, server: LocalServer, client: Client, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a file and code, and an environment that leads to the server."""
    del client  # it tidies up
    root = tmp_path / "project"
    (root / "code").mkdir(parents=True)
    (root / "code" / "index.py").write_text("def handler(event, context):\n    return event\n")
    (root / "s.yaml").write_text(TEMPLATE)
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    return root


def change(project: Path, *pairs: tuple[str, str]) -> None:
    """Write the file anew with other words."""
    text = (project / "s.yaml").read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    (project / "s.yaml").write_text(text)


def deploy(cli: Run, project: Path, *words: str) -> list[str]:
    """Deploy, agreed, and give the lines of the plan."""
    ran = cli("deploy", "-t", str(project / "s.yaml"), "-y", *words)
    assert ran.code == 0, ran.err
    return ran.lines


def test_the_plan_is_applied_and_then_there_is_none(cli: Run, project: Path, client: Client) -> None:
    """The first time creates, the second time changes nothing and sends nothing."""
    lines = deploy(cli, project)

    assert "+ job job create" in lines
    assert "timeout 30" in lines
    assert "asyncInvokeConfig.maxAsyncRetryAttempts 1" in lines
    assert lines[-3:] == ["2 to create, 0 to change, 0 as they are.", "Deployed job.", "Deployed other."]
    function = client.get_function("job")
    assert function.timeout == 30
    assert client.get_async_config("job").max_async_retry_attempts == 1
    assert client.get_concurrency("job").reserved_concurrency == 4
    assert client.invoke("job", b"x").result == b"x"

    again = deploy(cli, project)
    assert again[-1] == "0 to create, 0 to change, 2 as they are."
    assert "= job job none" in again
    assert client.get_function("job") == function


def test_only_what_differs_is_shown_and_touched(cli: Run, project: Path, client: Client) -> None:
    """Each field with its old and its new value; the other function is not written."""
    deploy(cli, project)
    before = client.get_function("other")
    change(project, ("timeout: 30", "timeout: 40"), ("Attempts: 1", "Attempts: 2"), ("preStop", "initializer"))
    lines = deploy(cli, project)

    assert lines[1:] == [
        "~ job job change",
        "timeout 30 → 40",
        "instanceLifecycleConfig.initializer.handler index.stop",
        "instanceLifecycleConfig.initializer.timeout 10",
        "instanceLifecycleConfig.preStop.handler index.stop → none",
        "instanceLifecycleConfig.preStop.timeout 10 → none",
        "asyncInvokeConfig.maxAsyncRetryAttempts 1 → 2",
        "= other other none",
        "0 to create, 1 to change, 1 as they are.",
        "Deployed job.",
    ]
    assert client.get_function("other") == before
    assert deploy(cli, project)[-1] == "0 to create, 0 to change, 2 as they are."


def test_instances_and_destinations_are_configured(
    cli: Run, project: Path, server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The configurations beside the function, and a second time nothing; a default that is spelled out is no change."""
    more = """\
      provisionConfig: {defaultTarget: 1}
      scalingConfig: {minInstances: 1}
"""
    change(project, ("  other:", more + "  other:"))
    change(project, ("Attempts: 1}", "Attempts: 1, destinationConfig: {onFailure: {destination: DESTINATION}}}"))
    change(project, ("DESTINATION", "\"acs:fc:local:${config('AccountID')}:functions/other\""))
    monkeypatch.setenv("SOJOURN_ACCOUNT_ID", "1")
    ran = cli("deploy", "-t", str(project / "s.yaml"), "-y")
    assert ran.code == 2
    assert f"{project / 's.yaml'}:4: job is not deployed as the file wants it" in ran.err
    monkeypatch.setenv("SOJOURN_ACCOUNT_ID", server.account_id)
    lines = deploy(cli, project)

    assert "provisionConfig.defaultTarget 1" in lines
    assert "asyncInvokeConfig.destinationConfig.onFailure.destination acs:fc:local:DESTINATION" in [
        line.replace(f"{server.account_id}:functions/other", "DESTINATION") for line in lines
    ]
    assert deploy(cli, project)[-1] == "0 to create, 0 to change, 2 as they are."
    change(project, ("defaultTarget: 1", "defaultTarget: 1, alwaysAllocateCPU: true, scheduledActions: []"))
    assert deploy(cli, project)[-1] == "0 to create, 0 to change, 2 as they are."
    change(project, ("alwaysAllocateCPU: true", "alwaysAllocateCPU: false"), ("minInstances: 1", "minInstances: 0"))
    lines = deploy(cli, project)

    assert "provisionConfig.alwaysAllocateCPU true → false" in lines
    assert "scalingConfig.minInstances 1 → 0" in lines

    change(project, ("onFailure", "onSuccess"))
    assert any("onFailure.destination" in line and line.endswith("→ none") for line in deploy(cli, project))
    assert deploy(cli, project)[-1] == "0 to create, 0 to change, 2 as they are."


TRIGGERS = """\
      triggers:
        - triggerName: nightly
          triggerType: timer
          description: d
          triggerConfig: {payload: p, cronExpression: '0 0 4 * * *', enable: false}
        - triggerName: web
          triggerType: http
          triggerConfig:
            authType: anonymous
            methods: [GET]
"""


def test_triggers_are_made_compared_and_changed_field_by_field(cli: Run, project: Path, client: Client) -> None:
    """With the server's defaults; the address is told; those that the file does not name stay."""
    change(project, ("  other:", TRIGGERS + "  other:"))
    lines = deploy(cli, project)
    assert {"triggers.nightly.triggerConfig.cronExpression 0 0 4 * * *", "triggers.web.triggerType http"} <= set(lines)
    url = client.get_trigger("job", "web").url
    assert f"job is reached at {url}" in lines
    assert [each.trigger_name for each in client.list_triggers("job")] == ["nightly", "web"]
    assert deploy(cli, project)[-1] == "0 to create, 0 to change, 2 as they are."

    change(project, ("enable: false", "enable: true"), ("methods: [GET]", "disableURLInternet: false"))
    client.update_trigger("job", "nightly", description="other")
    lines = deploy(cli, project)
    assert lines[1:5] == [
        "~ job job change",
        "triggers.nightly.triggerConfig.enable false → true",
        "triggers.nightly.description other → d",
        'triggers.web.triggerConfig.methods ["GET"] → ["GET","POST","PUT","DELETE","HEAD","PATCH","OPTIONS"]',
    ]
    change(project, ("          description: d\n", ""))
    assert deploy(cli, project)[-1] == "0 to create, 0 to change, 2 as they are."

    change(
        project,
        ("triggerName: web", "triggerName: nightly"),
        ("triggerName: nightly\n          triggerType: timer", "triggerName: hourly\n          triggerType: timer"),
    )
    ran = cli("deploy", "-t", str(project / "s.yaml"), "-y")
    assert ran.code == 2
    assert "triggers.nightly.triggerType must be timer, as on the server: delete it first" in ran.err


OLDER = f"""\
edition: 1.0.0
name: app
access: default
vars:
  region: cn-hangzhou
  service:
    name: shop
    description: all of the shop
services:
  sell:
    component: devsapp/fc
    props:
      region: ${{vars.region}}
      service: ${{vars.service}}
      function:
        name: sell
        description: 'hello world by serverless devs'
        runtime: {HERE}
        codeUri: ./code
        handler: index.handler
        memorySize: 128
        timeout: 60
        asyncConfiguration: {{statefulInvocation: true, maxAsyncRetryAttempts: 0}}
      triggers:
        - {{name: httpTrigger, type: http, config: {{authType: anonymous, methods: [GET]}}}}
        - name: timer
          type: timer
          qualifier: LATEST
          config: {{payload: p, cronExpression: '@every 60m', enable: true}}
"""


def test_a_file_of_the_older_form_is_deployed_with_its_triggers(cli: Run, project: Path, client: Client) -> None:
    """As a function of its service, called at its address; a second time nothing changes."""
    (project / "s.yaml").write_text(OLDER)
    (project / "code" / "index.py").write_text("def handler(event, context):\n    return 'sold'\n")
    deploy(cli, project)
    assert client.get_service("shop").service_name == "shop"
    triggers = {each.trigger_name: each for each in client.list_triggers("shop$sell")}
    assert sorted(triggers) == ["httpTrigger", "timer"]
    assert httpx.get(triggers["httpTrigger"].url, trust_env=False).text == "sold"
    assert deploy(cli, project)[-1] == "0 to create, 0 to change, 1 as they are."


def test_code_is_compared_by_its_checksum(cli: Run, project: Path, client: Client) -> None:
    """A changed file is a change, a touched one is none."""
    deploy(cli, project)
    index = project / "code" / "index.py"
    os.utime(index, (1, 1))
    assert deploy(cli, project)[-1] == "0 to create, 0 to change, 2 as they are."
    index.write_text("def handler(event, context):\n    return b'new'\n")
    lines = deploy(cli, project)

    assert any(line.startswith("code ") and "CRC-64" in line for line in lines)
    assert client.invoke("job").result == b"new"


def test_secrets_are_masked_unless_asked_for(cli: Run, project: Path) -> None:
    """In the table and in JSON, old and new."""
    deploy(cli, project)
    change(project, ("hidden-1", "hidden-2"))
    words = ("deploy", "-t", str(project / "s.yaml"), "--dry-run")
    for form in ("table", "json", "jsonl"):
        ran = cli(*words, "-o", form)
        assert "environmentVariables.PIN" in ran.out
        assert "hidden" not in ran.out + ran.err

        ran = cli(*words, "-o", form, "--show-values")
        assert "hidden-1" in ran.out
        assert "hidden-2" in ran.out


def test_a_dry_run_changes_nothing(cli: Run, project: Path, client: Client) -> None:
    """It shows the plan and ends well."""
    ran = cli("deploy", "-t", str(project / "s.yaml"), "--dry-run", "-o", "json")
    document = json.loads(ran.out)

    assert ran.code == 0
    assert [(each["resource"], each["action"], each["applied"]) for each in document["resources"]] == [
        ("job", "create", False),
        ("other", "create", False),
    ]
    assert {"field": "timeout", "old": None, "new": 30} in document["resources"][0]["changes"]
    with pytest.raises(NotFound):
        client.get_function("job")


def test_nothing_happens_without_agreement(cli: Run, project: Path, client: Client) -> None:
    """Where nobody can be asked, the plan is shown and -y is named."""
    ran = cli("deploy", "-t", str(project / "s.yaml"))

    assert ran.code == 2
    assert "+ job job create" in ran.lines
    assert "pass -y" in ran.err
    assert list(client.iterate_functions()) == []
    assert cli("deploy", "-t", str(project / "s.yaml"), "-y", "-o", "json").code == 0
    assert cli("deploy", "-t", str(project / "s.yaml")).code == 0  # nothing to agree to


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1), ("", 1)])
def test_a_person_is_asked(cli: Run, project: Path, answer: str, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only y deploys."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    ran = cli("deploy", "-t", str(project / "s.yaml"))

    assert ran.code == code, ran.err
    assert ("Deployed job." in ran.lines) == (code == 0)


def test_one_resource_of_several(cli: Run, project: Path, client: Client) -> None:
    """Only the named one."""
    deploy(cli, project, "other")

    assert [each.function_name for each in client.iterate_functions()] == ["other"]


def test_a_bad_file_is_told_and_nothing_is_asked(cli: Run, project: Path, client: Client) -> None:
    """Every mistake with file and line, exit code 2, and the server untouched."""
    change(project, ("timeout: 30", "timeot: 30"), ("reservedConcurrency: 4", "reservedConcurrency: x"))
    ran = cli("deploy", "-t", str(project / "s.yaml"), "-y")

    assert ran.code == 2
    assert "has 2 mistakes" in ran.err
    assert f"{project / 's.yaml'}:11: resources.job.props.timeot" in ran.err
    assert f"{project / 's.yaml'}:14: resources.job.props.concurrencyConfig.reservedConcurrency" in ran.err
    assert list(client.iterate_functions()) == []


def test_bad_code_names_the_resource(cli: Run, project: Path) -> None:
    """What the archive cannot hold is told with the line of the resource."""
    (project / "code" / "link").symlink_to("index.py")
    ran = cli("deploy", "-t", str(project / "s.yaml"), "-y")

    assert ran.code == 2
    assert "s.yaml:4: code must not hold symbolic links" in ran.err


def test_the_file_is_found_where_the_command_runs(
    cli: Run, project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`s.yaml` here, and a word about it when there is none."""
    monkeypatch.chdir(project)
    assert cli("deploy", "-y").code == 0
    monkeypatch.chdir(tmp_path)
    ran = cli("deploy", "-y")
    assert ran.code == 2
    assert "there is neither s.yaml nor s.yml here" in ran.err
    assert cli("deploy", "-t", "nothing.yaml").code == 2


def test_a_server_that_is_away_is_told(cli: Run, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 5, as everywhere."""
    monkeypatch.setenv("SOJOURN_ENDPOINT", "http://127.0.0.1:1")
    assert cli("deploy", "-t", str(project / "s.yaml"), "-y").code == 5


def test_invoke_prints_the_answer_as_it_came(project: Path, client: Client) -> None:
    """Bytes to standard output, the log's end to standard error with --tail, 1 for an error of the function."""
    (project / "code" / "index.py").write_text(
        "def handler(event, context):\n"
        "    print('heard')\n"
        "    if event == b'bad':\n"
        "        raise ValueError('no')\n"
        "    return bytes([255, 0]) + event\n"
    )
    client.deploy("raw", project / "code", handler="index.handler", runtime=HERE)

    def invoke(*words: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([*PROGRAM, "invoke", "raw", *words], capture_output=True, check=False)

    good = invoke("--payload", "x", "--tail")
    assert (good.returncode, good.stdout) == (0, b"\xff\x00x")
    assert b"heard" in good.stderr
    shown = json.loads(invoke("--payload", "x", "-o", "json").stdout)
    assert (shown["result"], shown["resultEncoding"]) == ("/wB4", "base64")
    bad = invoke("--payload", "bad")
    assert bad.returncode == 1
    assert json.loads(bad.stdout)["errorType"] == "ValueError"
    assert b"the function failed (UnhandledInvocationError" in bad.stderr
    assert json.loads(invoke("--payload", "bad", "-o", "json").stdout)["errorType"] == "UnhandledInvocationError"
    assert subprocess.run([*PROGRAM, "invoke", "nobody"], capture_output=True, check=False).returncode == 3
