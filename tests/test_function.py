"""What a caller may configure: each bound from both sides, and messages that name field, value and bound."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sojourn import configuration as c
from sojourn import function as f
from sojourn.errors import InvalidArgument, QualifierNotFound

MINIMAL: dict[str, object] = {"runtime": "python3.12", "handler": "index.handler"}


def config(**fields: object) -> f.Config:
    return c.new_config(MINIMAL | fields)


def refused(field: str, *words: str, **fields: object) -> None:
    """A creation with `fields` is refused because of `field`, and the message holds `words`."""
    with pytest.raises(InvalidArgument) as raised:
        config(**fields)

    assert raised.value.field == field
    for word in words:
        assert word in raised.value.message


def test_a_minimal_function_gets_the_documented_defaults() -> None:
    """512 MB, 3 seconds, 512 MB of disk, one call at a time, network wanted."""
    made = config()

    assert (made.memory_size, made.timeout, made.disk_size, made.instance_concurrency) == (512, 3, 512, 1)
    assert (made.cpu, made.internet_access, made.environment_variables, made.tags) == (None, True, {}, [])


@pytest.mark.parametrize("missing", ["runtime", "handler"])
def test_what_has_no_default_must_be_given(missing: str) -> None:
    """A function without it cannot run."""
    with pytest.raises(InvalidArgument, match=missing):
        c.new_config({name: value for name, value in MINIMAL.items() if name != missing})


@pytest.mark.parametrize(
    ("field", "attribute", "good"),
    [
        ("memorySize", "memory_size", [128, 192, 32768]),
        ("timeout", "timeout", [1, 3, 86400]),
        ("diskSize", "disk_size", [512, 10240]),
        ("instanceConcurrency", "instance_concurrency", [1]),
        ("description", "description", ["", "words", "x" * 256]),
        ("internetAccess", "internet_access", [True, False]),
        ("handler", "handler", ["index.handler", "a.b.c", "src/main.run", "_x._y"]),
        ("environmentVariables", "environment_variables", [{}, {"A": "1", "b_2": ""}, {"K": "x" * 4095}]),
        ("tags", "tags", [[], [{"key": "k", "value": "v"}]]),
    ],
)
def test_values_within_their_bounds_are_kept(field: str, attribute: str, good: list[Any]) -> None:
    """Edges included."""
    for value in good:
        assert getattr(config(**{field: value}), attribute) == value


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("memorySize", 127, "between 128 and 32768 MB, got 127"),
        ("memorySize", 32832, "between 128 and 32768 MB"),
        ("memorySize", 130, "a multiple of 64 MB"),
        ("memorySize", "512", "a whole number"),
        ("memorySize", 512.0, "a whole number"),
        ("memorySize", True, "a whole number"),
        ("timeout", 0, "between 1 and 86400 seconds, got 0"),
        ("timeout", 86401, "between 1 and 86400 seconds"),
        ("timeout", -1, "between 1 and 86400 seconds"),
        ("timeout", 10**30, "between 1 and 86400 seconds"),
        ("cpu", 0.0, "between 0.05 and 16.0 vCPU"),
        ("cpu", 16.05, "between 0.05 and 16.0 vCPU"),
        ("cpu", 0.33, "a multiple of 0.05"),
        ("cpu", float("nan"), "between 0.05 and 16.0 vCPU"),
        ("cpu", "1", "a number"),
        ("cpu", True, "a number"),
        ("diskSize", 1024, "one of (512, 10240) MB"),
        ("diskSize", "512", "one of (512, 10240) MB"),
        ("instanceConcurrency", 2, "must be 1 with runtime python3.12"),
        ("internetAccess", "no", "true or false"),
        ("description", "x" * 257, "at most 256 characters"),
        ("description", 1, "text"),
        ("runtime", 3, "text"),
        ("runtime", "x" * 65, "at most 64 characters"),
        ("handler", "handler", "module.function"),
        ("handler", "index.", "module.function"),
        ("handler", "index.handler;rm", "module.function"),
        ("handler", "../x.y", "module.function"),
        ("handler", 5, "module.function"),
        ("environmentVariables", [], "an object"),
        ("environmentVariables", {"K": 1}, "a string"),
        ("environmentVariables", {"K": "\0"}, "NUL"),
        ("environmentVariables", {"1K": "v"}, "named by a letter"),
        ("environmentVariables", {"K-1": "v"}, "named by a letter"),
        ("environmentVariables", {"": "v"}, "named by a letter"),
        ("environmentVariables", {"FC_X": "v"}, "must not start with FC_"),
        ("environmentVariables", {"K": "x" * 4096}, "at most 4096 bytes"),
        ("tags", {}, "a list"),
        ("tags", [{}], "key and value"),
        ("tags", ["k"], "key and value"),
        ("tags", [{"key": "k", "other": "v"}], "key and value"),
        ("tags", [{"key": f"k{n}"} for n in range(21)], "at most 20 tags"),
        ("layers", ["arn"], "is not supported"),
        ("vpcConfig", {"vpcId": "v"}, "is not supported"),
        ("memorysize", 512, "is not supported"),
    ],
)
def test_values_outside_their_bounds_are_refused(field: str, value: object, words: str) -> None:
    """The message names the field, shows the value and says the bound."""
    with pytest.raises(InvalidArgument) as raised:
        config(**{field: value})

    assert raised.value.field.partition(".")[0] == field
    assert words in raised.value.message


def test_a_variable_is_named_in_the_error() -> None:
    """Which of many it was can be seen."""
    refused("environmentVariables.FC_X", "reserved", environmentVariables={"OK": "1", "FC_X": "2"})


@pytest.mark.parametrize("cpu", [0.25, 0.5, 1, 1.0])
def test_cpu_and_memory_go_together(cpu: float) -> None:
    """Between 1:4 and 1:1 of vCPU to GB."""
    assert config(memorySize=1024, cpu=cpu).cpu == cpu


@pytest.mark.parametrize("cpu", [0.2, 1.05])
def test_cpu_out_of_proportion_is_refused(cpu: float) -> None:
    """The message says what the memory allows."""
    refused("cpu", "between 1:4 and 1:1 of memorySize (1 GB)", memorySize=1024, cpu=cpu)


def test_null_means_not_given() -> None:
    """Clients in Go send every field they do not set as null."""
    made = config(memorySize=None, timeout=None, environmentVariables=None, layers=None, cpu=None)

    assert made == config()


def test_what_is_not_supported_may_be_empty() -> None:
    """Clients send empty lists and objects of features that nobody uses."""
    assert config(layers=[], vpcConfig={}, role="", disableOndemand=False) == config()


def test_tags_are_spelled_with_either_case() -> None:
    """`Key` and `key` are the same field of different client generations."""
    assert config(tags=[{"Key": "a", "Value": "b"}, {"key": "c"}]).tags == [
        {"key": "a", "value": "b"},
        {"key": "c", "value": ""},
    ]


def test_a_change_keeps_what_it_does_not_give() -> None:
    """Update: absent and null keep their value; the result is checked as a whole."""
    before = config(memorySize=1024, cpu=0.5, description="words")
    after = c.changed_config(before, {"timeout": 9, "description": None})

    assert after == msgspec.structs.replace(before, timeout=9)
    with pytest.raises(InvalidArgument, match="cpu"):
        c.changed_config(before, {"memorySize": 4096})
    assert before == config(memorySize=1024, cpu=0.5, description="words")


@pytest.mark.parametrize("name", ["a", "_a", "A-1_b", "x" * 64])
def test_function_names_that_are_fine(name: str) -> None:
    """Letters, digits, `_`, `-`; 64 of them."""
    assert f.check_function_name(name) == name


@pytest.mark.parametrize("name", ["", "1a", "-a", "a.b", "a b", "a/b", "é", "x" * 65, "a\n", None, 5])
def test_function_names_that_are_not(name: object) -> None:
    """The rule is told."""
    with pytest.raises(InvalidArgument, match="functionName must start with a letter or '_' and hold at most 64"):
        f.check_function_name(name)


@pytest.mark.parametrize("name", ["a", "_a", "A-1_b", "x" * 128])
def test_task_ids_that_are_fine(name: str) -> None:
    """Letters, digits, `_`, `-`; 128 of them."""
    assert f.check_task_name(name) == name


@pytest.mark.parametrize("name", ["", "1a", "-a", "a.b", "x" * 129, "a\n", None])
def test_task_ids_that_are_not(name: object) -> None:
    """The header is named as the caller spelled it."""
    with pytest.raises(
        InvalidArgument, match="x-fc-async-task-id must start with a letter or '_' and hold at most 128"
    ):
        f.check_task_name(name)


@pytest.mark.parametrize(
    ("account_id", "good"), [("1234", True), ("acme-1_x", True), ("-a", False), ("", False), ("..", False)]
)
def test_account_ids(account_id: str, *, good: bool) -> None:
    """They become directories: nothing that leads elsewhere."""
    if good:
        assert f.check_account_id(account_id) == account_id
    else:
        with pytest.raises(InvalidArgument, match="accountId"):
            f.check_account_id(account_id)


@pytest.mark.parametrize("qualifier", [None, "", "LATEST"])
def test_no_qualifier_and_latest_are_the_same(qualifier: str | None) -> None:
    """There are no other versions."""
    assert f.check_qualifier("f", qualifier) == "LATEST"


@pytest.mark.parametrize("qualifier", ["1", "latest", "prod"])
def test_another_qualifier_is_not_found(qualifier: str) -> None:
    """The message names function and qualifier."""
    with pytest.raises(QualifierNotFound, match=f"'{qualifier}' of function 'f'"):
        f.check_qualifier("f", qualifier)


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("3600", 3600), ("007", 7)])
def test_digits_within_bounds(text: str, value: int) -> None:
    """A header's number."""
    assert f.check_digits("x-fc-async-delay", text, f.DELAY_SECONDS_BOUNDS, "seconds") == value


@pytest.mark.parametrize("text", ["", "-1", "3601", "1.5", "1e3", " 1", "1\n", "0x1", "٣", "9" * 40, "abc"])
def test_digits_outside_bounds(text: str) -> None:
    """The message is the same for a wrong number and for no number."""
    with pytest.raises(InvalidArgument, match="x-fc-async-delay must be a whole number between 0 and 3600 seconds"):
        f.check_digits("x-fc-async-delay", text, f.DELAY_SECONDS_BOUNDS, "seconds")


def test_a_first_async_config_begins_with_the_defaults() -> None:
    """3 retries, one day; what is given replaces it."""
    made = c.changed_async_config(None, {"maxAsyncRetryAttempts": 0, "maxAsyncEventAgeInSeconds": None}, now=7)

    assert (made.max_async_retry_attempts, made.max_async_event_age_in_seconds) == (0, 86_400)
    assert (made.created_at, made.modified_at, made.async_task) == (7, 7, True)


def test_a_later_async_config_keeps_what_is_not_given() -> None:
    """Partial update, and only the time of change moves."""
    before = c.changed_async_config(None, {"maxAsyncRetryAttempts": 8}, now=7)
    after = c.changed_async_config(before, {"maxAsyncEventAgeInSeconds": 1, "asyncTask": False}, now=9)

    assert (after.max_async_retry_attempts, after.max_async_event_age_in_seconds, after.async_task) == (8, 1, False)
    assert (after.created_at, after.modified_at) == (7, 9)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("maxAsyncRetryAttempts", -1, "between 0 and 8"),
        ("maxAsyncRetryAttempts", 9, "between 0 and 8"),
        ("maxAsyncRetryAttempts", "3", "a whole number"),
        ("maxAsyncEventAgeInSeconds", 0, "between 1 and 604800 seconds"),
        ("maxAsyncEventAgeInSeconds", 604_801, "between 1 and 604800 seconds"),
        ("retryIntervalSeconds", -1, "between 0 and 86400 seconds"),
        ("retryIntervalMaxSeconds", 86_401, "between 0 and 86400 seconds"),
        ("queueWeight", 0, "between 1 and 100"),
        ("asyncTask", "true", "true or false"),
        ("destinationConfig", "arn", "must be an object of onSuccess and onFailure"),
        ("nonsense", 1, "is not supported"),
    ],
)
def test_async_config_outside_its_bounds(field: str, value: object, words: str) -> None:
    """Each field says its own bound."""
    with pytest.raises(InvalidArgument) as raised:
        c.changed_async_config(None, {field: value}, now=1)

    assert raised.value.field == field
    assert words in raised.value.message


def test_the_longest_wait_is_not_shorter_than_the_first() -> None:
    """Whichever of the two comes later; equal is a constant wait."""
    first = c.changed_async_config(None, {"retryIntervalSeconds": 10}, now=1)
    with pytest.raises(InvalidArgument, match=r"retryIntervalMaxSeconds must be at least retryIntervalSeconds \(10\)"):
        c.changed_async_config(first, {"retryIntervalMaxSeconds": 9}, now=2)
    both = c.changed_async_config(first, {"retryIntervalMaxSeconds": 10}, now=2)

    assert (both.retry_interval_seconds, both.retry_interval_max_seconds) == (10, 10)


@pytest.mark.parametrize("value", [0, 1, 100_000])
def test_reserved_concurrency_within_its_bounds(value: int) -> None:
    """0 is a bound too: it lets nothing run."""
    assert c.check_reserved_concurrency({"reservedConcurrency": value}) == value


@pytest.mark.parametrize("value", [-1, 100_001, "1", None, True])
def test_reserved_concurrency_outside_its_bounds(value: object) -> None:
    """It must be given, and be a number."""
    with pytest.raises(InvalidArgument, match="reservedConcurrency must be a whole number between 0 and 100000"):
        c.check_reserved_concurrency({"reservedConcurrency": value})


def test_an_arn_is_spelled_as_function_compute_spells_it() -> None:
    """Region, account, function."""
    assert f.arn("1234", "census", "local") == "acs:fc:local:1234:functions/census"
