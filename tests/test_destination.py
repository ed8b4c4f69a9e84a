"""Records: what a target gets for each way a task can end, and what an answer of it leads to."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from sojourn import destination as d
from sojourn.destination import Deferred, Delivered, Delivery, DeliveryStatus, Refused
from sojourn.function import TASK_NAME, AsyncConfig, Destination, Destinations
from sojourn.identity import request_id
from sojourn.task import Aged, GaveUp, Status, Task, advance, submit
from task_samples import ERROR, FACTS, LOSS, NOW, PATHS, SECOND
from world import new_function

FUNCTION = msgspec.structs.replace(
    new_function("resize"),
    async_config=AsyncConfig(
        destination_config=Destinations(
            on_success=Destination(destination="http://good.example/"),
            on_failure=Destination(destination="http://bad.example/"),
        )
    ),
)
NEW = Task(id=77, account_id=FUNCTION.account_id, function_id=1, generation=1, payload=b'{"key": "v"}')


def ended(*path: Any) -> Task:
    """The task after these facts."""
    task = submit(NEW, NOW)
    for fact in path:
        task = advance(task, FACTS[fact] if isinstance(fact, str) else fact, NOW + SECOND)
    return task


def record(task: Task) -> dict[str, Any]:
    """What the target gets."""
    return dict(json.loads(d.record_of(task, FUNCTION, "cn-hangzhou")))


def test_a_record_is_the_documented_one() -> None:
    """All fields in their order, payloads as text, the time of the end in milliseconds."""
    text = d.record_of(ended("Claimed", "Started", "Returned"), FUNCTION, "cn-hangzhou").decode()

    assert text == (
        '{"timestamp":1800000001000,"requestContext":{"requestId":"' + request_id(77) + '",'
        '"functionArn":"acs:fc:cn-hangzhou:1234567890:functions/resize","condition":"","approximateInvokeCount":1},'
        '"requestPayload":"{\\"key\\": \\"v\\"}","responseContext":{"statusCode":200,"functionError":""},'
        '"responsePayload":"42"}'
    )


@pytest.mark.parametrize(("qualifier", "shown"), [("LATEST", "LATEST"), ("prod", "prod")])
def test_a_function_of_a_service_is_named_with_it(qualifier: str, shown: str) -> None:
    """Records of functions of 2.0 carry the ARN of 2.0, with the qualifier of the call."""
    task = msgspec.structs.replace(ended("Claimed", "Started", "Returned"), qualifier=qualifier)
    function = msgspec.structs.replace(FUNCTION, name="photos$resize")
    told = json.loads(d.record_of(task, function, "cn-hangzhou"))["requestContext"]["functionArn"]

    assert told == f"acs:fc:cn-hangzhou:1234567890:services/photos.{shown}/functions/resize"


REFUSAL = {"errorMessage": "the function was deleted", "errorType": "FunctionDeleted"}
NO = {"errorMessage": "no"}
STOPPED = {"errorMessage": "the task was stopped", "errorType": "StoppedByUser"}
AGED = {"errorMessage": "the task grew too old before it was started", "errorType": "EventAgeExceeded"}
LOST = GaveUp(msgspec.structs.replace(LOSS, document=b'{"errorMessage":"no"}'))
UNREADY = GaveUp(msgspec.structs.replace(ERROR, kind="InitializationError"))
ENDS: dict[str, tuple[tuple[Any, ...], str, int, str, int, object]] = {
    "an error of the function": (PATHS[Status.FAILED], "UnhandledInvocationError", 200, "InvocationError", 1, NO),
    "after a retry": (
        ("Claimed", "Started", "Faltered", "Claimed", "Started", "GaveUp"),
        "UnhandledInvocationError", 200, "InvocationError", 2, NO,
    ),
    "an error of the initializer": (
        ("Claimed", "Started", UNREADY), "InitializationError", 200, "InvocationError", 1, NO,
    ),
    "lost by our fault": (("Claimed", "Started", LOST), "InstanceLost", 500, "", 1, NO),
    "too old between attempts": (
        ("Claimed", "Started", "Faltered", "Claimed", Aged()), "EventAgeExceeded", 200, "InvocationError", 1, NO,
    ),
    "deleted between attempts": (
        ("Claimed", "Started", "Faltered", "Claimed", "Refused"), "FunctionDeleted", 500, "", 1, REFUSAL,
    ),
    "stopped before it ran": (PATHS[Status.STOPPED], "Stopped", 499, "", 0, STOPPED),
    "stopped while it ran": (("Claimed", "Started", "StopRequested", "Ended"), "Stopped", 499, "", 1, STOPPED),
    "stopped between attempts": (
        ("Claimed", "Started", "Faltered", "StopRequested", "Ended"), "Stopped", 499, "", 1, STOPPED,
    ),
    "too old": (PATHS[Status.EXPIRED], "Expired", 408, "", 0, AGED),
    "never startable": (PATHS[Status.INVALID], "Invalid", 412, "", 0, REFUSAL),
}  # fmt: skip


@pytest.mark.parametrize("end", ENDS)
def test_every_end_has_its_condition(end: str) -> None:
    """The condition says which, 200 is kept for what the function did itself."""
    path, condition, status, error, attempts, answer = ENDS[end]
    shown = record(ended(*path))

    assert shown["requestContext"]["condition"] == condition
    assert shown["responseContext"] == {"statusCode": status, "functionError": error}
    assert shown["requestContext"]["approximateInvokeCount"] == attempts
    assert json.loads(shown["responsePayload"]) == answer


def test_a_payload_that_is_no_text_is_base64_and_says_so() -> None:
    """Only then is there a field beside it."""
    task = msgspec.structs.replace(ended("Claimed", "Started", "Returned"), payload=b"\xff\x00", result=b"\xfe")
    shown = record(task)

    assert (shown["requestPayload"], shown["requestPayloadEncoding"]) == ("/wA=", "base64")
    assert (shown["responsePayload"], shown["responsePayloadEncoding"]) == ("/g==", "base64")


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED, Status.STOPPED, Status.EXPIRED, Status.INVALID])
def test_which_end_goes_where(status: Status) -> None:
    """`onSuccess` for one, `onFailure` for all others; nothing without a configuration."""
    task = ended(*PATHS[status])
    made = d.delivery_of(task, FUNCTION, NOW)

    assert made is not None
    assert made.target == ("http://good.example/" if status is Status.SUCCEEDED else "http://bad.example/")
    assert (made.task_id, made.account_id, made.due_at, made.status.value) == (77, task.account_id, NOW, "Pending")
    assert d.delivery_of(task, msgspec.structs.replace(FUNCTION, async_config=None), NOW) is None
    assert d.delivery_of(task, msgspec.structs.replace(FUNCTION, async_config=AsyncConfig()), NOW) is None


FRESH = Delivery(
    task_id=77, function_id=1, account_id="1", target="http://x/", due_at=NOW, created_at=NOW, begun_at=NOW
)


def test_waits_double_from_half_a_second_and_end_after_half_an_hour() -> None:
    """0.5, 1, 2 … 300 s; the last attempt is at the very end, and then it is given up."""
    delivery, waits = FRESH, []
    while not delivery.over:
        now = delivery.due_at
        delivery = d.attempted(delivery, Deferred("no"), now, 0.0, 1800.0)
        waits.append((delivery.due_at - now) / SECOND)

    assert waits[:10] == [0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert sum(waits[:-1]) == 1800
    assert (delivery.status, delivery.attempts, delivery.last_error) == (DeliveryStatus.FAILED, len(waits), "no")
    assert delivery.ended_at == NOW + 1800 * SECOND


def test_jitter_and_retry_after() -> None:
    """A fifth either way; a target's own wish is kept up to ten minutes."""
    assert d.attempted(FRESH, Deferred("no"), NOW, 1.0, 1800.0).due_at == NOW + 600_000
    assert d.attempted(FRESH, Deferred("no"), NOW, -1.0, 1800.0).due_at == NOW + 400_000
    assert d.attempted(FRESH, Deferred("no", 30.0), NOW, 0.0, 1800.0).due_at == NOW + 30 * SECOND
    assert d.attempted(FRESH, Deferred("no", 0.0), NOW, 0.0, 1800.0).due_at == NOW + SECOND // 2
    assert d.attempted(FRESH, Deferred("no", 1e9), NOW, 0.0, 1800.0).due_at == NOW + 600 * SECOND


def test_what_is_final() -> None:
    """A record that is taken, or refused, is over; every step is another epoch."""
    taken = d.attempted(FRESH, Delivered(), NOW + 1, 0.0, 1800.0)
    refused = d.attempted(FRESH, Refused("no" * 1000), NOW + 1, 0.0, 1800.0)

    assert (taken.status, taken.ended_at, taken.attempts, taken.epoch) == (DeliveryStatus.SUCCEEDED, NOW + 1, 1, 2)
    assert (refused.status, len(refused.last_error)) == (DeliveryStatus.FAILED, 500)
    again = d.resent(refused, NOW + 5)
    assert (again.status, again.round, again.attempts, again.epoch) == (DeliveryStatus.PENDING, 2, 0, 3)
    assert (again.due_at, again.begun_at, again.created_at, again.last_error) == (NOW + 5, NOW + 5, NOW, "")


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Delivered()),
        (204, Delivered()),
        (299, Delivered()),
        (301, Refused("the target answered 301, which is a redirect, and none is followed")),
        (307, Refused("the target answered 307, which is a redirect, and none is followed")),
        (400, Refused("the target answered 400, which is final")),
        (404, Refused("the target answered 404, which is final")),
        (410, Refused("the target answered 410, which is final")),
        (408, Deferred("the target answered 408", 7.0)),
        (425, Deferred("the target answered 425", 7.0)),
        (429, Deferred("the target answered 429", 7.0)),
        (500, Deferred("the target answered 500", 7.0)),
        (503, Deferred("the target answered 503", 7.0)),
    ],
)
def test_what_a_status_means(status: int, verdict: d.Verdict) -> None:
    """As the table of the documentation has it."""
    assert d.verdict_of(status, "7", NOW) == verdict


def test_retry_after() -> None:
    """Seconds, or a date; nonsense is no wish."""
    assert d.retry_after_seconds("120", NOW) == 120
    assert d.retry_after_seconds("Fri, 15 Jan 2027 08:00:30 GMT", NOW) == 30
    assert d.retry_after_seconds("Fri, 15 Jan 2021 08:00:30 GMT", NOW) == 0
    for nonsense in (None, "", "soon", "-1", "1.5", "Fri, 99 Jan 2027 08:00:30 GMT"):
        assert d.retry_after_seconds(nonsense, NOW) is None


def test_derived_names() -> None:
    """They can be task ids, differ by round, and count the functions that came before."""
    task = ended("Claimed", "Started", "Returned")
    name = d.derived_name(task, FRESH)
    again = d.derived_name(task, d.resent(FRESH, NOW))

    assert name == f"destination-1-{request_id(77)}"
    assert again == f"{name}-2"
    for made in (name, again):
        assert TASK_NAME.fullmatch(made)
        after = msgspec.structs.replace(task, id=78, name=made)
        assert d.hops(after) == 1
        assert d.derived_name(after, FRESH) == f"destination-2-{request_id(78)}"
    assert d.hops(task) == d.hops(msgspec.structs.replace(task, name="destination-x")) == 0
