"""The verdict on a run: every invariant that one node can break, by name, and whether there is evidence at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import msgspec

from . import demands, histories, progress, running
from .evidence import Evidence
from .histories import Found
from .phases import PHASES

CHECKS: Mapping[str, tuple[Callable[[Evidence], Found], str]] = {
    "I1": (histories.no_loss, "answers to submits against the store's rows"),
    "I2": (histories.one_terminal, "terminal events of the rows, statuses that clients saw"),
    "I3": (histories.legal_path, "events of the rows, histories that clients saw"),
    "I4": (histories.monotone, "numbers and stamps of the rows' events"),
    "I5": (histories.durable_first, "the journal's begins against the events Running"),
    "I6": (running.one_alive, "the journal's words, against each other and the ending events"),
    "I7": (histories.stop_wins, "answers to stops against the rows and the journal"),
    "I8": (histories.attempts_counted, "the journal's attempts against the rows' counters"),
    "I9": (histories.one_of_a_name, "names of the rows, answers to submits"),
    "I10": (running.within_limit, "the journal and the events Running of the limited function"),
    "I11": (histories.expiry, "the journal, ages and ends of the rows"),
    "I12": (histories.deleted, "answers to deletes, labels of the code in the journal, events Running"),
    "I13": (histories.delivered, "what came to the webhook against the rows"),
    "I14": (histories.results_bound, "digests that clients sent, results in the lists, the journal's ends"),
    "I15": (running.nothing_left, "/proc after every death of a server and in the end, control groups"),
    "I16": (progress.all_over, "the rows in the end, the lives of the server"),
    "I17": (progress.recovers, "times of the kills against the next events of what they hit"),
    "I18": (progress.stops_end, "events Stopping and Stopped"),
    "I19": (progress.bounded, "samples of the server's process, status codes"),
}
"""Each invariant with its check and its evidence."""
SEVERAL_NODES = (
    "I5 and I6 as far as a second living node writes or re-leases, I10 across nodes, I17 as take-over by another node"
)
"""What cannot be judged here until there are several nodes."""
SHOWN_EACH = 5


class Violation(msgspec.Struct, frozen=True):
    """What breaks an invariant, with the request that shows it, "" for none."""

    invariant: str
    text: str
    request: str = ""

    def __str__(self) -> str:
        return f"{self.invariant} {self.request}{': ' if self.request else ''}{self.text}"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to: what it broke, and what it lacked to be believed."""

    violations: tuple[Violation, ...]
    missing: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is broken and there is evidence for that."""
        return not self.violations and not self.missing

    def count(self, invariant: str) -> int:
        """How often an invariant was broken."""
        return sum(one.invariant == invariant for one in self.violations)


def check(evidence: Evidence) -> Verdict:
    """Judge a run."""
    found = [Violation(name, text, request) for name, (look, _) in CHECKS.items() for text, request in look(evidence)]
    for text in evidence.violations:
        name, _, rest = text.partition(" ")
        found.append(Violation(name, f"sojourn verify: {rest}"))
    return Verdict(violations=tuple(found), missing=tuple(demands.missing(evidence)))


def line(evidence: Evidence, verdict: Verdict) -> str:
    """The summary."""
    times = [seconds for _, seconds in progress.recoveries(evidence)]
    return (
        f"chaos: {len(evidence.tasks):,} tasks, {len(evidence.kills()):,} kills, {verdict.count('I1')} lost, "
        f"{verdict.count('I2')} double terminal, {verdict.count('I6')} overlaps, {verdict.count('I15')} orphans, "
        f"recovery p99 {progress.percentile(times, 0.99):.1f} s"
    )


def details(evidence: Evidence, verdict: Verdict) -> list[str]:
    """What is wrong, the history of each task that shows it beside what the journal says; what is lacking."""
    told: list[str] = []
    shown: Counter[str] = Counter()
    for violation in verdict.violations:
        shown[violation.invariant] += 1
        if shown[violation.invariant] <= SHOWN_EACH:
            told.append(str(violation))
            told += [f"    {each}" for each in _story(evidence, violation.request)]
    told += [f"{name}: {count - SHOWN_EACH} more" for name, count in shown.items() if count > SHOWN_EACH]
    return told + [f"no evidence: {each}" for each in verdict.missing]


def _story(evidence: Evidence, request: str) -> list[str]:
    """Events, words and faults around a task, in their order."""
    moments = evidence.moments.get(request)
    if not moments:
        return []
    lines = [(moment.at, f"event {moment.status} {moment.detail}") for moment in moments]
    words = [word for word in evidence.words if word.request == request and word.word != "beat"]
    lines += [(word.at, f"journal {word.word} of attempt {word.attempt} in {word.instance}") for word in words]
    for attempt in evidence.attempts.get(request, ()):
        lines.append((attempt.last, f"journal the last word of attempt {attempt.number}"))
    first, last = moments[0].at, moments[-1].at
    near = [one for one in evidence.faults if first - 500_000 <= one.at <= last + 500_000]
    lines += [(one.at, f"fault {one.kind} until +{(one.until - one.at) / 1e6:.3f} s") for one in near]
    return [f"{(at - first) / 1e6:+9.4f} s {text}" for at, text in sorted(lines)]


def summary(evidence: Evidence) -> list[str]:
    """Figures to compare with other runs."""
    kinds = Counter(fault.kind for fault in evidence.faults)
    statuses = Counter(task.status.value for task in evidence.tasks)
    met = demands.phases(evidence)
    slow = sorted(progress.recoveries(evidence), key=lambda one: -one[1])[:3]
    return [
        "faults: " + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())),
        "phases met: " + ", ".join(f"{met[phase]} {phase}" for phase in PHASES),
        "statuses: " + ", ".join(f"{count:,} {status}" for status, count in sorted(statuses.items())),
        "slowest recoveries: " + ", ".join(f"{seconds:.1f} s after {kill.kind}" for kill, seconds in slow),
    ]
