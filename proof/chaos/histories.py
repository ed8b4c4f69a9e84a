"""The invariants that are about what was promised and what is written down: I1–I5, I7–I9, I11–I14.

Each function holds one invariant against the evidence and yields what breaks it, with the request id it is about where
there is one. What `sojourn verify` finds by itself, which knows only the database, is added by `checker`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import msgspec

from sojourn import identity
from sojourn.audit import of_events
from sojourn.task import HANDLED, LOSSES_MAX, UNHANDLED, Status, Task

from .evidence import TERMINALS, Evidence, of
from .records import ABSENT, CONFLICT, YES

Found = Iterator[tuple[str, str]]
"""What is wrong, and with which request ("" for none)."""
SLACK_US = 20_000
"""Between two readings of clocks that are meant to be the same moment."""
REFUSALS = ("FunctionDeleted", "SandboxLost", "SandboxUnavailable")


def no_loss(evidence: Evidence) -> Found:
    """I1: whatever was answered with a success is there, whatever was asked for again too, and all of it ends."""
    for call in evidence.answered("submit", YES, CONFLICT):
        if (call.function, call.task) not in evidence.by_name:
            yield f"{call.function} {call.task} was acknowledged ({call.answer}) and is lost", ""
    asked = {(call.function, call.task) for call in evidence.calls if call.verb == "submit"}
    for function, name in evidence.by_name:
        if (function, name) not in asked:
            yield f"{function} {name} was never asked for", ""
    for request, moments in evidence.moments.items():
        if moments[-1].status not in TERMINALS:
            yield f"never ended: {moments[-1].status}", request


def one_terminal(evidence: Evidence) -> Found:
    """I2: one terminal event, the last; whoever saw a task over saw what is there now."""
    for request, moments in evidence.moments.items():
        ends = [moment.status for moment in moments if moment.status in TERMINALS]
        if len(ends) > 1:
            yield f"ended {len(ends)} times: {ends}", request
    for call in evidence.answered("look", YES):
        for task in evidence.by_name.get((call.function, call.task), ()):
            seen = [status for status, _ in call.told if status in TERMINALS]
            if seen and seen[-1] != task.status.value:
                yield f"was seen {seen[-1]} and is {task.status.value}", identity.request_id(task.id)


def legal_path(evidence: Evidence) -> Found:
    """I3: a path of the table; what anybody saw of it before is its beginning still."""
    for task in evidence.tasks:
        for text in of_events(task.events):
            if text.startswith("I3"):
                yield text.removeprefix("I3 "), identity.request_id(task.id)
    for call in evidence.answered("look", YES):
        for task in evidence.by_name.get((call.function, call.task), ()):
            path = [(event.status, event.at // 1_000) for event in task.events]
            if path[: len(call.told)] != call.told:
                yield f"the history seen, {call.told}, is no beginning of {path}", identity.request_id(task.id)


def monotone(evidence: Evidence) -> Found:
    """I4: numbered without gap, stamps that never step back."""
    for task in evidence.tasks:
        for text in of_events(task.events):
            if text.startswith("I4"):
                yield text.removeprefix("I4 "), identity.request_id(task.id)


def durable_first(evidence: Evidence) -> Found:
    """I5: an attempt that runs has its Running event, which was written before user code began."""
    for request, attempts in evidence.attempts.items():
        starts = [moment.at for moment in evidence.moments.get(request, ()) if moment.status == "Running"]
        for attempt in attempts:
            if attempt.number <= len(starts) and attempt.began < starts[attempt.number - 1] - SLACK_US:
                yield f"attempt {attempt.number} ran before its Running was durable", request


def stop_wins(evidence: Evidence) -> Found:
    """I7: a stop that was acknowledged ends in Stopped, and nothing of the task runs after that."""
    for call in evidence.answered("stop", YES):
        for task in evidence.by_name.get((call.function, call.task), ()):
            if task.status is not Status.STOPPED and task.over:
                yield f"was stopped and is {task.status.value}", identity.request_id(task.id)
    for task in evidence.tasks:
        moments = of(evidence, task)
        path = [moment.status for moment in moments]
        if "Stopping" in path and set(path[path.index("Stopping") + 1 :]) - {"Stopped"}:
            yield f"goes on after its stop: {path}", identity.request_id(task.id)
        if task.status is Status.STOPPED:
            last = max((one.last for one in evidence.attempts.get(identity.request_id(task.id), ())), default=0)
            if last > moments[-1].at + SLACK_US:
                yield f"ran {last - moments[-1].at} µs after it was Stopped", identity.request_id(task.id)


def attempts_counted(evidence: Evidence) -> Found:
    """I8: nothing ran that the history does not know; starts are within their budgets."""
    for request, attempts in evidence.attempts.items():
        task = evidence.by_request.get(request)
        if task is None:
            yield "ran, and there is no such task", request
            continue
        numbers = {attempt.number for attempt in attempts}
        if len(attempts) > len(numbers):
            yield f"attempts {sorted(one.number for one in attempts)}: one ran on two instances", request
        if max(numbers) > task.attempts:
            yield f"attempt {max(numbers)} ran, the history knows {task.attempts}", request
    for task in evidence.tasks:
        if task.attempts > task.retries_max + 1 + LOSSES_MAX:
            text = f"{task.attempts} starts with {task.retries_max} retries and {LOSSES_MAX} losses allowed"
            yield text, identity.request_id(task.id)


def one_of_a_name(evidence: Evidence) -> Found:
    """I9: one task of a name; of all who asked for it one was told yes, and a conflict means that it is there."""
    for (function, name), tasks in evidence.by_name.items():
        if len(tasks) > 1:
            yield f"{len(tasks)} tasks of {function} are named {name}", identity.request_id(tasks[1].id)
    accepted: dict[tuple[str, str], int] = defaultdict(int)
    for call in evidence.answered("submit", YES):
        accepted[call.function, call.task] += 1
    for (function, name), count in accepted.items():
        if count > 1:
            yield f"{function} {name} was accepted {count} times", ""


def expiry(evidence: Evidence) -> Found:
    """I11: what Expired never ran, and did not expire before its age was over."""
    for task in evidence.tasks:
        request = identity.request_id(task.id)
        if task.status is Status.EXPIRED and request in evidence.attempts:
            yield "expired, and yet it ran", request
        if task.status is Status.EXPIRED and task.ended_at < task.expires_at:
            yield f"expired {task.expires_at - task.ended_at} µs too early", request


def deleted(evidence: Evidence) -> Found:
    """I12: no start after an acknowledged delete; Invalid never ran; no generation runs another one's code.

    All functions of the load can run: nothing but a delete, or starts that were lost beyond their budget, refuses one.
    """
    deletes = [call for call in evidence.calls if call.verb == "delete" and call.answer in (YES, ABSENT)]
    last_label: dict[str, str] = {}
    for task in evidence.tasks:
        request = identity.request_id(task.id)
        attempts = evidence.attempts.get(request, [])
        if task.status is Status.INVALID and attempts:
            yield "is Invalid, and yet it ran", request
        refusal = _refusal(task) if task.over else ""
        if refusal and refusal not in REFUSALS:
            yield f"was refused with {refusal}, and its function can run", request
        function, generation = evidence.function_of(task), task.generation
        labels = {attempt.label.partition(".")[0] for attempt in attempts}
        for label in labels:
            known = last_label.setdefault(f"{function} {generation}", label)
            if known != label:
                yield f"generation {generation} ran code of {label}, before it was {known}", request
        # Whoever deletes insists until it is done, and then creates again: the n-th delete ends generation n.
        gone = [call.ended for call in deletes if call.function == function]
        if len(gone) >= generation:
            starts = (moment.at for moment in of(evidence, task) if moment.status == "Running")
            late = [at - gone[generation - 1] for at in starts if at > gone[generation - 1] + SLACK_US]
            if late:
                yield f"started {late[0]} µs after its function was deleted", request


def _refusal(task: Task) -> str:
    """Why a task was never triggered, or not again; "" when it ended in another way."""
    last = task.events[-1]
    error = str(msgspec.json.decode(last.detail, type=dict[str, object]).get("Error", "")) if last.detail else ""
    return "" if error in (UNHANDLED, HANDLED) else error


def delivered(evidence: Evidence) -> Found:
    """I13: a task that has somewhere to tell its end was told there at least once, always under the same key."""
    keys: dict[str, set[str]] = defaultdict(set)
    taken: set[str] = set()
    for receipt in evidence.receipts:
        keys[receipt.request].add(receipt.key)
        if receipt.status == 200:
            taken.add(receipt.request)
    for task in evidence.tasks:
        design, request = evidence.design_of(task), identity.request_id(task.id)
        if design is None or not design.told:
            continue
        if task.over and request not in taken:
            yield "ended, and its destination never took the record", request
        if len(keys[request]) > 1:
            yield f"its record came under the keys {sorted(keys[request])}", request
        if keys[request] and not task.over:
            yield "its record was sent before it was over", request


class _Result(msgspec.Struct):
    request: str
    attempt: int
    digest: str


def results_bound(evidence: Evidence) -> Found:
    """I14: the payload is what was submitted, the result is of the last attempt of this very task, which really ran."""
    sent: dict[tuple[str, str], set[str]] = defaultdict(set)
    for call in evidence.calls:
        if call.verb == "submit":
            sent[call.function, call.task].add(call.digest)
    for task in evidence.tasks:
        request = identity.request_id(task.id)
        body = evidence.bodies.get(request)
        if body is None:
            yield "is in the store, and in no list", request
            continue
        if body.digest not in sent[evidence.function_of(task), task.name or ""]:
            yield "has a payload that nobody submitted", request
        if task.status is not Status.SUCCEEDED:
            continue
        result = msgspec.json.decode(body.result, type=_Result)
        if (result.request, result.attempt, result.digest) != (request, task.attempts, body.digest):
            yield f"attempt {task.attempts} has the result {body.result}", request
        if not any(one.number == task.attempts and one.over for one in evidence.attempts.get(request, ())):
            yield f"Succeeded, and its attempt {task.attempts} never came to its end", request
