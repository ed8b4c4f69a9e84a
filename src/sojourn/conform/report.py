"""What a run has come to, for people, for programs and for CI."""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree as ET

from .check import Check
from .run import Outcome, Result, Verdict
from .wire import Document

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML cannot hold."""


def summary(result: Result) -> str:
    """One line: how many checks there were and what came of them."""
    kept, differ, not_applicable = (result.count(outcome) for outcome in Outcome)
    return (
        f"{result.version}: {kept + differ} assertions, {kept} kept, {differ} differ, {not_applicable} not applicable "
        f"({result.requests} requests, {result.seconds:.0f} s)"
    )


def difference(verdict: Verdict, version: str) -> tuple[str, str, str, str]:
    """The cells of one difference: id, expected, seen, how the expectation was established."""
    return verdict.check.id, verdict.expected, verdict.seen, verdict.check.sources[version].value


def document(result: Result) -> Document:
    """A run as JSON."""
    return {
        "generation": result.version,
        "assertions": result.count(Outcome.KEPT) + result.count(Outcome.DIFFERS),
        "kept": result.count(Outcome.KEPT),
        "differ": result.count(Outcome.DIFFERS),
        "notApplicable": result.count(Outcome.NOT_APPLICABLE),
        "requests": result.requests,
        "seconds": round(result.seconds, 3),
        "left": result.left,
        "checks": [
            described(verdict.check, result.version)
            | {
                "outcome": verdict.outcome.value,
                "expected": verdict.expected,
                "seen": verdict.seen,
                "seconds": round(verdict.seconds, 3),
            }
            for verdict in result.verdicts
        ],
    }


def described(check: Check, version: str) -> Document:
    """A check as JSON."""
    source = check.sources.get(version)
    return {
        "id": check.id,
        "nouns": list(check.nouns),
        "behaviour": check.sentence,
        "source": source.value if source else "",
    }


def junit(results: Iterable[Result]) -> bytes:
    """JUnit XML: a suite for each generation, a case for each check."""
    root = ET.Element("testsuites", name="sojourn conform")
    for result in results:
        suite = ET.SubElement(
            root,
            "testsuite",
            name=result.version,
            tests=str(len(result.verdicts)),
            failures=str(result.count(Outcome.DIFFERS)),
            skipped=str(result.count(Outcome.NOT_APPLICABLE)),
            errors="0",
            time=f"{result.seconds:.3f}",
        )
        for verdict in result.verdicts:
            _case(suite, verdict, result.version)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text


def _case(suite: ET.Element, verdict: Verdict, version: str) -> None:
    classname = ".".join((version, *verdict.check.nouns))
    case = ET.SubElement(suite, "testcase", classname=classname, name=verdict.check.id, time=f"{verdict.seconds:.3f}")
    if verdict.outcome is Outcome.DIFFERS:
        message = _clean(f"expected {verdict.expected}; seen {verdict.seen}")
        failure = ET.SubElement(case, "failure", message=message, type=verdict.check.sources[version].value)
        failure.text = verdict.check.sentence
    elif verdict.outcome is Outcome.NOT_APPLICABLE:
        ET.SubElement(case, "skipped", message=_clean(verdict.seen))


def _clean(text: str) -> str:
    return _UNPRINTABLE.sub("\ufffd", text)
