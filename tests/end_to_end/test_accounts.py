"""Two accounts on one server: neither sees, changes or reaches what is the other's."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from end_to_end.functions import ECHO, HANDLER, RUNTIME
from end_to_end.isolation import BRISK, why_not
from live import LiveServer, archive
from sojourn.client import Client, NotFound, Refused, Status, Unauthorized

REACH = """
import socket

def handler(event, context):
    try:
        socket.create_connection(("127.0.0.1", int(event)), timeout=5).close()
    except OSError as error:
        return type(error).__name__
    return "connected"
"""

LOOK = """
import os

def handler(event, context):
    seen = {"code": os.listdir("/code"), "processes": [], "files": []}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                seen["processes"].append(open(f"/proc/{name}/cmdline").read())
            except OSError:
                pass
    for path in event.decode().split("\\n"):
        try:
            os.listdir(path)
            seen["files"].append(path)
        except OSError:
            pass
    return seen
"""


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """Accounts need isolation between them."""
    if reason := why_not("bubblewrap"):
        pytest.skip(reason)
    with LiveServer(sandbox="bubblewrap", settings=BRISK) as live:
        yield live
        assert live.terminate() == 0
        assert live.processes() == []


@pytest.fixture(scope="module")
def owner(server: LiveServer) -> Client:
    """The first account, with a function and a task."""
    client = server.client()
    client.deploy("mine", archive(ECHO), handler=HANDLER, runtime=RUNTIME)
    client.put_async_config("mine", retries=1)
    client.put_concurrency("mine", 5)
    client.submit("mine", "secret payload", task_id="my-task")
    client.wait("mine", "my-task", timeout=30)
    return client


@pytest.fixture(scope="module")
def other(server: LiveServer, owner: Client) -> Client:
    """A second account."""
    key = owner.create_account("second")
    return server.client(key.access_key_id, key.access_key_secret)


TRESPASSES: dict[str, Callable[[Client], Any]] = {
    "get function": lambda client: client.get_function("mine"),
    "delete function": lambda client: client.delete_function("mine"),
    "get async config": lambda client: client.get_async_config("mine"),
    "put async config": lambda client: client.put_async_config("mine", retries=8),
    "delete async config": lambda client: client.delete_async_config("mine"),
    "get concurrency": lambda client: client.get_concurrency("mine"),
    "put concurrency": lambda client: client.put_concurrency("mine", 0),
    "delete concurrency": lambda client: client.delete_concurrency("mine"),
    "invoke": lambda client: client.invoke("mine", "x"),
    "submit": lambda client: client.submit("mine", "x"),
    "get task": lambda client: client.get_task("mine", "my-task"),
    "list tasks": lambda client: client.list_tasks("mine"),
    "stop task": lambda client: client.stop_task("mine", "my-task"),
    "logs": lambda client: client.logs("mine", "my-task"),
}


@pytest.mark.parametrize("name", TRESPASSES)
def test_what_is_another_accounts_does_not_exist(owner: Client, other: Client, name: str) -> None:
    """404, the same as for what nobody has, and nothing has changed."""
    before = (
        owner.get_function("mine"),
        owner.get_async_config("mine"),
        owner.get_concurrency("mine"),
        owner.get_task("mine", "my-task"),
        len(owner.list_tasks("mine").tasks),
    )
    with pytest.raises(NotFound):
        TRESPASSES[name](other)
    assert before == (
        owner.get_function("mine"),
        owner.get_async_config("mine"),
        owner.get_concurrency("mine"),
        owner.get_task("mine", "my-task"),
        len(owner.list_tasks("mine").tasks),
    )


def test_names_are_each_accounts_own(owner: Client, other: Client) -> None:
    """The same function name and task id, another function and another task; a request id opens no door."""
    other.deploy("mine", archive(LOOK), handler=HANDLER, runtime=RUNTIME)
    other.submit("mine", "theirs", task_id="my-task")
    unnamed = owner.submit("mine", "x").task_id
    with pytest.raises(NotFound):
        other.get_task("mine", unnamed)
    assert other.wait("mine", "my-task", timeout=30).task_payload == "theirs"
    assert owner.get_task("mine", "my-task").task_payload == "secret payload"
    assert {function.function_name for function in other.iterate_functions()} == {"mine"}
    other.delete_function("mine")
    assert owner.get_function("mine").function_name == "mine"


def test_only_the_owner_reaches_the_network_unless_told_otherwise(owner: Client, other: Client) -> None:
    """A listener on this machine's loopback: the owner's functions share the host's network, the others' have none."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        answers = {}
        for name, client in (("owner", owner), ("other", other)):
            client.deploy("reach", archive(REACH), handler=HANDLER, runtime=RUNTIME, timeout=20)
            answers[name] = client.invoke("reach", port).result
    assert answers["owner"] == b"connected"
    assert answers["other"] != b"connected"


def test_a_function_sees_only_its_own_accounts_world(server: LiveServer, owner: Client, other: Client) -> None:
    """Not the data directory, not the owner's code, not the server's processes."""
    other.deploy("look", archive(LOOK), handler=HANDLER, runtime=RUNTIME, timeout=20)
    data = server.data
    paths = [str(path) for path in (data, data / "code", *(data / "code").iterdir(), data / "sandboxes")]
    seen = json.loads(other.invoke("look", "\n".join(paths)).result)

    assert seen["code"] == ["index.py"]
    assert seen["files"] == []
    assert not [line for line in seen["processes"] if "sojourn.cli" in line]
    assert owner.get_function("mine").code_size


def test_accounts_are_the_owners_to_make(owner: Client, other: Client) -> None:
    """Nobody else creates or lists them; a name is taken once; a wrong one is refused."""
    for trespass in (lambda: other.create_account("third"), other.list_accounts):
        with pytest.raises(Unauthorized):
            trespass()
    with pytest.raises(Refused):
        owner.create_account("../third")
    assert [(account.account_id, account.owner) for account in owner.list_accounts()][1:] == [("second", False)]


def test_accounts_are_still_apart_after_a_restart(server: LiveServer, other: Client) -> None:
    """The second account's key and sandbox come back as they were."""
    key = other.connection
    server.kill()
    server.gone()
    server.start()
    client = server.client(key.access_key_id, key.access_key_secret)
    client.deploy("again", archive(ECHO), handler=HANDLER, runtime=RUNTIME)
    assert client.wait("again", client.submit("again", "x").task_id, timeout=30).status is Status.SUCCEEDED
    with pytest.raises(NotFound):
        client.get_function("mine")


def test_without_isolation_a_second_account_is_refused_unless_it_is_allowed() -> None:
    """Level 0 keeps nobody apart; whoever trusts every account can say so."""
    with LiveServer(sandbox="process", settings=BRISK) as live:
        client = live.client()
        with pytest.raises(Unauthorized, match="keep accounts apart"):
            client.create_account("second")
        assert len(client.list_accounts()) == 1
    trusting = BRISK | {"SOJOURN_ALLOW_UNISOLATED": "1", "SOJOURN_NETWORK_OTHERS": "host"}
    with LiveServer(sandbox="process", settings=trusting) as live:
        key = live.client().create_account("second")
        client = live.client(key.access_key_id, key.access_key_secret)
        client.deploy("echo", archive(ECHO), handler=HANDLER, runtime=RUNTIME)
        assert client.wait("echo", client.submit("echo", "x").task_id, timeout=30).status is Status.SUCCEEDED
