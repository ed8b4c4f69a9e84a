"""The kit itself: its register, how it judges, and what it writes."""

from __future__ import annotations

import asyncio
import re
from xml.etree import ElementTree as ET

import pytest

from sojourn.client import Connection
from sojourn.conform import report
from sojourn.conform.check import ALL, CLASSIC, NEWEST, Check, Group
from sojourn.conform.checks import CHECKS
from sojourn.conform.expect import Differs, same
from sojourn.conform.generations import GENERATIONS, Function
from sojourn.conform.run import Outcome, Plan, Result, Unusable, Verdict, run
from sojourn.conform.site import Site
from sojourn.conform.source import DOCUMENTED, OUR_CHOICE, THIRD_PARTY
from sojourn.testing.local import LocalServer


def applying(version: str) -> list[Check]:
    """The checks that apply to a generation."""
    return [check for check in CHECKS if not check.missing(version, GENERATIONS[version].has)]


@pytest.mark.parametrize("version", ALL)
def test_every_generation_has_its_assertions(version: str) -> None:
    """There are more than 150 of each, retries, ages, delays, stops and the rest among them."""
    found = applying(version)

    assert len(found) >= 150
    assert {check.nouns[:2] for check in found} >= {
        ("task", noun) for noun in ("retry", "age", "delay", "stop", "deduplication", "history", "list", "record")
    }
    assert {check.nouns[0] for check in found} >= {
        "concurrency", "destination", "alias", "version", "trigger", "hook", "instance", "tag", "signature", "answer",
    }  # fmt: skip


def test_ids_are_nouns_and_a_claim() -> None:
    """An id is found once, and can be typed."""
    ids = [check.id for check in CHECKS]

    assert len(set(ids)) == len(ids)
    assert [each for each in ids if not re.fullmatch(r"[a-zA-Z]+(\.[a-zA-Z0-9]+)?\.[a-zA-Z0-9-]+", each)] == []


def test_every_sentence_is_one() -> None:
    """It begins as a sentence and says something."""
    assert [check.id for check in CHECKS if len(check.sentence) < 15 or check.sentence[0] in " a"] == []


def test_needs_are_operations_or_traits() -> None:
    """A misspelt need would make a check apply nowhere: each is had by some generation."""
    had = frozenset().union(*(each.has for each in GENERATIONS.values()))

    assert {need for check in CHECKS for need in check.needs} <= had
    anywhere = {check.id for version in ALL for check in applying(version)}
    assert [check.id for check in CHECKS if check.id not in anywhere] == []


def test_sources_may_differ_by_generation() -> None:
    """What third parties rely on in 2.0 can be a choice of ours in 3.0."""
    group = Group("a.b")

    @group(OUR_CHOICE, older=THIRD_PARTY)
    async def it_is_so(on: Site) -> None:
        """It is so."""

    (check,) = group.checks
    assert (check.id, check.sentence, check.nouns) == ("a.b.it-is-so", "It is so", ("a", "b"))
    assert check.origin == "our choice in 2023-03-30; third party in 2021-04-06; third party in 2016-08-15"


def test_a_path_has_its_parts() -> None:
    """A qualifier is in the path of the oldest generation, in the query of the others."""
    function = Function("s", "f")
    seen = {
        version: each.address(each.operations["invoke"].path, function, "prod") for version, each in GENERATIONS.items()
    }

    assert seen == {
        "2016-08-15": ("/2016-08-15/services/s.prod/functions/f/invocations", {}),
        "2021-04-06": ("/2021-04-06/services/s/functions/f/invocations", {"qualifier": "prod"}),
        "2023-03-30": ("/2023-03-30/functions/f/invocations", {"qualifier": "prod"}),
    }


def test_true_is_not_one() -> None:
    """An answer of another type is a difference."""
    with pytest.raises(Differs, match="expected n: 1, seen True"):
        same("n", 1, True)


def _check(name: str, look: object = None, **more: object) -> Check:
    group = Group("noun.other")
    group.add(name, f"The sentence of {name}", DOCUMENTED, look, **more)  # type: ignore[arg-type]  # more is of any kind
    return group.checks[0]


@pytest.fixture(scope="module")
def judged(local: LocalServer) -> dict[str, Verdict]:
    """What comes of checks that do all kinds of things."""

    async def keeps(on: Site) -> None:
        await on.sure("function.list", query={"limit": 1})

    async def differs(on: Site) -> None:
        same("the answer", 204, (await on.ask("function.list")).status)

    async def sleeps(_: Site) -> None:
        await asyncio.sleep(60)

    async def stumbles(_: Site) -> None:
        raise KeyError("field")

    checks = [
        _check("keeps", keeps),
        _check("differs", differs),
        _check("sleeps", sleeps, seconds_max=0.1),
        _check("stumbles", stumbles),
        _check("elsewhere", keeps, only=(CLASSIC,)),
        _check("lacking", keeps, needs=("services",)),
    ]
    result = asyncio.run(run(local.connection, GENERATIONS[NEWEST], checks, Plan()))
    return {verdict.check.id.rpartition(".")[2]: verdict for verdict in result.verdicts}


@pytest.mark.parametrize(
    ("name", "outcome", "expected", "seen"),
    [
        ("keeps", Outcome.KEPT, "", ""),
        ("differs", Outcome.DIFFERS, "the answer: 204", "200"),
        ("sleeps", Outcome.DIFFERS, "The sentence of sleeps", "nothing within 0 s"),
        ("stumbles", Outcome.DIFFERS, "The sentence of stumbles", "an answer of another shape (KeyError('field'))"),
        ("elsewhere", Outcome.NOT_APPLICABLE, "", "not said of 2023-03-30"),
        ("lacking", Outcome.NOT_APPLICABLE, "", "2023-03-30 has no services"),
    ],
)
def test_a_verdict(judged: dict[str, Verdict], name: str, outcome: Outcome, expected: str, seen: str) -> None:
    """A check that cannot be looked at differs; only the generation's own list makes one not applicable."""
    verdict = judged[name]

    assert (verdict.outcome, verdict.expected, verdict.seen) == (outcome, expected, seen)


def test_what_takes_too_long_differs(local: LocalServer) -> None:
    """The run has a bound; what is not done then is not passed over."""

    async def sleeps(_: Site) -> None:
        await asyncio.sleep(60)

    checks = [_check(f"sleeps-{number}", sleeps) for number in range(3)]
    plan = Plan(seconds_max=0.2, at_once=1)
    result = asyncio.run(run(local.connection, GENERATIONS[NEWEST], checks, plan))

    assert [verdict.outcome for verdict in result.verdicts] == [Outcome.DIFFERS] * 3


@pytest.mark.parametrize("key", [("unknown", "x"), None])
def test_an_endpoint_that_cannot_be_asked(local: LocalServer, key: tuple[str, str] | None) -> None:
    """A wrong key and a closed port are told at once, and nothing is made."""
    connection = Connection(local.endpoint, *key) if key else Connection("http://127.0.0.1:1", "k", "s")

    with pytest.raises(Unusable, match="InvalidAccessKeyID" if key else "cannot be asked"):
        asyncio.run(run(connection, GENERATIONS[NEWEST], CHECKS, Plan()))


def _result() -> Result:
    one, two, three = (_check(name) for name in ("kept", "bad", "none"))
    verdicts = [
        Verdict(one, Outcome.KEPT, seconds=0.5),
        Verdict(two, Outcome.DIFFERS, 'less < "more"', "\x00\ud800 & no", 1.0),
        Verdict(three, Outcome.NOT_APPLICABLE, seen="2023-03-30 has no services"),
    ]
    return Result(NEWEST, verdicts, [], 12, 3.4)


def test_the_summary_counts() -> None:
    """What is not applicable is no assertion."""
    assert report.summary(_result()) == (
        "2023-03-30: 2 assertions, 1 kept, 1 differ, 1 not applicable (12 requests, 3 s)"
    )


def test_junit_is_well_formed() -> None:
    """Whatever an endpoint says, the file can be read."""
    (suite,) = ET.fromstring(report.junit([_result()]))  # noqa: S314 - our own

    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    failure = suite.find("testcase[@name='noun.other.bad']/failure")
    assert failure is not None
    assert failure.get("message") == 'expected less < "more"; seen \ufffd\ufffd & no'
    assert failure.get("type") == "documented"


def test_json_tells_everything() -> None:
    """Counts, and every check with its source."""
    document = report.document(_result())

    assert (document["assertions"], document["kept"], document["differ"], document["notApplicable"]) == (2, 1, 1, 1)
    assert document["checks"][1] == {
        "id": "noun.other.bad",
        "nouns": ["noun", "other"],
        "behaviour": "The sentence of bad",
        "source": "documented",
        "outcome": "differs",
        "expected": 'less < "more"',
        "seen": "\x00\ud800 & no",
        "seconds": 1.0,
    }
