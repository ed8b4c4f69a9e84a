from __future__ import annotations

from typing import Any

import pytest

from sojourn import configuration as c
from sojourn.errors import InvalidArgument
from sojourn.function import AsyncConfig, Config, CustomContainer, CustomRuntime, HealthCheck, Hook, Lifecycle

MINIMAL = {"functionName": "f", "runtime": "python3.12", "handler": "index.handler"}
CUSTOM = {"functionName": "f", "runtime": "custom.debian12"}
CONTAINER = {"functionName": "f", "runtime": "custom-container"}


def config(**fields: object) -> Config:
    """A new function's configuration."""
    return c.new_config(MINIMAL | fields)


def lifecycle(**hooks: object) -> Lifecycle:
    """The hooks of a new function."""
    return config(instanceLifecycleConfig=hooks).instance_lifecycle_config


def test_there_are_no_hooks_unless_configured() -> None:
    """A hook that is not configured is never called."""
    assert config().instance_lifecycle_config == Lifecycle()
    assert config(instanceLifecycleConfig={}).instance_lifecycle_config == Lifecycle()


def test_hooks_have_a_handler_and_a_timeout_of_three_seconds_unless_given() -> None:
    """All three, each by its name."""
    found = lifecycle(
        initializer={"handler": "index.initialize", "timeout": 300},
        preFreeze={"handler": "hooks.pre_freeze"},
        preStop={"handler": "index.pre_stop", "timeout": 90},
    )

    assert found == Lifecycle(
        initializer=Hook(handler="index.initialize", timeout=300),
        pre_freeze=Hook(handler="hooks.pre_freeze", timeout=3),
        pre_stop=Hook(handler="index.pre_stop", timeout=90),
    )


def test_an_update_keeps_the_hooks_that_it_does_not_name() -> None:
    """Absent keeps, an empty handler removes, a timeout alone changes the timeout."""
    before = config(instanceLifecycleConfig={"initializer": {"handler": "a.b"}, "preStop": {"handler": "c.d"}})
    after = c.changed_config(before, {"instanceLifecycleConfig": {"preStop": {"timeout": 9}}})
    gone = c.changed_config(after, {"instanceLifecycleConfig": {"initializer": {"handler": "", "command": ""}}})

    assert after.instance_lifecycle_config.initializer == Hook(handler="a.b")
    assert after.instance_lifecycle_config.pre_stop == Hook(handler="c.d", timeout=9)
    assert gone.instance_lifecycle_config == Lifecycle(pre_stop=Hook(handler="c.d", timeout=9))
    assert c.changed_config(gone, {"timeout": 9}).instance_lifecycle_config == gone.instance_lifecycle_config


def test_the_older_form_of_an_initializer_means_the_same() -> None:
    """`initializer` and `initializationTimeout`, as the API of 2021-04-06 spells them."""
    before = config(initializer="index.initialize", initializationTimeout=20)

    assert before.instance_lifecycle_config == Lifecycle(initializer=Hook(handler="index.initialize", timeout=20))
    assert c.changed_config(before, {"initializer": ""}).instance_lifecycle_config == Lifecycle()
    with pytest.raises(InvalidArgument, match="initializationTimeout"):
        config(initializationTimeout=20)


@pytest.mark.parametrize(
    ("hooks", "field"),
    [
        ("index.initialize", "instanceLifecycleConfig"),
        ({"preStart": {"handler": "a.b"}}, "instanceLifecycleConfig.preStart"),
        ({"preStop": "a.b"}, "instanceLifecycleConfig.preStop"),
        ({"preStop": {"timeout": 3}}, "instanceLifecycleConfig.preStop.handler"),
        ({"preStop": {"handler": "a.b", "timeout": 91}}, "instanceLifecycleConfig.preStop.timeout"),
        ({"preFreeze": {"handler": "a.b", "timeout": 0}}, "instanceLifecycleConfig.preFreeze.timeout"),
        ({"initializer": {"handler": "a.b", "timeout": 301}}, "instanceLifecycleConfig.initializer.timeout"),
        ({"initializer": {"handler": "a.b", "command": ["sh"]}}, "instanceLifecycleConfig.initializer.command"),
    ],
)
def test_a_wrong_hook_is_named(hooks: object, field: str) -> None:
    """The field, its value and its bound; nothing of it is kept."""
    with pytest.raises(InvalidArgument) as raised:
        config(instanceLifecycleConfig=hooks)

    assert raised.value.field == field


def test_a_custom_runtime_needs_no_handler_and_has_a_program() -> None:
    """Command, arguments, port and health check; the port is 9000 unless given."""
    health = {"httpGetUrl": "/ready", "periodSeconds": 1}
    found = c.new_config(
        CUSTOM | {"customRuntimeConfig": {"command": ["python3"], "args": ["app.py"], "healthCheckConfig": health}}
    )

    assert found.handler == ""
    assert found.custom_runtime_config == CustomRuntime(
        command=["python3"],
        args=["app.py"],
        port=9000,
        health_check_config=HealthCheck(http_get_url="/ready", period_seconds=1),
    )


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"port": 0}, "customRuntimeConfig.port"),
        ({"port": 65536}, "customRuntimeConfig.port"),
        ({"command": "python3"}, "customRuntimeConfig.command"),
        ({"args": [1]}, "customRuntimeConfig.args"),
        ({"args": ["x" * 20_000]}, "customRuntimeConfig.args"),
        ({"healthCheckConfig": {"periodSeconds": 1}}, "customRuntimeConfig.healthCheckConfig.httpGetUrl"),
        (
            {"healthCheckConfig": {"httpGetUrl": "/", "timeoutSeconds": 4}},
            "customRuntimeConfig.healthCheckConfig.timeoutSeconds",
        ),
        ({"healthCheckConfig": {"httpGetUrl": "ready"}}, "customRuntimeConfig.healthCheckConfig.httpGetUrl"),
        ({"image": "x"}, "customRuntimeConfig.image"),
    ],
)
def test_a_wrong_program_is_named(fields: dict[str, Any], field: str) -> None:
    """The field, its value and its bound."""
    with pytest.raises(InvalidArgument) as raised:
        c.new_config(CUSTOM | {"customRuntimeConfig": fields})

    assert raised.value.field == field


def test_a_custom_container_is_an_image_with_what_replaces_its_own() -> None:
    """No handler and no code; the port is 9000 unless given."""
    image = "registry.example:5000/team/app_one/web:1.0@sha256:" + "0a" * 32
    wanted = {"image": image, "entrypoint": ["/run"], "command": ["-x"], "healthCheckConfig": {"httpGetUrl": "/ready"}}
    found = c.new_config(CONTAINER | {"customContainerConfig": wanted, "instanceConcurrency": 9})

    assert (found.handler, found.custom, found.contained) == ("", True, True)
    assert found.custom_container_config == CustomContainer(
        image=image,
        entrypoint=["/run"],
        command=["-x"],
        port=9000,
        health_check_config=HealthCheck(http_get_url="/ready"),
    )
    moved = c.changed_config(found, {"customContainerConfig": {"image": "app", "port": 80, "accelerationType": ""}})
    assert moved.custom_container_config == CustomContainer(image="app", port=80)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "customContainerConfig.image"),
        ({"image": ""}, "customContainerConfig.image"),
        ({"image": "--privileged"}, "customContainerConfig.image"),
        ({"image": "oci-archive:/etc/shadow"}, "customContainerConfig.image"),
        ({"image": "oci:5000/image"}, "customContainerConfig.image"),
        ({"image": "docker://host/image"}, "customContainerConfig.image"),
        ({"image": "dir:tag"}, "customContainerConfig.image"),
        ({"image": "App"}, "customContainerConfig.image"),
        ({"image": "a b"}, "customContainerConfig.image"),
        ({"image": "app\n"}, "customContainerConfig.image"),
        ({"image": "a" * 513}, "customContainerConfig.image"),
        ({"image": "app", "command": "run"}, "customContainerConfig.command"),
        ({"image": "app", "entrypoint": [""]}, "customContainerConfig.entrypoint"),
        ({"image": "app", "port": 0}, "customContainerConfig.port"),
        ({"image": "app", "acrInstanceId": "cri-1"}, "customContainerConfig.acrInstanceId"),
        ({"image": "app", "accelerationType": "Default"}, "customContainerConfig.accelerationType"),
        (
            {"image": "app", "healthCheckConfig": {"httpGetUrl": "x"}},
            "customContainerConfig.healthCheckConfig.httpGetUrl",
        ),
        ("app", "customContainerConfig"),
    ],
)
def test_a_wrong_image_is_named(fields: object, field: str) -> None:
    """A name that an engine would take for an option, or for a place on the machine, is wrong too."""
    with pytest.raises(InvalidArgument) as raised:
        c.new_config(CONTAINER | {"customContainerConfig": fields})

    assert raised.value.field == field


def test_images_and_programs_do_not_meet() -> None:
    """Each goes with its own runtime, and a custom container needs an image."""
    image = {"customContainerConfig": {"image": "app"}}
    for fields, words in (
        (CONTAINER, "customContainerConfig.image is required with custom-container"),
        (CONTAINER | image | {"customRuntimeConfig": {"port": 1}}, "customRuntimeConfig goes with a custom runtime"),
        (CUSTOM | image, "customContainerConfig goes with custom-container"),
        (MINIMAL | image, "customContainerConfig goes with custom-container"),
    ):
        with pytest.raises(InvalidArgument) as raised:
            c.new_config(fields)
        assert words.partition(" ")[0] == raised.value.field
        assert words.partition(" ")[2] in str(raised.value)


def test_several_invocations_at_a_time_are_for_custom_runtimes() -> None:
    """1 to 200 there, 1 elsewhere."""
    assert c.new_config(CUSTOM | {"instanceConcurrency": 200}).instance_concurrency == 200
    for fields in ({**CUSTOM, "instanceConcurrency": 201}, {**MINIMAL, "instanceConcurrency": 2}):
        with pytest.raises(InvalidArgument, match="instanceConcurrency"):
            c.new_config(fields)


def test_a_program_belongs_to_a_custom_runtime() -> None:
    """Elsewhere it would have no effect, so it is refused."""
    with pytest.raises(InvalidArgument, match="customRuntimeConfig"):
        config(customRuntimeConfig={"port": 9000})


def test_the_handler_is_checked_against_the_runtime_it_ends_up_with() -> None:
    """A custom function that becomes a Python one needs a handler that Python can find."""
    before = c.new_config(CUSTOM)

    with pytest.raises(InvalidArgument, match="handler"):
        c.changed_config(before, {"runtime": "python3.12"})
    assert c.changed_config(before, {"runtime": "python3.12", "handler": "index.handler"}).handler == "index.handler"


def test_idle_time_from_none_to_a_day() -> None:
    """0 lets an instance go after each invocation; not given is the server's own."""
    assert config().idle_timeout is None
    assert config(idleTimeout=0).idle_timeout == 0
    with pytest.raises(InvalidArgument, match="idleTimeout must be a whole number between 0 and 86400 seconds"):
        config(idleTimeout=86_401)


def test_modules_to_preload() -> None:
    """A list of names, each once, for Python alone; an empty one takes them away."""
    given = config(preload=["numpy", "os.path", "numpy"])
    assert given.preload == ["numpy", "os.path"]
    assert config().preload == []
    assert c.changed_config(given, {"preload": []}).preload == []
    assert c.changed_config(given, {"timeout": 9}).preload == ["numpy", "os.path"]
    for value, words in (
        ("numpy", "must be a list of at most 32 modules"),
        (["m"] * 33, "must be a list of at most 32 modules"),
        (["../evil"], "must hold names of modules"),
        (["a b"], "must hold names of modules"),
        (["1a"], "must hold names of modules"),
        ([7], "must hold names of modules"),
        (["m" * 129], "at most 128 characters"),
    ):
        with pytest.raises(InvalidArgument, match="preload.*" + words):
            config(preload=value)
    with pytest.raises(InvalidArgument, match=r"preload.*for Python functions, not for runtime custom"):
        config(runtime="custom", preload=["numpy"])


def test_a_snapshot_is_of_what_initializer_has_prepared() -> None:
    """Off unless it is asked for; it needs an Initializer, and Python."""
    hooks = {"initializer": {"handler": "index.init", "timeout": 9}}
    assert config().snapshot is False
    taken = config(snapshot=True, instanceLifecycleConfig=hooks)
    assert (taken.snapshot, taken.templated) == (True, True)
    with pytest.raises(InvalidArgument, match="snapshot needs an Initializer"):
        config(snapshot=True)
    with pytest.raises(InvalidArgument, match="snapshot needs an Initializer"):
        c.changed_config(taken, {"instanceLifecycleConfig": {"initializer": {"handler": ""}}})
    with pytest.raises(InvalidArgument, match="snapshot must be true or false"):
        config(snapshot="yes", instanceLifecycleConfig=hooks)
    with pytest.raises(InvalidArgument, match="snapshot is for Python functions, not for runtime custom"):
        config(runtime="custom", snapshot=True)


def test_waits_between_attempts_and_turns_of_the_line_are_settable() -> None:
    """Ours, beside the fields of Function Compute."""
    body = {"retryIntervalSeconds": 5, "retryIntervalMaxSeconds": 60, "queueWeight": 10}
    found = c.changed_async_config(None, body, now=1)

    assert (found.retry_interval_seconds, found.retry_interval_max_seconds, found.queue_weight) == (5, 60, 10)
    assert AsyncConfig().retry_interval_seconds is None
    for field, value in (("retryIntervalSeconds", -1), ("retryIntervalMaxSeconds", 86_401), ("queueWeight", 0)):
        with pytest.raises(InvalidArgument, match=field):
            c.changed_async_config(None, {field: value}, now=1)
