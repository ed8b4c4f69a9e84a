"""Good files: what they ask for, in both forms, with every kind of expression."""

from __future__ import annotations

from pathlib import Path

import pytest

from sojourn.manifest import ManifestInvalid, Options, Wanted, read
from sojourn.manifest.document import parse_document
from sojourn.manifest.reading import find

FC3 = """
edition: 3.0.0
name: app
access: default
vars: &vars
  region: cn-hangzhou
  size: {memory: 512, all: [a, b]}
  runtime: python3.12
  again: ${vars.region}!
resources:
  job:
    component: fc3@1.2.3
    access: other
    props:
      region: ${vars.region}
      functionName: ${this.name}-${vars.size.all.1}
      description: ${this.access} ${this.component} ${vars.again}
      runtime: ${vars.runtime}
      handler: index.handler
      code: ./code
      memorySize: ${vars.size.memory}
      cpu: 0.5
      diskSize: 512
      timeout: ${json(env('SECONDS', '60'))}
      environmentVariables:
        LEVEL: ${env('LEVEL', 'debug')}
        NAME: ${env(WHO)}
        TEXT: ${file('./text')}
        ACCOUNT: acs:${config('AccountID')}
        WORD: yes
      tags: [{key: a, value: b}]
      layers: []
      triggers: []
      logConfig: {}
      instanceLifecycleConfig:
        initializer: {handler: index.init, timeout: 30}
      asyncInvokeConfig:
        asyncTask: true
        maxAsyncRetryAttempts: 1
      concurrencyConfig: {reservedConcurrency: 4}
      provisionConfig: {defaultTarget: 2, alwaysAllocateCPU: true}
      scalingConfig: {minInstances: 1}
  program:
    component: devsapp/fc3
    props:
      functionName: program
      runtime: custom.debian12
      code: {src: ./code}
      environmentVariables: ${resources.job.props.environmentVariables}
      instanceConcurrency: 10
      customRuntimeConfig:
        command: [./serve]
        args: ["-p", "9000"]
        port: 9000
        healthCheckConfig: {httpGetUrl: /health}
"""
FC2 = """
edition: 1.0.0
name: app
services:
  job:
    component: fc
    props:
      region: cn-hangzhou
      service: {name: svc, description: old, internetAccess: true}
      function:
        name: job
        description: ${other.props.function.name}
        runtime: python3.9
        codeUri: ./code
        handler: index.handler
        memorySize: 128
        timeout: 60
        instanceType: e1
        initializer: index.init
        initializationTimeout: 20
        instanceLifecycleConfig:
          preStop: {handler: index.stop, timeout: 5}
        asyncConfiguration:
          maxAsyncRetryAttempts: 2
          statefulInvocation: true
  other:
    component: devsapp/fc
    props:
      service: {name: svc}
      function: {name: two, runtime: custom, codeUri: ./code, caPort: 8080, customRuntimeConfig: {command: [./x]}}
"""


def wanted(text: str, directory: Path, **options: object) -> list[Wanted]:
    """What a file in `directory` asks for."""
    (directory / "code").mkdir(exist_ok=True)
    (directory / "text").write_text("from a file")
    return read(text.encode(), "s.yaml", directory, Options(**options))  # type: ignore[arg-type]  # passed on


def test_a_file_of_the_newer_form(tmp_path: Path) -> None:
    """Every value is in its place, with the type it has in the file."""
    environ = {"WHO": "5", "SECONDS": "90"}
    job, program = wanted(FC3, tmp_path, environ=environ, account_id=lambda: "42")

    assert (job.resource, job.function, job.line, job.code) == ("job", "job-b", 11, tmp_path / "./code")
    assert job.settings == {
        "description": "other fc3@1.2.3 cn-hangzhou!",
        "runtime": "python3.12",
        "handler": "index.handler",
        "memorySize": 512,
        "cpu": 0.5,
        "diskSize": 512,
        "timeout": 90,
        "environmentVariables": {
            "LEVEL": "debug",
            "NAME": "5",
            "TEXT": "from a file",
            "ACCOUNT": "acs:42",
            "WORD": "yes",
        },
        "tags": [{"key": "a", "value": "b"}],
        "instanceLifecycleConfig": {"initializer": {"handler": "index.init", "timeout": 30}},
    }
    assert job.configs == {
        "asyncInvokeConfig": {"asyncTask": True, "maxAsyncRetryAttempts": 1},
        "concurrencyConfig": {"reservedConcurrency": 4},
        "provisionConfig": {"defaultTarget": 2, "alwaysAllocateCPU": True},
        "scalingConfig": {"minInstances": 1},
    }
    assert program.settings["environmentVariables"] == job.settings["environmentVariables"]
    assert program.settings["customRuntimeConfig"] == {
        "command": ["./serve"],
        "args": ["-p", "9000"],
        "port": 9000,
        "healthCheckConfig": {"httpGetUrl": "/health"},
    }


def test_a_file_of_the_older_form(tmp_path: Path) -> None:
    """Its keys become those of the newer one; without services by order."""
    job, other = wanted(FC2, tmp_path, without_services=True)

    assert (job.function, other.function) == ("job", "two")
    assert job.settings == {
        "description": "two",
        "runtime": "python3.9",
        "handler": "index.handler",
        "memorySize": 128,
        "timeout": 60,
        "internetAccess": True,
        "instanceLifecycleConfig": {
            "initializer": {"handler": "index.init", "timeout": 20},
            "preStop": {"handler": "index.stop", "timeout": 5},
        },
    }
    assert job.configs == {"asyncInvokeConfig": {"maxAsyncRetryAttempts": 2, "asyncTask": True}}
    assert other.settings == {"runtime": "custom", "customRuntimeConfig": {"command": ["./x"], "port": 8080}}


def test_an_image_of_the_older_form(tmp_path: Path) -> None:
    """Words as a list or as JSON; port and health check stand beside it; code is not needed."""
    text = """
edition: 1.0.0
services:
  web:
    component: fc
    props:
      service: {name: svc}
      function:
        name: web
        runtime: custom-container
        caPort: 8080
        customHealthCheckConfig: {httpGetUrl: /health}
        customContainerConfig:
          image: registry.example/team/web:1
          command: '["/bin/web", "-v"]'
          args: [--port, "8080"]
          webServerMode: true
          accelerationType: ""
          instanceID:
"""
    (web,) = wanted(text, tmp_path)
    assert (web.function, web.code) == ("svc$web", None)
    assert web.settings == {
        "runtime": "custom-container",
        "customContainerConfig": {
            "image": "registry.example/team/web:1",
            "entrypoint": ["/bin/web", "-v"],
            "command": ["--port", "8080"],
            "port": 8080,
            "healthCheckConfig": {"httpGetUrl": "/health"},
        },
    }


def test_keys_can_be_left_out(tmp_path: Path) -> None:
    """By name or by path, also those that would be refused."""
    text = FC3.replace("layers: []", "layers: [x]\n      role: r").replace(
        "{minInstances: 1}", "{minInstances: 1, scheduledPolicies: [x]}"
    )
    skip = frozenset({"layers", "role", "scalingConfig.scheduledPolicies"})
    job, _ = wanted(text, tmp_path, environ={"WHO": ""}, account_id=lambda: "1", skip=skip)

    assert job.configs["scalingConfig"] == {"minInstances": 1}


def test_only_some_resources(tmp_path: Path) -> None:
    """The others are not even looked at; a name that is none is told."""
    text = FC3.replace("cpu: 0.5", "cpu: x").replace("${resources.job.props.environmentVariables}", "{}")
    (program,) = wanted(text, tmp_path, only=("program",))

    assert program.function == "program"
    with pytest.raises(ManifestInvalid, match="no resource 'nobody'; there are job, program"):
        wanted(text, tmp_path, only=("nobody",))


def test_anchors_and_merges(tmp_path: Path) -> None:
    """What is merged can be written over."""
    text = """
edition: 3.0.0
vars:
  common: &common {runtime: python3.12, handler: index.handler, code: ./code, timeout: 5}
resources:
  a: {component: fc3, props: {<<: *common, functionName: a}}
  b: {component: fc3, props: {functionName: b, timeout: 9, <<: [*common]}}
"""
    a, b = wanted(text, tmp_path)

    assert (a.settings["timeout"], b.settings["timeout"]) == (5, 9)


WORDS = ["yes", "on", "~", "True", "0755", "0x1f", "1e3", "-.5", ".inf", "2020-01-01", "'5'", '"${x}"', "12:30:00"]
VALUES = ["yes", "on", None, True, 755, 31, 1000.0, -0.5, float("inf"), "2020-01-01", "5", "${x}", "12:30:00"]


@pytest.mark.parametrize(("word", "value"), list(zip(WORDS, VALUES, strict=True)))
def test_words_mean_what_yaml_1_2_says(word: str, value: object) -> None:
    """As the tool reads them, and not as YAML 1.1 does."""
    (found,) = parse_document(f"x: {word}".encode(), "f").fields.values()

    assert (found.value, type(found.value)) == (value, type(value))


def test_the_file_is_found(tmp_path: Path) -> None:
    """`s.yaml` before `s.yml`, as the tool does it."""
    assert find(tmp_path) is None
    (tmp_path / "s.yml").touch()
    assert find(tmp_path) == tmp_path / "s.yml"
    (tmp_path / "s.yaml").touch()
    assert find(tmp_path) == tmp_path / "s.yaml"
