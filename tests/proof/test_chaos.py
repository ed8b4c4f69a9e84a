"""Chaos: the checker notices each broken promise, believes nothing without evidence, and a short real run is sound."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from proof.chaos import part
from proof.chaos.checker import CHECKS, check, details, line
from proof.chaos.evidence import Body, Evidence
from proof.chaos.journal import BEAT, BEGIN, words_of
from proof.chaos.nemesis import KILLS, OTHERS, planned
from proof.chaos.phases import PHASES
from proof.chaos.progress import percentile, recoveries
from proof.chaos.records import ABSENT, YES, Call, Fault, Receipt
from proof.chaos.run import Plan

from proof.chaos_evidence import OFFSET, SECOND, changed, life, sound
from sojourn import identity
from sojourn.task import Status

ROOT = Path(__file__).resolve().parents[2]
Plant = Callable[[Evidence], None]


def request(evidence: Evidence, name: str) -> str:
    """The request id of the task called `name`."""
    return next(identity.request_id(task.id) for task in evidence.tasks if task.name == name)


def drop(evidence: Evidence, name: str) -> None:
    """Take a task out of the store."""
    evidence.tasks[:] = [task for task in evidence.tasks if task.name != name]


def rewrite(evidence: Evidence, name: str, statuses: str, stamps: tuple[float, ...]) -> None:
    """Give a task another history, with its status after it."""
    from sojourn.history import append_event  # noqa: PLC0415 - only here

    history = b""
    for status, at in zip(statuses.split(), stamps, strict=True):
        history = append_event(history, status, OFFSET + int(at * SECOND))
    changed(evidence, name, history=history, status=Status(statuses.rsplit(maxsplit=1)[-1]))


def speak(evidence: Evidence, name: str, word: str, at: float, *, attempt: int = 1, instance: str = "") -> None:
    """Another word of a task in the journal."""
    text = f"{request(evidence, name)} {attempt} {instance or f'c{attempt}'} plain/g1.u1 1 {word} {int(at * 1e9)}\n"
    evidence.words.extend(words_of(text))


def ask(evidence: Evidence, verb: str, function: str, name: str, **more: object) -> None:
    """Another call."""
    known: dict[str, object] = {"began": 0, "ended": 0, "answer": YES}
    evidence.calls.append(Call(verb=verb, function=function, task=name, **(known | more)))  # type: ignore[arg-type]  # passed on


def relabel(evidence: Evidence) -> None:
    """The deleted generation's task ran the next one's code."""
    evidence.tasks.append(msgspec.structs.replace(evidence.tasks[4], id=77, name="t77"))
    evidence.bodies[identity.request_id(77)] = Body("d", '{"request": "", "attempt": 1, "digest": ""}')
    speak(evidence, "t77", BEGIN, 4.2)
    evidence.words[-1] = msgspec.structs.replace(evidence.words[-1], label="churned/g2.u1")


def slow_recovery(evidence: Evidence) -> None:
    """Nothing goes on for long after a kill."""
    evidence.faults[:] = [one for one in evidence.faults if not 20 * SECOND < one.at < 23 * SECOND]
    evidence.faults.append(Fault(kind="kill-server", at=17 * SECOND, until=17 * SECOND, pid=1))


def too_many_leases(evidence: Evidence) -> None:
    """A third task of a function that two may run at a time."""
    for number in (81, 82):
        evidence.tasks.append(msgspec.structs.replace(evidence.tasks[1], id=number, name=f"t{number}"))


def early_delete(evidence: Evidence) -> None:
    """A delete was acknowledged before a task of its generation started."""
    place = next(number for number, call in enumerate(evidence.calls) if call.verb == "delete")
    evidence.calls[place] = msgspec.structs.replace(evidence.calls[place], answer=ABSENT, ended=int(4.05 * SECOND))


def refused(evidence: Evidence) -> None:
    """A task is Invalid because of a fault of ours."""
    place = next(number for number, task in enumerate(evidence.tasks) if task.status is Status.INVALID)
    task = evidence.tasks[place]
    changed(evidence, task.name or "", history=task.history.replace(b"FunctionDeleted", b"RuntimeMissing "))


PLANTS: tuple[tuple[str, str, Plant], ...] = (
    ("I1", "an acknowledged task that is not there", lambda run: drop(run, "t1")),
    ("I1", "a task that nobody asked for", lambda run: run.calls.__delitem__(0)),
    ("I1", "a task that never ended", lambda run: rewrite(run, "t1", "Enqueued Dequeued", (1.0, 1.0))),
    (
        "I2",
        "two terminal events",
        lambda run: rewrite(run, "t1", "Enqueued Dequeued Running Failed Succeeded", (1, 1, 1.1, 1.5, 1.6)),
    ),
    ("I2", "a terminal status that changed", lambda run: ask(run, "look", "plain", "t1", told=[("Failed", 0)])),
    ("I3", "a step that is in no table", lambda run: rewrite(run, "t1", "Enqueued Running Succeeded", (1, 1.1, 1.6))),
    ("I3", "a history that forgot its beginning", lambda run: ask(run, "look", "plain", "t1", told=[("Enqueued", 7)])),
    (
        "I4",
        "stamps that step back",
        lambda run: rewrite(run, "t1", "Enqueued Dequeued Running Succeeded", (1, 1, 1.7, 1.6)),
    ),
    ("I5", "user code before its Running", lambda run: speak(run, "t1", BEGIN, 1.0)),
    ("I6", "two attempts at a time", lambda run: speak(run, "t8", BEAT, 14.3)),
    ("I6", "a word after the end of its attempt", lambda run: speak(run, "t1", BEAT, 1.8)),
    ("I7", "a stop that lost", lambda run: ask(run, "stop", "plain", "t1")),
    (
        "I7",
        "a start after a stop",
        lambda run: rewrite(run, "t8", "Enqueued Stopping Running Failed", (10, 11, 12, 13)),
    ),
    ("I7", "a word after Stopped", lambda run: speak(run, "t8", BEAT, 16.5, attempt=2)),
    ("I8", "an attempt that the history does not know", lambda run: speak(run, "t1", BEGIN, 1.7, attempt=2)),
    ("I8", "an attempt on two instances", lambda run: speak(run, "t1", BEGIN, 1.55, instance="c9")),
    ("I8", "a run of nobody's", lambda run: drop(run, "t2")),
    ("I8", "starts beyond all budgets", lambda run: changed(run, "t1", attempts=8)),
    ("I9", "two tasks of a name", lambda run: changed(run, "t9", name="t1")),
    ("I9", "two acknowledgements of a name", lambda run: ask(run, "submit", "plain", "t1", digest="digest1")),
    ("I10", "more at a time than may be", too_many_leases),
    ("I11", "an expired task that ran", lambda run: speak(run, "t6", BEGIN, 6.0)),
    ("I11", "a task that expired early", lambda run: changed(run, "t6", expires_at=OFFSET + 9 * SECOND)),
    ("I12", "an invalid task that ran", lambda run: speak(run, "t7", BEGIN, 6.4)),
    ("I12", "a start after a delete", early_delete),
    ("I12", "a refusal of what can run", refused),
    ("I12", "another generation's code", relabel),
    ("I13", "a record that never came", lambda run: run.receipts.clear()),
    (
        "I13",
        "a record under two keys",
        lambda run: run.receipts.append(Receipt(request=run.receipts[0].request, key="k", at=0, status=200)),
    ),
    (
        "I14",
        "another task's result",
        lambda run: run.bodies.update({request(run, "t1"): run.bodies[request(run, "t2")]}),
    ),
    ("I14", "an end that nobody reached", lambda run: run.words.__delitem__(1)),
    ("I15", "a process that stayed", lambda run: run.orphans.append("process 7 is left")),
    ("I15", "a control group that stayed", lambda run: run.leaks.append("control group x")),
    ("I16", "a task that hangs", lambda run: rewrite(run, "t1", "Enqueued Dequeued", (1.0, 1.0))),
    ("I16", "a server that went by itself", lambda run: run.lives.append(life(40.0, ours=False))),
    (
        "I16",
        "a second server on the same data",
        lambda run: run.faults.append(Fault(kind="rival-ran", at=0, until=0, pid=1)),
    ),
    ("I17", "a recovery that takes long", slow_recovery),
    (
        "I18",
        "a stop that takes long",
        lambda run: rewrite(run, "t1", "Enqueued Stopping Stopped", (60.0, 61.0, 75.0)),
    ),
    (
        "I19",
        "memory without bound",
        lambda run: run.samples.append(msgspec.structs.replace(run.samples[0], rss_kib=1 << 20)),
    ),
    (
        "I19",
        "an answer 500",
        lambda run: ask(run, "look", "plain", "t1", answer="unknown", code="500 InternalServerError"),
    ),
    ("I20", "what sojourn verify finds", lambda run: run.violations.append("I20 task 1: of account 2")),
)


def test_a_sound_run_is_believed() -> None:
    """No violation, nothing missing, and the figures in its line."""
    evidence = sound()
    verdict = check(evidence)

    assert [str(one) for one in verdict.violations] == []
    assert verdict.missing == ()
    assert verdict.ok
    assert line(evidence, verdict).startswith(
        "chaos: 9 tasks, 15 kills, 0 lost, 0 double terminal, 0 overlaps, 0 orphans"
    )


@pytest.mark.parametrize(("invariant", "plant"), [(one[0], one[2]) for one in PLANTS], ids=[one[1] for one in PLANTS])
def test_a_planted_violation_is_found(invariant: str, plant: Plant) -> None:
    """Under its own name, and told with a story."""
    evidence = sound()
    plant(evidence)
    verdict = check(evidence)

    assert invariant in {one.invariant for one in verdict.violations}
    assert not verdict.ok
    assert any(text.startswith(invariant) for text in details(evidence, verdict))


def test_every_invariant_has_a_plant() -> None:
    """I1 to I19, none left out; each says what its evidence is."""
    names = [f"I{number}" for number in range(1, 20)]

    assert list(CHECKS) == names
    assert set(names) <= {invariant for invariant, _, _ in PLANTS}
    assert all(source for _, source in CHECKS.values())


def without(kind: str) -> Plant:
    """A run in which a kind of fault never came."""
    return lambda run: run.faults.__setitem__(slice(None), [one for one in run.faults if one.kind != kind])


LACKING: dict[str, Plant] = {
    **{f"faults of the kind {kind}": without(kind) for kind in {**KILLS, **OTHERS}},
    **{
        f"no fault while a task was in {phase}": lambda run: run.faults.__setitem__(
            slice(None), [one for one in run.faults if one.at == 50 * SECOND]
        )
        for phase in PHASES
    },
    "tasks:": lambda run: run.tasks.clear(),
    "kills:": lambda run: setattr(run, "minutes", 10.0),
    "words in the journal": lambda run: run.words.clear(),
    "lives of a server": lambda run: run.lives.clear(),
    "acknowledged stops": lambda run: run.calls.clear(),
    "refused duplicates": lambda run: run.calls.clear(),
    "records at the webhook": lambda run: run.receipts.clear(),
    "samples of the server": lambda run: run.samples.clear(),
    "tasks that finished": lambda run: rewrite(run, "t1", "Enqueued Dequeued", (1.0, 1.0)),
    "tasks that succeeded": lambda run: run.tasks.__delitem__(slice(0, 5)),
}


@pytest.mark.parametrize("what", LACKING)
def test_a_run_without_evidence_is_refused(what: str) -> None:
    """However few promises it broke: what is lacking is named."""
    evidence = sound()
    LACKING[what](evidence)
    verdict = check(evidence)

    assert any(text.startswith(what) for text in verdict.missing), verdict.missing
    assert not verdict.ok


def test_two_deaths_in_a_row_are_two_recoveries() -> None:
    """The wait begins anew with the second one."""
    times = {fault.at / SECOND: seconds for fault, seconds in recoveries(sound())}

    assert times[10.5] == pytest.approx(0.5)
    assert times[20.1] == pytest.approx(24.0 - 22.1)
    assert percentile([1.0, 2.0, 3.0], 0.99) == 3.0
    assert percentile([], 0.99) == 0.0


def test_a_plan_has_every_kind_and_every_phase() -> None:
    """However short it is; the same seed makes the same plan."""
    plan = planned(0.01, random.Random(3), outer=True)

    assert {kind for kind, _ in plan} == {*KILLS, *OTHERS}
    assert {aim for _, aim in plan if aim} == set(PHASES)
    assert plan == planned(0.01, random.Random(3), outer=True)
    assert "kill-outer" not in {kind for kind, _ in planned(1.0, random.Random(3), outer=False)}


def test_a_line_that_is_not_whole_is_no_word() -> None:
    """A process that is killed in the middle of a write leaves the words before it readable."""
    words = list(words_of("r 1 c plain/g1.u1 9 begin 5000\nr 1 c pla"))

    assert [(word.request, word.attempt, word.at) for word in words] == [("r", 1, 5)]


def test_a_full_disk_has_no_room_and_gets_it_back(tmp_path: Path) -> None:
    """On a stand-in for the small disk: a limit on the size of files."""
    script = (
        "import resource, sys; from pathlib import Path; from proof.chaos.place import Disk\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        "disk = Disk(Path(sys.argv[1])); disk.fill(); print((disk.path / 'ballast').stat().st_size)\n"
        "disk.free(); print(list(disk.path.iterdir()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout == "300000\n[]\n"


@pytest.mark.slow
def test_a_short_real_run_keeps_every_promise(tmp_path: Path) -> None:
    """Real servers, real kills, the real checker; only the amounts are not asked for."""
    plan = Plan(minutes=0.1, seed=5, sandbox=part.strongest(), only=("kill-server", "kill-agent", "kill-instance"))
    result = part.run_plan(plan, tmp_path)

    assert result.ok, "\n".join((result.line, *result.details))
    assert " 0 lost, 0 double terminal, 0 overlaps, 0 orphans, " in result.line
