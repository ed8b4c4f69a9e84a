"""The kit notices: before an endpoint that does one thing wrong, the assertions about that thing differ."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from conform.crooked import Crooked, Message, reply, served
from sojourn.client import Connection
from sojourn.conform.checks import CHECKS
from sojourn.conform.generations import GENERATIONS
from sojourn.conform.run import Outcome, Plan, run
from sojourn.testing.deployer import HERE
from sojourn.testing.local import LocalServer

NEWEST = GENERATIONS["2023-03-30"]
PATIENCE_SECONDS = 8.0
AT_ONCE = 7
"""How many crooked endpoints are looked at beside each other: most of it is waiting."""


def _is(message: Message, method: str, end: str) -> bool:
    return message.method == method and message.path.endswith(end)


def _configured(**forced: object) -> Crooked:
    """Asynchronous configurations are kept with something else in them."""

    def asked(message: Message) -> None:
        if _is(message, "PUT", "/async-invoke-config"):
            message.becomes({**message.document, **forced})

    return Crooked(asked=asked)


def _without_delay(message: Message) -> None:
    message.headers.pop("x-fc-async-delay", None)


def _every_submit_is_taken(message: Message) -> None:
    if message.status == 409 and _is(message, "POST", "/invocations"):
        message.status, message.body = 202, b""
        message.headers.pop("content-type", None)


def _stop_does_nothing(message: Message) -> Message | None:
    return reply(message, 204) if _is(message, "PUT", "/stop") else None


def _caps_do_nothing(message: Message) -> Message | None:
    return reply(message, 200, message.document) if _is(message, "PUT", "/concurrency") else None


def _everybody_is_let_in(message: Message) -> None:
    message.signed = True


def _filters_do_nothing(message: Message) -> None:
    if _is(message, "GET", "/async-tasks"):
        message.query = ""


def _history_is_shuffled(message: Message) -> None:
    if message.method == "GET" and "/async-tasks/" in message.path and message.status == 200:
        document = message.document
        events = document["events"]
        assert isinstance(events, list)
        document["events"] = events[::-1]
        message.becomes(document)


def _errors_have_no_code(message: Message) -> None:
    if message.status >= 400:
        message.becomes({"Message": message.document.get("Message")})


def _results_are_wrapped(message: Message) -> None:
    if _is(message, "POST", "/invocations") and message.status == 200:
        message.body = b'{"result": ' + message.body + b"}"


CASES: dict[str, tuple[Crooked, tuple[str, ...], tuple[str, ...]]] = {
    "it never tries again": (
        _configured(maxAsyncRetryAttempts=0),
        ("task.retry.attempts-are-one-more-than-retries", "task.retry.counted", "task.retry.success-ends-it"),
        ("task.retry.none-is-none", "task.submit.the-answer-is-202"),
    ),
    "it tries too often": (
        _configured(maxAsyncRetryAttempts=3),
        ("task.retry.attempts-are-one-more-than-retries", "task.retry.none-is-none"),
        ("task.submit.the-answer-is-202",),
    ),
    "it never expires": (
        _configured(maxAsyncEventAgeInSeconds=3600),
        ("task.age.over-it-is-expired", "task.age.the-delay-counts"),
        ("task.age.in-time-is-not-expired",),
    ),
    "it does not wait": (
        Crooked(asked=_without_delay),
        ("task.delay.it-is-enqueued-meanwhile", "task.delay.others-do-not-wait"),
        ("task.submit.the-answer-is-202",),
    ),
    "it takes an id twice": (
        Crooked(answered=_every_submit_is_taken),
        ("task.deduplication.the-second-is-409", "task.deduplication.of-many-at-once-one-is-taken"),
        ("task.deduplication.the-first-stays", "task.submit.the-answer-is-202"),
    ),
    "it does not stop": (
        Crooked(swallow=_stop_does_nothing),
        ("task.stop.running-ends-stopped", "task.stop.delayed-ends-stopped", "task.stop.succeeded-is-refused"),
        ("task.stop.others-go-on",),
    ),
    "it does not bound": (
        Crooked(swallow=_caps_do_nothing),
        ("concurrency.none-lets-no-call-in", "concurrency.over-it-a-call-is-refused"),
        ("concurrency.put-answers-with-it",),
    ),
    "it delivers nothing": (
        _configured(destinationConfig={}),
        ("destination.a-success-is-told", "destination.a-failure-is-told", "destination.record.its-fields-are-these"),
        ("task.retry.counted",),
    ),
    "it lets everybody in": (
        Crooked(asked=_everybody_is_let_in),
        (
            "signature.another-secret-is-refused",
            "signature.without-one-it-is-refused",
            "signature.the-body",
            "signature.the-query",
            "signature.long-ago",
            "signature.a-second-time-is-refused",
        ),
        ("signature.a-right-one-is-taken",),
    ),
    "it does not filter": (
        Crooked(asked=_filters_do_nothing),
        ("task.list.a-prefix-narrows-it", "task.list.ascending", "task.list.a-limit-is-kept", "task.list.up-to-a-time"),
        ("task.list.all-are-there",),
    ),
    "its history goes backwards": (
        Crooked(answered=_history_is_shuffled),
        ("task.history.a-success-passes-four", "task.history.a-failure-passes-four"),
        ("task.record.the-payload-is-told",),
    ),
    "its errors say nothing": (
        Crooked(answered=_errors_have_no_code),
        (
            "answer.error.code-and-message-are-there",
            "answer.error.the-request-id-is-in-it",
            "function.an-unknown-one-is-not-found",
        ),
        ("answer.a-success-names-its-request",),
    ),
    "it wraps results": (
        Crooked(answered=_results_are_wrapped),
        ("invocation.the-answer-is-the-result", "invocation.text-comes-back", "invocation.context.memory"),
        ("invocation.header.instance-id",),
    ),
}


async def outcomes(upstream: Connection, crooked: Crooked, ids: Iterable[str], plan: Plan) -> dict[str, str]:
    """What the kit says of a crooked endpoint, by id."""
    checks = [check for check in CHECKS if check.id in set(ids)]
    assert {check.id for check in checks} == set(ids)
    with served(upstream, crooked) as connection:
        result = await run(connection, NEWEST, checks, plan)
    return {verdict.check.id: verdict.outcome.value for verdict in result.verdicts}


@pytest.fixture(scope="module")
def seen(local: LocalServer) -> dict[str, dict[str, str]]:
    """What the kit says of every crooked endpoint."""
    plan, gate = Plan(runtime=HERE, patience_seconds=PATIENCE_SECONDS), asyncio.Semaphore(AT_ONCE)

    async def one(case: str) -> tuple[str, dict[str, str]]:
        crooked, wrong, right = CASES[case]
        async with gate:
            return case, await outcomes(local.connection, crooked, [*wrong, *right], plan)

    async def every() -> dict[str, dict[str, str]]:
        return dict(await asyncio.gather(*map(one, CASES)))

    return asyncio.run(every())


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_differs(seen: dict[str, dict[str, str]], case: str) -> None:
    """Those assertions, and not the ones that have nothing to do with it."""
    _, wrong, right = CASES[case]

    assert seen[case] == dict.fromkeys(wrong, Outcome.DIFFERS.value) | dict.fromkeys(right, Outcome.KEPT.value)
