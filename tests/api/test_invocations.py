"""InvokeFunction: what is accepted, what is refused, and what comes back."""

from __future__ import annotations

import asyncio
import base64
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from api.door import VERSION, Caller, Door, Reply
from sojourn import identity
from sojourn.api.commands.invocations import LOG_TAIL_BYTES, log_tail
from sojourn.call import Answer
from sojourn.errors import InstanceStartFailed, ResourceExhausted, ServiceUnavailable, SojournError
from sojourn.function import Function
from sojourn.store import Log
from sojourn.task import Failure, Status, Success

PATH = "/functions/f/invocations"
ASYNC = {"x-fc-invocation-type": "Async"}

Behaviour = Callable[[Function, bytes, str], Awaitable[Answer]]


@pytest.fixture
def behaves(door: Door) -> Iterator[Callable[[Behaviour], None]]:
    """Lets a test say what a synchronous call comes to."""

    def behave(behaviour: Behaviour) -> None:
        door.dispatcher.behaviour = behaviour

    yield behave
    door.dispatcher.behaviour = door.dispatcher.echo


def test_an_accepted_task_is_durable_and_answered_with_its_ids(caller: Caller) -> None:
    """202, an empty body, the task id under both names, and the request id that the task bears."""
    function = caller.create()
    reply = caller("POST", PATH, body=b"event", headers=ASYNC | {"x-fc-async-task-id": "t1"})

    assert (reply.status, reply.body) == (202, b"")
    assert reply.headers["x-fc-async-task-id"] == "t1"
    assert reply.headers["x-fc-stateful-async-invocation-id"] == "t1"
    task = caller.door.run(caller.door.queue.find(function, "t1"))
    assert (task.status, task.payload) == (Status.ENQUEUED, b"event")
    assert reply.headers["x-fc-request-id"] == identity.request_id(task.id)


def test_a_task_without_a_chosen_id_is_named_by_its_request(caller: Caller) -> None:
    """The request id is the task id, and finds the task."""
    caller.create()
    reply = caller("POST", PATH, headers=ASYNC)
    name = reply.headers["x-fc-async-task-id"]

    assert name == reply.headers["x-fc-request-id"]
    assert caller("GET", f"/functions/f/async-tasks/{name}").json["taskId"] == name


@pytest.mark.parametrize("value", ["Async", "async", "ASYNC"])
def test_the_kind_of_call_is_read_in_any_case(caller: Caller, value: str) -> None:
    """Clients do not agree."""
    caller.create()

    assert caller("POST", PATH, headers={"x-fc-invocation-type": value}).status == 202


def test_the_older_name_of_the_task_id_is_taken_too(caller: Caller) -> None:
    """And both together when they agree."""
    caller.create()
    old = {"x-fc-stateful-async-invocation-id": "t1"}
    assert caller("POST", PATH, headers=ASYNC | old).headers["x-fc-async-task-id"] == "t1"
    both = {"x-fc-async-task-id": "t2", "x-fc-stateful-async-invocation-id": "t2"}
    assert caller("POST", PATH, headers=ASYNC | both).headers["x-fc-async-task-id"] == "t2"
    differ = {"x-fc-async-task-id": "t3", "x-fc-stateful-async-invocation-id": "t4"}
    reply = caller("POST", PATH, headers=ASYNC | differ)
    reply.refused(400, "InvalidArgument", "x-fc-stateful-async-invocation-id must be the same as x-fc-async-task-id")


@pytest.mark.parametrize("delay", [0, 1, 3600])
def test_a_delay_is_kept(caller: Caller, delay: int) -> None:
    """The task is due that many seconds after its submission."""
    caller.create()
    task = caller.submit(x_fc_async_delay=str(delay))

    assert task.due_at - task.created_at == delay * 1_000_000


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"x-fc-async-task-id": "1t"}, "x-fc-async-task-id must start with a letter or '_'"),
        ({"x-fc-async-task-id": "a b"}, "x-fc-async-task-id must start"),
        ({"x-fc-async-task-id": "t" * 129}, "at most 128"),
        ({"x-fc-stateful-async-invocation-id": "-"}, "x-fc-stateful-async-invocation-id must start"),
        ({"x-fc-async-delay": "-1"}, "x-fc-async-delay must be a whole number between 0 and 3600 seconds, got -1"),
        ({"x-fc-async-delay": "3601"}, "between 0 and 3600 seconds, got 3601"),
        ({"x-fc-async-delay": "soon"}, "between 0 and 3600 seconds, got 'soon'"),
        ({"x-fc-invocation-type": "Later"}, "x-fc-invocation-type must be Sync or Async, got 'Later'"),
        ({"x-fc-invocation-type": "Sync", "x-fc-log-type": "All"}, "x-fc-log-type must be None or Tail, got 'All'"),
    ],
)
def test_a_header_outside_its_bounds_is_refused(caller: Caller, headers: dict[str, str], words: str) -> None:
    """Field, bound and value are told; nothing is enqueued."""
    function = caller.create()
    caller("POST", PATH, headers=ASYNC | headers).refused(400, "InvalidArgument", words)

    assert not [task for task in caller.door.store.data.tasks.values() if task.function_id == function.id]


@pytest.mark.parametrize("name", ["x-fc-async-task-id", "x-fc-async-delay", "x-fc-invocation-type"])
def test_a_header_that_is_not_ascii_is_refused(caller: Caller, name: str) -> None:
    """In either encoding that a client may have sent, and shown in a message that is valid JSON."""
    caller.create()
    for value in ("é".encode(), "é".encode("latin-1"), b"\xff\xfe"):
        signed = caller.signed("POST", VERSION + PATH, "", b"", ASYNC)
        pairs = [(key.encode(), text.encode()) for key, text in signed.items() if key != name]
        pairs.append((name.encode(), value))
        if name == "x-fc-invocation-type":  # it was signed as Async: leave it out of the signature
            unsigned = caller.signed("POST", VERSION + PATH, "", b"")
            pairs = [*((key.encode(), text.encode()) for key, text in unsigned.items()), (name.encode(), value)]
        request = httpx.Request("POST", caller.door.url + VERSION + PATH, headers=pairs, content=b"")
        Reply(caller.door.http.send(request)).refused(400, "InvalidArgument", name)


def test_a_task_id_is_taken_once(caller: Caller) -> None:
    """409, and the first one stays as it is; another function may have the same id."""
    caller.create()
    first = caller.submit(body=b"first", x_fc_async_task_id="t1")
    reply = caller("POST", PATH, body=b"second", headers=ASYNC | {"x-fc-async-task-id": "t1"})
    reply.refused(409, "AsyncTaskAlreadyExists", "async task 't1' already exists")

    assert caller("GET", "/functions/f/async-tasks/t1").json["taskPayload"] == "first"
    caller.create("g")
    assert caller.submit("g", x_fc_async_task_id="t1").id != first.id


def test_of_fifty_submits_of_one_id_exactly_one_is_accepted(caller: Caller) -> None:
    """The decision is atomic."""
    function = caller.create()

    def submit(number: int) -> int:
        return caller("POST", PATH, body=b"%d" % number, headers=ASYNC | {"x-fc-async-task-id": "t1"}).status

    with ThreadPoolExecutor(50) as pool:
        statuses = sorted(pool.map(submit, range(50)))

    assert statuses == [202] + [409] * 49
    assert len([one for one in caller.door.store.data.tasks.values() if one.function_id == function.id]) == 1


def test_the_bound_of_an_asynchronous_payload(caller: Caller) -> None:
    """128 KiB are accepted, one byte more is not."""
    caller.create()
    assert caller("POST", PATH, body=b"x" * 131_072, headers=ASYNC).status == 202
    reply = caller("POST", PATH, body=b"x" * 131_073, headers=ASYNC)
    reply.refused(400, "EntityTooLarge", "payload size exceeds maximum allowed size (131072 bytes)", "131073 bytes")


def test_the_bound_of_a_synchronous_payload(caller: Caller) -> None:
    """32 MiB are accepted, one byte more is not."""
    caller.create()
    body = b"x" * (32 * 1024 * 1024)
    assert caller("POST", PATH, body=body).body == body
    reply = caller("POST", PATH, body=body + b"x")
    reply.refused(400, "EntityTooLarge", "payload size exceeds maximum allowed size (33554432 bytes)")


def chunked(caller: Caller, body: bytes, sizes: int, headers: dict[str, str]) -> Reply:
    """Send `body` in chunks, without Content-Length."""
    signed = caller.signed("POST", VERSION + PATH, "", body, headers)
    pieces = (body[at : at + sizes] for at in range(0, len(body), sizes))
    request = httpx.Request("POST", caller.door.url + VERSION + PATH, headers=signed, content=pieces)
    assert request.headers["transfer-encoding"] == "chunked"
    return Reply(caller.door.http.send(request))


@pytest.mark.parametrize("size", [0, 1, 1000, 131_072])
def test_a_body_in_chunks_is_a_body(caller: Caller, size: int) -> None:
    """Some official clients send every body so."""
    caller.create()
    body = bytes(number % 251 for number in range(size))
    name = chunked(caller, body, 999, ASYNC).headers["x-fc-async-task-id"]

    function = caller.door.catalog.function(caller.account_id, "f")
    assert caller.door.run(caller.door.queue.find(function, name)).payload == body


def test_a_body_in_chunks_has_the_same_bound(caller: Caller) -> None:
    """It is counted as it comes; no more than the bound is kept."""
    caller.create()
    reply = chunked(caller, b"x" * 400_000, 10_000, ASYNC)
    reply.refused(400, "EntityTooLarge", "payload size exceeds maximum allowed size (131072 bytes)")


def test_an_unknown_function_is_404(caller: Caller) -> None:
    """Asynchronous or not."""
    for headers in (ASYNC, {}):
        assert caller("POST", "/functions/nobody/invocations", headers=headers).status == 404


def test_a_slash_in_a_functions_name_makes_another_path(caller: Caller) -> None:
    """Which is not there, however the slash is written."""
    for headers in (ASYNC, {}):
        caller("POST", "/functions/a%2Fb/invocations", headers=headers).refused(400, "PathNotSupported")


@pytest.mark.parametrize("qualifier", ["LATEST", ""])
def test_latest_and_no_qualifier_are_the_same(caller: Caller, qualifier: str) -> None:
    """It is written in the query."""
    caller.create()

    assert caller("POST", PATH, f"qualifier={qualifier}", headers=ASYNC).status == 202


def test_another_qualifier_is_404(caller: Caller) -> None:
    """There are no other versions."""
    caller.create()
    reply = caller("POST", PATH, {"qualifier": "prod"}, headers=ASYNC)
    reply.refused(404, "VersionNotFound", "version or alias 'prod' of function 'f' does not exist")


def test_a_full_queue_says_when_to_come_back(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """429 with Retry-After; 503 while the server drains, 503 when the disk does not take it."""
    caller.create()
    queue = caller.door.queue
    with monkeypatch.context() as patch:
        patch.setattr(queue, "_tasks_open_max", 0)
        reply = caller("POST", PATH, headers=ASYNC)
        reply.refused(429, "ResourceExhausted", "0 tasks are open")
        assert reply.headers["retry-after"] == "5"
    with monkeypatch.context() as patch:
        patch.setattr(queue, "closed", True)
        reply = caller("POST", PATH, headers=ASYNC)
        reply.refused(503, "ServiceUnavailable", "draining")
        assert reply.headers["retry-after"] == "1"
    with monkeypatch.context() as patch:
        patch.setattr(caller.door.store, "failing", True)
        reply = caller("POST", PATH, headers=ASYNC)
        reply.refused(503, "ServiceUnavailable")
        assert reply.headers["retry-after"] == "1"


def test_a_synchronous_call_returns_bytes_and_what_it_used(caller: Caller) -> None:
    """The documented headers are there; the log only on demand."""
    function = caller.create()
    reply = caller("POST", PATH, body=b"\0\xff")

    assert (reply.status, reply.body) == (200, b"\0\xff")
    assert reply.headers["x-fc-instance-id"] == "i-1"
    assert reply.headers["x-fc-invocation-duration"] == "2"
    assert reply.headers["x-fc-max-memory-usage"] == "9.00"
    assert reply.headers["x-fc-invocation-service-version"] == "LATEST"
    assert reply.headers["x-fc-code-checksum"] == function.code.checksum
    assert "x-fc-log-result" not in reply.headers
    assert "x-fc-error-type" not in reply.headers


def test_the_log_of_a_synchronous_call_is_framed_by_its_request_id(caller: Caller) -> None:
    """Start and end lines as Function Compute writes them."""
    caller.create()
    reply = caller("POST", PATH, headers={"x-fc-log-type": "Tail"})
    request_id = reply.headers["x-fc-request-id"]
    expected = f"FC Invoke Start RequestId: {request_id}\nhello\nFC Invoke End RequestId: {request_id}\n"

    assert base64.b64decode(reply.headers["x-fc-log-result"]).decode() == expected


def test_a_log_tail_is_at_most_four_kibibytes() -> None:
    """Its end is what is kept; what was dropped earlier is said; silence is a section without a word."""
    assert log_tail(Log(1, b"begin", b"end\n", 7), "r") == b"begin\n... 7 bytes dropped ...\nend\n"
    long = log_tail(Log(1, b"a" * 9000, b"b" * 5000 + b"end\n"), "r")
    assert (len(long), long[-5:]) == (LOG_TAIL_BYTES, b"bend\n")
    assert log_tail(Log(1, b""), "r") == b"FC Invoke Start RequestId: r\nFC Invoke End RequestId: r\n"


@pytest.mark.parametrize("kind", ["UnhandledInvocationError", "HandledInvocationError"])
def test_a_function_error_is_200_with_its_document(
    caller: Caller, behaves: Callable[[Behaviour], None], kind: str
) -> None:
    """A header says that it failed, the body is the error document."""
    caller.create()
    document = b'{"errorMessage":"no","errorType":"ValueError","stackTrace":[]}'

    async def fail(*_: object) -> Answer:
        failure = Failure(kind=kind, type="ValueError", message="no", document=document)
        return Answer(failure, "i-1", 1, 1, Log(1, b""))

    behaves(fail)
    reply = caller("POST", PATH)

    assert (reply.status, reply.body) == (200, document)
    assert reply.headers["x-fc-error-type"] == kind
    assert reply.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ResourceExhausted("no concurrency left"), 429, "ResourceExhausted"),
        (InstanceStartFailed("CodeMissing", "no code"), 412, "FunctionNotStarted"),
        (ServiceUnavailable("draining"), 503, "ServiceUnavailable"),
    ],
)
def test_a_call_that_cannot_be_made_is_an_error(
    caller: Caller, behaves: Callable[[Behaviour], None], error: SojournError, status: int, code: str
) -> None:
    """Not a function error: the function never ran."""
    caller.create()

    async def refuse(*_: object) -> Answer:
        raise error

    behaves(refuse)
    caller("POST", PATH).refused(status, code, error.message)


def test_an_instance_that_was_lost_is_ours_to_answer_for(caller: Caller, behaves: Callable[[Behaviour], None]) -> None:
    """503, so that clients try again."""
    caller.create()

    async def lose(*_: object) -> Answer:
        failure = Failure(kind="UnhandledInvocationError", type="InstanceLost", message="it went", lost=True)
        return Answer(failure, "i-1", 1, 1, Log(1, b""))

    behaves(lose)
    caller("POST", PATH).refused(503, "ServiceUnavailable", "the instance was lost: it went")


def test_a_fault_of_ours_tells_the_caller_only_the_request_id(
    caller: Caller, behaves: Callable[[Behaviour], None], caplog: pytest.LogCaptureFixture
) -> None:
    """500 in the common form; the log has the rest under the same id."""
    caller.create()

    async def break_down(*_: object) -> Answer:
        raise RuntimeError("secret detail")

    behaves(break_down)
    reply = caller("POST", PATH)
    reply.refused(500, "InternalServerError", "an internal error has occurred")

    assert b"secret detail" not in reply.body
    assert reply.headers["x-fc-request-id"] in caplog.text
    assert "secret detail" in caplog.text


def test_a_caller_that_goes_away_cancels_its_call(caller: Caller, behaves: Callable[[Behaviour], None]) -> None:
    """Nothing runs on for nobody; the server goes on serving."""
    caller.create()
    began, cancelled = threading.Event(), threading.Event()

    async def hang(*_: object) -> Answer:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return Answer(Success(result=b""), "", 0, 0, Log(1, b""))

    behaves(hang)
    signed = caller.signed("POST", VERSION + PATH, "", b"")
    lines = "".join(f"{name}: {value}\r\n" for name, value in signed.items())
    with socket.create_connection(("127.0.0.1", caller.door.port), timeout=10) as wire:
        wire.sendall(f"POST {VERSION}{PATH} HTTP/1.1\r\n{lines}content-length: 0\r\n\r\n".encode())
        assert began.wait(10)
        assert not cancelled.is_set()

    assert cancelled.wait(10)
    assert caller("GET", "/functions/f").status == 200


def test_a_caller_that_waits_is_waited_for(caller: Caller, behaves: Callable[[Behaviour], None]) -> None:
    """A slow answer is not mistaken for a caller that has gone."""
    caller.create()

    async def slow(*_: object) -> Answer:
        for _turn in range(200):
            await asyncio.sleep(0)
        return Answer(Success(result=b"late"), "i-1", 1, 1, Log(1, b""))

    behaves(slow)

    assert caller("POST", PATH).body == b"late"
