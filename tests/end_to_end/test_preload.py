"""`preload` on a real server: what a function asks for, what its tasks see of it, and what becomes of mistakes."""

from __future__ import annotations

import textwrap

import pytest

from end_to_end.functions import HANDLER, RUNTIME
from end_to_end.lives import log, run
from live import LiveServer
from sojourn.client import Client, Status
from zips import zipped

HEAVY = b"import os\nTOKEN = os.urandom(8).hex()\n"
INDEX = b"import heavy\ndef handler(event, context): return heavy.TOKEN\n"


@pytest.fixture
def client(server: LiveServer) -> Client:
    """The owner's."""
    return server.client()


def deploy(client: Client, name: str, heavy: bytes = HEAVY, **settings: object) -> None:
    """A function that answers what its module `heavy` was when it was imported; no instance is kept."""
    code = zipped({"index.py": INDEX, "heavy.py": heavy})
    own = {"idleTimeout": 0, "preload": ["heavy"], **settings}
    client.deploy(name, code, handler=HANDLER, runtime=RUNTIME, timeout=30, memory=128, retries=0, settings=own)


def token(client: Client, name: str) -> str:
    """What a task of it returns."""
    task = run(client, name)
    assert task.status is Status.SUCCEEDED, task
    return task.result.decode()


def test_instances_of_a_function_share_what_is_preloaded_until_it_changes(client: Client) -> None:
    """Each task has an instance of its own; a change of `preload` or code begins anew, without `preload` none share."""
    deploy(client, "shares")
    first = token(client, "shares")
    assert token(client, "shares") == first
    deploy(client, "shares", preload=["heavy", "json"])
    second = token(client, "shares")
    assert token(client, "shares") == second != first
    deploy(client, "shares", HEAVY + b"\n")
    assert token(client, "shares") not in (first, second)
    deploy(client, "shares", preload=[])
    assert token(client, "shares") != token(client, "shares")
    client.delete_function("shares")


def test_a_module_that_cannot_be_imported_makes_tasks_invalid(client: Client) -> None:
    """With the module's name and the reason; a deployment that mends it is enough."""
    deploy(client, "broken", b"import nothing_there\n")
    task = run(client, "broken")
    last = task.events[-1].detail
    assert (task.status, last["Error"]) == (Status.INVALID, "PreloadFailed"), task
    assert "module 'heavy' cannot be imported: ModuleNotFoundError: No module named 'nothing_there'" in str(last)
    deploy(client, "broken")
    assert token(client, "broken")
    client.delete_function("broken")


def test_a_snapshot_has_initializer_run_once_and_after_restore_in_each(client: Client) -> None:
    """The log has a section for it, as Initializer has; an error in it fails the task as Initializer's does."""
    index = """
        import heavy
        def initialize(context): heavy.READY = heavy.TOKEN
        def after_restore(context):
            print("restored", heavy.READY)
            if heavy.BROKEN: raise KeyError("no")
        def handler(event, context): return heavy.READY
    """
    hooks = {"initializer": {"handler": "index.initialize", "timeout": 20}}
    for broken in (b"False", b"True"):
        code = zipped({"index.py": textwrap.dedent(index).encode(), "heavy.py": HEAVY + b"BROKEN = " + broken})
        own = {"idleTimeout": 0, "snapshot": True, "instanceLifecycleConfig": hooks}
        client.deploy("kept", code, handler=HANDLER, runtime=RUNTIME, timeout=30, memory=128, retries=0, settings=own)
        if broken == b"False":
            first = token(client, "kept")
            task = run(client, "kept")
            assert task.result.decode() == first
            assert f"restored {first}" in log(client, "kept", task)
    task = run(client, "kept")
    failed = task.events[-1].detail
    assert (task.status, failed["Error"], failed["errorType"]) == (Status.FAILED, "InitializationError", "KeyError")
    client.delete_function("kept")


def test_accounts_do_not_share_what_is_preloaded(server: LiveServer) -> None:
    """Not even for the same code under the same name: their sandboxes know nothing of each other."""
    if server.sandbox == "process":
        pytest.skip("level 0 takes one account")
    mine = server.client()
    key = mine.create_account("other")
    theirs = server.client(key.access_key_id, key.access_key_secret)
    for each in (mine, theirs):
        deploy(each, "same")
    assert token(mine, "same") != token(theirs, "same")
    mine.delete_function("same")
    theirs.delete_function("same")
