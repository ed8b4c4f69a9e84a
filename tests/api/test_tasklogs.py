"""A task's log over HTTP while it grows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import httpx
import pytest

from api.door import Caller, Door
from live import until
from sojourn.logs import FOLLOWERS_PER_ACCOUNT_MAX
from sojourn.store import Log
from sojourn.task import Claimed, Returned, Started, Success

PATH = "/v1/functions/f/tasks/t1/logs"
PATIENCE_SECONDS = 20.0


@contextlib.contextmanager
def following(caller: Caller, query: str = "follow=true", method: str = "GET") -> Iterator[httpx.Response]:
    """The open answer of a follower."""
    headers = caller.signed(method, PATH, query, b"")
    with caller.door.http.stream(method, f"{caller.door.url}{PATH}?{query}", headers=headers) as response:
        yield response


def in_loop(door: Door, act: Callable[[], object]) -> None:
    """Do something where the server does."""

    async def do() -> None:
        act()

    door.run(do())


def test_a_log_is_followed_to_its_end(caller: Caller) -> None:
    """Headers at once, a piece as it is written, the end when the task is over."""
    caller.create()
    task = caller.submit(x_fc_async_task_id="t1")
    door = caller.door
    with following(caller) as response:
        assert response.status_code == 200
        assert response.headers["transfer-encoding"] == "chunked"
        assert response.headers["content-type"] == "text/plain; charset=utf-8"
        assert response.headers["x-fc-request-id"]
        running = door.advance(task, Claimed(1), Started("i"))
        attempt = door.begin(task, 1)
        pieces = response.iter_raw()
        in_loop(door, lambda: attempt.output.write(b"first \xff\n"))
        assert next(pieces) == b"first \xff\n"
        in_loop(door, lambda: attempt.output.write(b"second\n"))
        assert next(pieces) == b"second\n"
        door.advance(running, Returned(Success(result=b"")), log=attempt.output.log(1))
        assert list(pieces) == []
    del door.dispatcher.attempts[task.id]
    with following(caller) as response:
        assert response.read() == b"first \xff\nsecond\n"
    assert caller("GET", PATH, {"format": "text"}).body == b"first \xff\nsecond\n"


def test_only_text_can_be_followed(caller: Caller) -> None:
    """The error is an ordinary answer."""
    caller.create()
    caller.submit(x_fc_async_task_id="t1")
    caller("GET", PATH, {"follow": "true", "format": "json"}).refused(400, "InvalidArgument", "must be text")
    caller("GET", PATH, {"follow": "maybe"}).refused(400, "InvalidArgument", "must be true or false")
    caller("GET", PATH.replace("t1", "t2"), {"follow": "true"}).refused(404, "AsyncTaskNotFound")


def test_the_head_of_a_log_waits_for_nothing(caller: Caller) -> None:
    """HEAD has the headers and no body, and leaves no follower behind."""
    caller.create()
    caller.submit(x_fc_async_task_id="t1")
    with following(caller, method="HEAD") as response:
        assert response.status_code == 200
        assert response.read() == b""
    until(lambda: not caller.door.logs._followers, PATIENCE_SECONDS, "no follower left")


def test_a_reader_that_goes_away_is_forgotten(caller: Caller) -> None:
    """Its place is free again, and others are refused only while all are taken."""
    caller.create()
    task = caller.submit(x_fc_async_task_id="t1")
    door = caller.door
    with contextlib.ExitStack() as stack:
        for _ in range(FOLLOWERS_PER_ACCOUNT_MAX):
            assert stack.enter_context(following(caller)).status_code == 200
        refused = caller("GET", PATH, {"follow": "true"})
        refused.refused(429, "ResourceExhausted", f"allows {FOLLOWERS_PER_ACCOUNT_MAX}")
        assert refused.headers["retry-after"] == "5"
    until(lambda: not door.logs._followers, PATIENCE_SECONDS, "no follower left")
    door.advance(task, Claimed(1), Started("i"), Returned(Success(result=b"")), log=Log(1, b"late\n"))
    with following(caller) as response:
        assert response.read() == b"late\n"


def test_an_answer_that_breaks_off_is_not_taken_for_a_whole_one(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the store fails in the middle, the client hears of it."""
    caller.create()
    task = caller.submit(x_fc_async_task_id="t1")
    door = caller.door
    with following(caller) as response:
        monkeypatch.setattr(door.store, "logs", None)
        door.advance(task, Claimed(1), Started("i"), Returned(Success(result=b"")), log=Log(1, b"text\n"))
        with pytest.raises(httpx.RemoteProtocolError):
            response.read()
    until(lambda: not door.logs._followers, PATIENCE_SECONDS, "no follower left")
