"""How tasks and functions are shown: pure encoding."""

from __future__ import annotations

import msgspec
import pytest

from api.door import PretendRuntime
from sojourn.api.v2023_03_30.wire import (
    as_text,
    async_config_object,
    function_object,
    last_attempt_duration,
    task_object,
)
from sojourn.errors import InvalidArgument
from sojourn.function import AsyncConfig, Code, Config, CustomRuntime, Function, Hook, Lifecycle
from sojourn.runtime import Resolved
from sojourn.task import (
    Backoff,
    Claimed,
    Ended,
    Failure,
    Faltered,
    Returned,
    Started,
    StopRequested,
    Success,
    Task,
    advance,
    submit,
)
from sojourn.times import rfc3339

FUNCTION = Function(
    id=3,
    account_id="acme",
    name="census",
    generation=2,
    revision=5,
    config=Config(runtime="python3.12", handler="index.handler", environment_variables={"A": "1"}),
    code=Code(digest="0" * 64, size=17, checksum="42"),
    created_at=1_800_000_000_123_456,
    modified_at=1_800_000_001_000_000,
)
MS = 1_000
FAILURE = Failure(kind="UnhandledInvocationError", type="ValueError", message="no")


def task_after(*steps: tuple[int, object]) -> Task:
    """A task submitted at 1 ms, to which each fact happened at its time in ms."""
    task = submit(Task(id=1, account_id="acme", function_id=3, generation=2), 1 * MS)
    for at, fact in steps:
        task = advance(task, fact, at * MS)  # type: ignore[arg-type]  # steps is Any fact
    return task


def test_a_function_shows_its_settings_and_never_its_code() -> None:
    """Names and forms as the official clients know them."""
    shown = function_object(FUNCTION, "here", [PretendRuntime()])

    assert shown == {
        "runtime": "python3.12",
        "handler": "index.handler",
        "description": "",
        "memorySize": 512,
        "timeout": 3,
        "diskSize": 512,
        "instanceConcurrency": 1,
        "internetAccess": True,
        "environmentVariables": {"A": "1"},
        "tags": [],
        "instanceLifecycleConfig": {},
        "functionName": "census",
        "functionArn": "acs:fc:here:acme:functions/census",
        "functionId": "3-2",
        "codeSize": 17,
        "codeChecksum": "42",
        "createdTime": "2027-01-15T08:00:00.123Z",
        "lastModifiedTime": "2027-01-15T08:00:01.000Z",
        "state": "Active",
        "lastUpdateStatus": "Successful",
        "runtimeNote": "",
    }


def test_a_function_shows_its_hooks_its_idle_time_and_its_program() -> None:
    """Those it has, in the form in which they are given."""
    config = Config(
        runtime="custom",
        handler="",
        idle_timeout=0,
        instance_lifecycle_config=Lifecycle(pre_stop=Hook(handler="index.stop", timeout=9)),
        custom_runtime_config=CustomRuntime(command=["/code/run"], port=8080),
    )
    shown = function_object(msgspec.structs.replace(FUNCTION, config=config), "here", [PretendRuntime()])

    assert shown["idleTimeout"] == 0
    assert shown["instanceLifecycleConfig"] == {"preStop": {"handler": "index.stop", "timeout": 9}}
    assert shown["customRuntimeConfig"] == {
        "command": ["/code/run"],
        "args": [],
        "port": 8080,
        "healthCheckConfig": None,
    }


def test_modules_to_preload_are_shown_when_there_are_some() -> None:
    """They are ours: who speaks Function Compute's protocol alone never sees them."""
    config = msgspec.structs.replace(FUNCTION.config, preload=["numpy"])

    assert function_object(msgspec.structs.replace(FUNCTION, config=config), "r", [])["preload"] == ["numpy"]
    assert not {"preload", "snapshot"} & function_object(FUNCTION, "r", []).keys()
    config = msgspec.structs.replace(FUNCTION.config, snapshot=True)
    assert function_object(msgspec.structs.replace(FUNCTION, config=config), "r", [])["snapshot"] is True


def test_a_function_that_runs_on_something_else_says_so() -> None:
    """In a field of its own: another version, nothing known, or an interpreter that went away."""

    class Gone(PretendRuntime):
        def resolve(self, runtime: str) -> Resolved | None:
            raise InvalidArgument("runtime", runtime, "must be one that this machine has")

    def note(runtime: str, family: PretendRuntime) -> object:
        config = msgspec.structs.replace(FUNCTION.config, runtime=runtime)
        return function_object(msgspec.structs.replace(FUNCTION, config=config), "r", [family])["runtimeNote"]

    assert note("python3.9", PretendRuntime()) == "python3.9 is not here, it runs on 3.12.1"
    assert note("ruby3", PretendRuntime()) == "nothing on this server runs ruby3 any more"
    assert "must be one that this machine has" in str(note("python3.12", Gone()))


def test_cpu_is_shown_when_it_was_given() -> None:
    """Otherwise nobody asked for any."""
    config = msgspec.structs.replace(FUNCTION.config, cpu=0.5)

    assert function_object(msgspec.structs.replace(FUNCTION, config=config), "r", [])["cpu"] == 0.5
    assert "cpu" not in function_object(FUNCTION, "r", [])


def test_configurations_carry_the_function_they_belong_to() -> None:
    """Times in RFC 3339, numbers as they are."""
    config = AsyncConfig(max_async_retry_attempts=1, created_at=1_000_000, modified_at=2_000_000)

    assert async_config_object(config, {"functionArn": "arn"}) == {
        "functionArn": "arn",
        "asyncTask": True,
        "maxAsyncRetryAttempts": 1,
        "maxAsyncEventAgeInSeconds": 86_400,
        "destinationConfig": {},
        "createdTime": "1970-01-01T00:00:01.000Z",
        "lastModifiedTime": "1970-01-01T00:00:02.000Z",
    }


@pytest.mark.parametrize(
    ("steps", "now", "expected"),
    [
        ([], 100, 0),
        ([(5, Claimed(1))], 100, 0),
        ([(5, Claimed(1)), (10, Started("i"))], 100, 90),
        ([(5, Claimed(1)), (10, Started("i")), (30, Returned(Success(result=b"")))], 100, 20),
        ([(5, Claimed(1)), (10, Started("i")), (30, Faltered(FAILURE, 50))], 100, 20),
        (
            [(5, Claimed(1)), (10, Started("i")), (30, Faltered(FAILURE, 50)), (50, Claimed(1)), (60, Started("i"))],
            100,
            40,
        ),
        ([(5, Claimed(1)), (10, Started("i")), (30, StopRequested())], 100, 90),
        ([(5, Claimed(1)), (10, Started("i")), (30, StopRequested()), (45, Ended())], 100, 35),
        ([(5, StopRequested()), (6, Ended())], 100, 0),
        ([(5, Claimed(1)), (10, Started("i"))], 7, 0),
    ],
)
def test_the_duration_is_that_of_the_last_attempt(steps: list[tuple[int, object]], now: int, expected: int) -> None:
    """From its Running to its end, or until now; a stop is over when it is proved."""
    task = task_after(*steps)

    assert last_attempt_duration(task.events, now * MS) == expected * MS
    assert task_object(task, FUNCTION, "r", now * MS)["durationMs"] == expected


def test_the_started_time_is_the_submission_until_it_runs() -> None:
    """Then it is the first start, and stays."""
    assert task_object(task_after(), FUNCTION, "r", 0)["startedTime"] == 1
    running = task_after((5, Claimed(1)), (10, Started("i")))
    assert task_object(running, FUNCTION, "r", 0)["startedTime"] == 10
    again = advance(advance(running, Faltered(FAILURE, 0), 20 * MS), Claimed(1), 30 * MS)
    assert task_object(advance(again, Started("j"), 40 * MS), FUNCTION, "r", 0)["startedTime"] == 10


def test_only_retries_of_function_errors_are_counted() -> None:
    """An attempt that was lost through our own fault is another budget."""
    lost = Failure(kind="UnhandledInvocationError", type="InstanceLost", message="", lost=True)
    task = task_after((5, Claimed(1)), (10, Started("i")), (20, Faltered(lost, 0)))

    assert task_object(task, FUNCTION, "r", 0)["alreadyRetriedTimes"] == 0
    assert Backoff().cap_seconds  # the wait is not part of the picture


def test_text_is_text_and_the_rest_is_base64() -> None:
    """The sibling field is there only when it is needed."""
    assert as_text("p", "é".encode()) == {"p": "é"}
    assert as_text("p", b"") == {"p": ""}
    assert as_text("p", b"\xff") == {"p": "/w==", "pEncoding": "base64"}


def test_times_are_rfc_3339_in_utc_to_the_millisecond() -> None:
    """Rounded down, as all our milliseconds are."""
    assert rfc3339(1_800_000_000_999_999) == "2027-01-15T08:00:00.999Z"
