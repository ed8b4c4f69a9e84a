from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from sojourn.client import (
    Conflict,
    NotFound,
    Refused,
    Retries,
    Status,
    Task,
    Throttled,
    Unreachable,
    WaitTimedOut,
    calls,
    conversation,
)
from sojourn.client.call import Call
from sojourn.client.calls import TaskSettings
from sojourn.client.conversation import Conversation, Deployment, Pace, Pause
from sojourn.client.errors import ClientError
from sojourn.client.model import Function, Submission

T = TypeVar("T")


class Walk:
    """Walks a conversation without sockets or time: `answers` is asked for each call, pauses move the clock."""

    def __init__(self, answers: Callable[[Call[Any]], object]) -> None:
        self._answers = answers
        self.asked: list[str] = []
        self.paused: list[float] = []
        self._now = 100.0

    def now(self) -> int:
        """Wall time is not looked at."""
        return 0

    def monotonic(self) -> float:
        """The sum of all pauses."""
        return self._now

    def __call__(self, talk: Conversation[T]) -> T:
        """Walk `talk` to its end."""
        try:
            step = next(talk)
            while True:
                if isinstance(step, Pause):
                    self._now += step.seconds
                    self.paused.append(round(step.seconds, 4))
                    step = talk.send(None)
                    continue
                assert isinstance(step, Call)
                self.asked.append(step.action)
                try:
                    answer = self._answers(step)
                except ClientError as error:
                    step = talk.throw(error)
                else:
                    step = talk.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result


def in_turn(*answers: object) -> Callable[[Call[Any]], object]:
    """Give these, one after the other; errors are raised."""
    left = list(answers)

    def answer(_: Call[Any]) -> object:
        given = left.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    return answer


def task(status: Status) -> Task:
    return Task(task_id="t", status=status)


FUNCTION = Function(function_name="f")
GONE, TAKEN, BROKEN, FULL = NotFound("x"), Conflict("x"), Unreachable("x"), Throttled("x", status=429, retry_after=3)
WANTED = Deployment(name="f", archive=b"zip", handler="index.handler", runtime="python3.12")


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        ([GONE, FUNCTION], ["GetFunction", "CreateFunction"]),
        ([FUNCTION, FUNCTION], ["GetFunction", "UpdateFunction"]),
        ([GONE, TAKEN, FUNCTION], ["GetFunction", "CreateFunction", "UpdateFunction"]),
    ],
)
def test_deploy_creates_or_updates(answers: list[object], asked: list[str]) -> None:
    """A missing function is created, a present one updated, and one that appears in between updated too."""
    walk = Walk(in_turn(*answers))

    assert walk(conversation.deploy(WANTED, None)) is FUNCTION
    assert walk.asked == asked


def test_deploy_sends_only_what_is_given() -> None:
    """Fields left out keep the server's value; the code travels as base64."""
    assert WANTED.body() == {
        "functionName": "f",
        "handler": "index.handler",
        "runtime": "python3.12",
        "code": {"zipFile": "emlw"},
    }


def test_deploy_configures_tasks_and_concurrency() -> None:
    """Retries, age and concurrency follow the function, each only when given; a retry count of 0 is given."""
    wanted = Deployment(name="f", archive=b"", tasks=TaskSettings(retries=0), reserved_concurrency=0)
    walk = Walk(in_turn(FUNCTION, FUNCTION, None, None))
    walk(conversation.deploy(wanted, None))

    assert walk.asked == ["GetFunction", "UpdateFunction", "PutAsyncInvokeConfig", "PutConcurrencyConfig"]


def test_wait_asks_ever_less_often() -> None:
    """The first pause is 5 ms, each is half as long again, none is longer than half a second."""
    walk = Walk(in_turn(*[task(Status.RUNNING)] * 20, task(Status.FAILED)))
    ended = walk(conversation.wait("f", "t", clock=walk, timeout=None))

    assert ended.status is Status.FAILED
    assert walk.paused[:4] == [0.005, 0.0075, 0.0112, 0.0169]
    assert walk.paused == sorted(walk.paused)
    assert walk.paused[-1] == 0.5


@pytest.mark.parametrize("status", list(Status))
def test_wait_ends_with_the_task(status: Status) -> None:
    """Every terminal status ends the wait, no other one does."""
    walk = Walk(in_turn(task(status), task(Status.SUCCEEDED)))
    walk(conversation.wait("f", "t", clock=walk, timeout=None))

    assert len(walk.asked) == (1 if task(status).over else 2)


@pytest.mark.parametrize("timeout", [0.0, 0.001, 1.0])
def test_wait_ends_with_its_time(timeout: float) -> None:
    """Neither earlier nor later than the timeout; the error holds the last state seen."""
    walk = Walk(lambda _: task(Status.RUNNING))
    with pytest.raises(WaitTimedOut, match=f"still Running after {timeout:g} s") as caught:
        walk(conversation.wait("f", "t", clock=walk, timeout=timeout))

    assert walk.monotonic() - 100 == pytest.approx(timeout)
    assert caught.value.waiting == [("f", "t")]
    assert caught.value.task == task(Status.RUNNING)


def test_many_waits_share_a_pace() -> None:
    """A thousand tasks are together asked about 200 times a second, fewer tasks more often each."""
    pace = Pace(1000)

    assert pace.interval_seconds(0) == 5.0
    pace.waiting = 1
    assert pace.interval_seconds(0) == 0.005
    assert pace.interval_seconds(1000) == 0.5


def test_submit_again_needs_a_name() -> None:
    """Only a task with an id of the caller's can be recognised as the same."""
    with pytest.raises(Refused, match="task_id must be given"):
        Walk(in_turn())(conversation.submit("f", b"", None, None, existing_ok=True))


def test_a_known_task_counts_as_submitted_on_request() -> None:
    """With existing_ok a 409 is success, told as such; without it stays a conflict."""
    again = Walk(in_turn(TAKEN))(conversation.submit("f", b"", "t", None, existing_ok=True))

    assert again == Submission(task_id="t", existed=True)
    with pytest.raises(Conflict):
        Walk(in_turn(TAKEN))(conversation.submit("f", b"", "t", None, existing_ok=False))


GET: Call[Any] = calls.get_task("f", "t")
SUBMIT: Call[Any] = calls.submit("f", b"", None, None, idempotent=False)
DELETE, STOP = calls.delete_function("f"), calls.stop_task("f", "t")
SAFE = calls.submit("f", b"", "t", None, idempotent=True)


@pytest.mark.parametrize("call", [GET, DELETE, STOP, SAFE], ids=lambda call: call.method)
def test_broken_connections_are_tried_again_when_idempotent(call: Call[Any]) -> None:
    """Twice by default, with a growing pause; then the error stands."""
    walk = Walk(in_turn(BROKEN, BROKEN, "told"))

    assert walk(conversation.persistent(conversation.ask(call), Retries())) == "told"
    assert walk.paused == [0.05, 0.1]
    with pytest.raises(Unreachable):
        Walk(in_turn(*[BROKEN] * 3))(conversation.persistent(conversation.ask(call), Retries()))


@pytest.mark.parametrize(
    "call", [SUBMIT, calls.invoke("f", b"", 0), calls.create_account("b"), calls.create_function({}, None)]
)
def test_what_is_not_idempotent_is_sent_once(call: Call[Any]) -> None:
    """A submit whose answer was lost may have been accepted: only the caller can know what to do."""
    walk = Walk(in_turn(BROKEN))
    with pytest.raises(Unreachable):
        walk(conversation.persistent(conversation.ask(call), Retries(connection=9)))

    assert len(walk.asked) == 1


def test_a_repeated_delete_that_finds_nothing_has_succeeded() -> None:
    """The first one had arrived; but a delete that never was repeated tells that there is nothing."""
    talk = conversation.persistent(conversation.ask(DELETE), Retries())

    assert Walk(in_turn(BROKEN, GONE))(talk) is None
    with pytest.raises(NotFound):
        Walk(in_turn(GONE))(conversation.persistent(conversation.ask(DELETE), Retries()))
    with pytest.raises(NotFound):
        Walk(in_turn(BROKEN, GONE))(conversation.persistent(conversation.ask(GET), Retries()))


def test_throttled_calls_are_tried_again_only_on_request() -> None:
    """By default a 429 is told at once; on request even a submit waits as long as the server asks, within a bound."""
    with pytest.raises(Throttled):
        Walk(in_turn(FULL))(conversation.persistent(conversation.ask(SUBMIT), Retries()))
    walk = Walk(in_turn(FULL, Throttled("x", retry_after=900), "told"))

    assert walk(conversation.persistent(conversation.ask(SUBMIT), Retries(throttled=2))) == "told"
    assert walk.paused == [3, 60]


def test_retries_are_counted_for_each_call() -> None:
    """A long conversation may be interrupted more often than one call may."""
    walk = Walk(in_turn(BROKEN, FUNCTION, BROKEN, FUNCTION, BROKEN, None))
    wanted = Deployment(name="f", archive=b"", tasks=TaskSettings(retries=1))
    walk(conversation.persistent(conversation.deploy(wanted, None), Retries(connection=1)))

    assert walk.asked == ["GetFunction"] * 2 + ["UpdateFunction"] * 2 + ["PutAsyncInvokeConfig"] * 2


def test_errors_reach_the_one_who_asked() -> None:
    """What retries cannot cure is thrown into the conversation, which may know better."""
    walk = Walk(in_turn(BROKEN, GONE, FUNCTION))
    walk(conversation.persistent(conversation.deploy(WANTED, None), Retries()))

    assert walk.asked == ["GetFunction", "GetFunction", "CreateFunction"]
