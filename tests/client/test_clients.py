from __future__ import annotations

import asyncio
import inspect
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from client.driven import Driven
from client.fake_server import BEGAN_MS, FakeServer, Reply, error
from sojourn.client import (
    AsyncClient,
    Client,
    Conflict,
    Connection,
    NotFound,
    Refused,
    Retries,
    Status,
    Submission,
    TaskFilter,
    Throttled,
    Unauthorized,
    Unreachable,
    WaitTimedOut,
)

HANG_UP = Reply(0)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A function's directory."""
    (tmp_path / "index.py").write_text("def handler(event, context): return event")
    return tmp_path


def test_both_clients_have_the_same_verbs() -> None:
    """Same names, same arguments, same order."""

    def parameters(kind: type) -> dict[str, list[str]]:
        return {name: list(inspect.signature(verb).parameters) for name, verb in verbs(kind)}

    assert parameters(Client) == parameters(AsyncClient)
    assert list(inspect.signature(Client).parameters) == list(inspect.signature(AsyncClient).parameters)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_verbs_are_methods_like_any_other(kind: type) -> None:
    """They have a docstring, and say what they return as the one who calls them gets it, whatever they are made of."""
    for name, verb in verbs(kind):
        assert verb.__name__ == name
        assert verb.__doc__, name
        assert "Generator" not in str(get_type_hints(verb)["return"]), name
        if "Iterator" not in str(verb.__annotations__["return"]):
            assert inspect.iscoroutinefunction(verb) is (kind is AsyncClient), name
    with Client(Connection("http://localhost:1", "a", "s")) as client:
        assert str(inspect.signature(client.get_task)) == "(function: 'str', task_id: 'str') -> 'model.Task'"


def verbs(kind: type) -> list[tuple[str, Callable[..., Any]]]:
    """The public methods of a client."""
    return [(name, verb) for name, verb in inspect.getmembers(kind, inspect.isfunction) if name[0] != "_"]


def test_deploy_then_update(client: Driven, server: FakeServer, code: Path) -> None:
    """A deploy of a new name creates; the next one updates with the same bytes; progress ends at the whole body."""
    told: list[tuple[int, int]] = []
    made = client.deploy(
        "fresh",
        code,
        handler="index.handler",
        runtime="python3.12",
        timeout=9,
        memory=128,
        env={"A": "1"},
        description="d",
        retries=0,
        max_age=60,
        reserved_concurrency=2,
        progress=lambda sent, total: told.append((sent, total)),
    )
    client.deploy("fresh", code)
    created, updated = (seen for seen in server.requests if seen.action in ("CreateFunction", "UpdateFunction"))

    assert (made.function_name, made.runtime, made.memory_size) == ("fresh", "python3.12", 128)
    assert told[-1] == (len(created.body), len(created.body))
    assert created.json["code"] == updated.json["code"]
    assert set(updated.json) == {"code"}
    assert created.json["environmentVariables"] == {"A": "1"}
    assert server.configs["fresh"] == {
        "asyncTask": True,
        "maxAsyncRetryAttempts": 0,
        "maxAsyncEventAgeInSeconds": 60,
    }
    assert server.limits["fresh"] == {"reservedConcurrency": 2}


def test_functions_are_listed_over_all_pages(client: Driven, server: FakeServer) -> None:
    """The iterator walks the pages; one page tells how to go on."""
    for number in range(45):
        server.add_function(f"f-{number:02d}")

    page = client.list_functions(prefix="f-", limit=2)
    assert [function.function_name for function in page.functions] == ["f-00", "f-01"]
    assert client.list_functions(prefix="f-", limit=2, next_token=page.next_token).functions[0].function_name == "f-02"
    everything = client.iterate_functions(prefix="f-")
    assert [function.function_name for function in everything] == [f"f-{number:02d}" for number in range(45)]


def test_function_verbs(client: Driven, server: FakeServer) -> None:
    """Get, configure, limit and delete reach the function; what is not there is `NotFound`."""
    assert client.get_function("hello").handler == "index.handler"
    assert client.put_async_config("hello", retries=1).max_async_retry_attempts == 1
    assert client.put_async_config("hello", max_age=5).max_async_retry_attempts == 1
    assert client.get_async_config("hello").max_async_event_age_in_seconds == 5
    assert client.get_async_config("hello").retry_interval_seconds is None
    waits = client.put_async_config("hello", retry_interval=2, retry_interval_max=9, queue_weight=3)
    assert (waits.retry_interval_seconds, waits.retry_interval_max_seconds, waits.queue_weight) == (2, 9, 3)
    assert waits.max_async_retry_attempts == 1
    assert client.delete_async_config("hello") is None
    assert client.put_concurrency("hello", 0).reserved_concurrency == 0
    assert client.get_concurrency("hello").reserved_concurrency == 0
    assert client.delete_concurrency("hello") is None
    for verb in ("get_async_config", "get_concurrency"):
        with pytest.raises(NotFound):
            getattr(client, verb)("hello")
    assert client.delete_function("hello") is None
    with pytest.raises(NotFound) as caught:
        client.get_function("hello")
    assert (caught.value.status, caught.value.code, caught.value.request_id) == (404, "FunctionNotFound", "1-req")
    assert server.functions == {}


@pytest.mark.parametrize("payload", ["grüße", "grüße".encode()])
def test_submit_and_wait(client: Driven, server: FakeServer, payload: str | bytes) -> None:
    """A submitted task carries payload, id and delay, and the wait ends with its terminal status and history."""
    accepted = client.submit("hello", payload, task_id="t-1", delay=2)
    task = client.wait("hello", "t-1")

    assert accepted == Submission(task_id="t-1", request_id="1-req")
    assert server.requests[0].body == "grüße".encode()
    assert server.requests[0].headers["x-fc-async-delay"] == "2"
    assert task.succeeded
    assert [event.status.value for event in task.events] == list(server.lives)
    assert task.events[2].detail == {"attempt": 1, "instanceId": "i-1"}
    assert (task.events[0].timestamp, task.function_name) == (BEGAN_MS, "hello")
    assert (task.payload, task.result) == ("grüße".encode(), b"done")


def test_bytes_that_are_no_text(client: Driven, server: FakeServer) -> None:
    """A payload or result in base64 is decoded."""
    server.add_task("hello", "t", taskPayload="/wA=", taskPayloadEncoding="base64", returnPayload="/w==")
    assert client.get_task("hello", "t").payload == b"\xff\x00"
    assert client.get_task("hello", "t").result == b"/w=="


def test_the_server_names_a_task_without_a_name(client: Driven) -> None:
    """The id is the one of the answer's header."""
    assert client.submit("hello").task_id == "1-made-000"


def test_wait_all_keeps_the_order(client: Driven, server: FakeServer) -> None:
    """Many tasks are waited for together, told one by one as they end, and returned in the order asked."""
    ids = [client.submit("hello", task_id=f"t-{number}").task_id for number in range(12)]
    server.lives = ("Running", "Failed")
    ids.append(client.submit("hello", task_id="bad").task_id)
    heard: list[str] = []
    tasks = client.wait_all([("hello", name) for name in ids], on_over=lambda task: heard.append(task.task_id))

    assert [task.task_id for task in tasks] == ids
    assert sorted(heard) == sorted(ids)
    assert tasks[-1].status is Status.FAILED
    assert client.wait_all([]) == []


def test_waits_end_in_time_and_name_what_is_late(client: Driven, server: FakeServer) -> None:
    """Only the tasks that are not over are named."""
    server.add_task("hello", "slow", "Running")
    server.add_task("hello", "done")

    with pytest.raises(WaitTimedOut) as caught:
        client.wait_all([("hello", "done"), ("hello", "slow")], timeout=0.02)
    assert caught.value.waiting == [("hello", "slow")]
    with pytest.raises(WaitTimedOut, match="still Running"):
        client.wait("hello", "slow", timeout=0)


def test_waiting_for_nothing_is_not_found(client: Driven, server: FakeServer) -> None:
    """One unknown task ends a wait for many."""
    server.add_task("hello", "slow", "Running")

    with pytest.raises(NotFound):
        client.wait_all([("hello", "slow"), ("hello", "none")])


def test_tasks_are_listed_by_filter_over_all_pages(client: Driven, server: FakeServer) -> None:
    """Filters travel with every page."""
    for number in range(45):
        server.add_task("hello", f"t-{number:02d}", "Failed" if number % 3 == 0 else "Succeeded")
    wanted = TaskFilter(status=Status.FAILED, prefix="t-", started_from=BEGAN_MS, limit=4)
    found = client.iterate_tasks("hello", wanted)

    assert [task.task_id for task in found] == [f"t-{number:02d}" for number in range(42, -1, -3)]
    assert len(client.list_tasks("hello").tasks) == 20
    assert client.list_tasks("hello", TaskFilter(started_from=BEGAN_MS + 1)).tasks == []


def test_stop_and_logs(client: Driven, server: FakeServer) -> None:
    """A stop of a running task is accepted, of a finished one a conflict; logs come by attempt."""
    server.add_task("hello", "t", "Running")

    assert client.stop_task("hello", "t") is None
    assert client.wait("hello", "t").status is Status.STOPPED
    with pytest.raises(Conflict) as caught:
        client.stop_task("hello", "t")
    assert caught.value.status == 412
    assert [(log.attempt, log.text, log.dropped) for log in client.logs("hello", "t")] == [(1, "hello\n", 0)]


def test_deliveries(client: Driven, server: FakeServer) -> None:
    """Looked at and sent again; destinations go with the configuration, and "" removes one."""
    server.add_task("hello", "t")
    (failed,) = client.deliveries("hello", "t")
    assert (failed.status, failed.attempts, failed.destination) == ("Failed", 3, "https://hook.example/")
    assert client.resend("hello", "t").round == 2
    assert (client.webhook_secret(), client.webhook_secret(rotate=True)) == ("whsec_b2xk", "whsec_bmV3")
    client.put_async_config("hello", on_success="https://a.example/", on_failure="")
    assert server.requests[-1].json == {
        "asyncTask": True,
        "destinationConfig": {
            "onSuccess": {"destination": "https://a.example/"},
            "onFailure": {"destination": ""},
        },
    }


def test_invoke(client: Driven, server: FakeServer) -> None:
    """A synchronous call returns bytes, instance and log; a function's error is a value, not an exception."""
    answer = client.invoke("hello", b"abc")
    assert (answer.result, answer.log, answer.instance_id, answer.succeeded) == (b"cba", "logged", "i-1", True)

    document = {"errorMessage": "no", "errorType": "ValueError"}
    server.faults["InvokeFunction"].append(Reply(200, document, {"X-Fc-Error-Type": "UnhandledInvocationError"}))
    failed = client.invoke("hello")
    assert (failed.succeeded, failed.error_type) == (False, "UnhandledInvocationError")


def test_accounts_and_version(client: Driven, server: FakeServer) -> None:
    """An account is made with a key pair, listed, and not made twice; the version is there without a key."""
    assert client.create_account("b").access_key_secret == "new-secret"
    assert [(account.account_id, account.owner) for account in client.list_accounts()] == [
        ("owner", True),
        ("b", False),
    ]
    with pytest.raises(Conflict):
        client.create_account("b")
    assert client.version().version == "9.9.9"
    assert "authorization" not in server.requests[-1].headers


def test_a_wrong_key_is_unauthorized(kind: str, server: FakeServer) -> None:
    """The server checks what was signed."""
    with pytest.raises(Unauthorized):
        Driven(kind, Connection(server.endpoint, "test-key", "wrong")).get_function("hello")


def test_every_attempt_is_signed_anew(client: Driven, server: FakeServer) -> None:
    """A call that is sent again carries another nonce, or the server would take it for a replay."""
    server.faults["GetFunction"].extend([HANG_UP, HANG_UP])
    client.get_function("hello")
    nonces = [seen.headers["x-acs-signature-nonce"] for seen in server.requests]

    assert len(nonces) == len(set(nonces)) == 3


def test_a_lost_answer_to_a_submit(client: Driven, server: FakeServer) -> None:
    """With existing_ok the submit is repeated and the 409 counts as success; without it the caller is told."""

    def accept_then_hang_up(seen: Any) -> None:
        server.on_request = lambda _: None
        server._invoke(seen, "hello")
        server.faults["InvokeFunction"].append(HANG_UP)

    server.on_request = accept_then_hang_up
    assert client.submit("hello", b"x", task_id="t", existing_ok=True).existed
    server.faults["InvokeFunction"].append(HANG_UP)
    with pytest.raises(Unreachable):
        client.submit("hello", b"x", task_id="other")
    assert list(server.tasks) == [("hello", "t")]


def test_throttling_is_told_or_waited_out(kind: str, server: FakeServer) -> None:
    """A 429 is an error with the server's wish, or on request a pause."""
    full = error(429, "ResourceExhausted", "too many", Retry_After="0")
    server.faults["InvokeFunction"].extend([full, full])
    patient = Driven(kind, server.connection, retries=Retries(throttled=1, base_seconds=0.001))

    with pytest.raises(Throttled) as caught:
        Driven(kind, server.connection).submit("hello")
    assert caught.value.retry_after == 0
    assert patient.submit("hello").task_id


@pytest.fixture
def nowhere() -> Iterator[Connection]:
    """A port that is taken, where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield Connection(f"http://127.0.0.1:{taken.getsockname()[1]}", "k", "s")


def test_nobody_there(kind: str, nowhere: Connection) -> None:
    """No server is `Unreachable`, naming the place."""
    with pytest.raises(Unreachable, match=nowhere.endpoint):
        Driven(kind, nowhere, retries=Retries(connection=0)).get_function("hello")


def test_no_answer_in_time(kind: str) -> None:
    """A server that accepts and says nothing is `Unreachable` after the timeout."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        connection = Connection(f"http://127.0.0.1:{silent.getsockname()[1]}", "k", "s")
        hasty = Driven(kind, connection, timeout_seconds=0.01, retries=Retries(connection=0))

        with pytest.raises(Unreachable, match="did not answer in time"):
            hasty.get_function("hello")


def test_proxies_do_not_stand_before_this_machine(
    client: Driven, monkeypatch: pytest.MonkeyPatch, nowhere: Connection
) -> None:
    """A proxy in the environment is for other machines."""
    monkeypatch.setenv("HTTP_PROXY", nowhere.endpoint)
    monkeypatch.setenv("http_proxy", nowhere.endpoint)

    assert client.get_function("hello").function_name == "hello"


def test_a_link_in_the_code_never_leaves(client: Driven, server: FakeServer, code: Path) -> None:
    """Code that cannot be deployed is refused before anything is sent."""
    (code / "link").symlink_to("index.py")
    with pytest.raises(Refused):
        client.deploy("fresh", code, handler="index.handler", runtime="python3.12")

    assert server.requests == []


def test_many_waits_run_at_the_same_time(server: FakeServer) -> None:
    """The asynchronous client asks about all tasks before the first one is over."""
    server.lives = ("Running", "Running", "Succeeded")

    async def talk() -> None:
        async with AsyncClient(server.connection) as client:
            for name in "abc":
                await client.submit("hello", task_id=name)
            await client.wait_all([("hello", name) for name in "abc"])

    asyncio.run(talk())
    polls = [seen.path.rpartition("/")[2] for seen in server.requests if seen.action == "GetAsyncTask"]

    assert set(polls[:3]) == {"a", "b", "c"}


def test_a_cancelled_wait_stops_asking(server: FakeServer) -> None:
    """Cancelling is heard at once, in the middle of a pause or a call."""
    server.add_task("hello", "slow", "Running")

    async def talk() -> None:
        asked = asyncio.Event()
        loop = asyncio.get_running_loop()
        server.on_request = lambda _: loop.call_soon_threadsafe(asked.set)
        async with AsyncClient(server.connection) as client:
            waiting = asyncio.create_task(client.wait("hello", "slow"))
            await asked.wait()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        server.on_request = lambda _: None

    asyncio.run(talk())
