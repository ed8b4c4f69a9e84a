"""Each official client drives a real server through the whole life of functions and tasks, in one and the same test.

`docs/compat.md` says which step is shown by which test; `test_official_clients` holds it to what is here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from end_to_end.functions import ECHO, FLAKY, SLEEPER
from end_to_end.generation import Document, Generation
from end_to_end.generations import SERVICE, Classic, Open, Refused, have_service
from end_to_end.newest import Newest
from end_to_end.node_clients import PACKAGES, Node, installed
from end_to_end.post import PRELUDE, Post
from end_to_end.test_official_sdk import Sdk
from live import LiveServer, until

pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)  # one client leaves the archive that it reads open

SECONDS = 30.0
OVER = {"Succeeded", "Failed", "Stopped", "Expired", "Invalid"}
PYTHON: dict[str, type[Open | Classic | Newest]] = {
    "pypi-fc20230330": Newest,
    "pypi-fc-open20210406": Open,
    "pypi-aliyun-fc2": Classic,
}
CLIENTS = (*PYTHON, *(f"npm-{name}" for name in PACKAGES))
HOOKS = {"initializer": ("index.initialize", 70), "preStop": ("index.pre_stop", 50)}
HOOKED = """
import time

state = []

def initialize(context):
    state.append("ready")

def handler(event, context):
    if event:
        tell("handler")
        time.sleep(600)
    return "".join(state)

def pre_stop(context):
    tell("preStop")
"""
NEVER_READY = "#!/bin/sh\nexec sleep 600\n"
"""A program that never takes a request, so that its task stays Dequeued."""


@pytest.fixture(scope="module", params=CLIENTS)
def client(server: LiveServer, request: pytest.FixtureRequest) -> Iterator[Generation]:
    """The owner's, with a service; names of functions begin with a letter of the client's own."""
    which: str = request.param
    made: Generation
    if which in PYTHON:
        made = PYTHON[which](server)
    else:
        made = Node(which.removeprefix("npm-"), installed(request.config.cache.mkdir("npm")), server)
    made.letter = "abcdefgh"[CLIENTS.index(which)]
    try:
        have_service(made)
        yield made
    finally:
        made.close()


@pytest.fixture
def prefix(client: Generation) -> str:
    """What names of functions begin with."""
    return client.letter


def refused(call: Callable[..., object], *arguments: object, **more: object) -> tuple[int, str]:
    """The status and the code with which a call is refused."""
    with pytest.raises(Refused) as raised:
        call(*arguments, **more)
    return raised.value.status, raised.value.code


def reach(client: Generation, name: str, task_id: str, *statuses: str) -> Document:
    """The task once it has one of `statuses`."""
    until(lambda: client.get(name, task_id)["status"] in statuses, SECONDS, f"{task_id} in {statuses}")
    return client.get(name, task_id)


def path(task: Document) -> list[str]:
    """Its statuses so far."""
    return [event["status"] for event in task["events"]]


def test_a_function_lives_and_dies(client: Generation, prefix: str) -> None:
    """Created once, called, deleted."""
    name = f"{prefix}-echo"
    made = client.create(name, ECHO, memory_size=256)
    assert (made["functionName"], made["memorySize"]) == (name, 256)
    assert client.call(name, b"some bytes") == b"some bytes"
    assert refused(client.create, name, ECHO) == (409, "FunctionAlreadyExists")
    client.delete(name)
    assert refused(client.delete, name) == (404, "FunctionNotFound")


def test_a_function_is_configured(client: Generation, prefix: str) -> None:
    """Hooks run and are shown; the configuration of tasks and the bound are put, got, listed and deleted."""
    name = f"{prefix}-hooked"
    client.create(name, f"def tell(_): pass\n{HOOKED}", hooks=HOOKS)
    assert client.hooks_of(name) == HOOKS
    assert client.call(name) == b"ready"

    assert refused(client.config_of, name)[0] == 404
    client.configure(name, maxAsyncRetryAttempts=5, maxAsyncEventAgeInSeconds=60)
    client.configure(name, maxAsyncRetryAttempts=0)
    config = client.config_of(name)
    assert (config["maxAsyncRetryAttempts"], config["maxAsyncEventAgeInSeconds"]) == (0, 60)
    assert [(each["function"], each["maxAsyncRetryAttempts"]) for each in client.configs_of(name)] == [(name, 0)]
    assert refused(client.configure, name, maxAsyncRetryAttempts=9) == (400, "InvalidArgument")
    client.unconfigure(name)
    assert refused(client.unconfigure, name)[0] == 404

    assert refused(client.bound_of, name)[0] == 404
    client.bound(name, 2)
    assert client.bound_of(name) == 2
    client.unbound(name)
    assert refused(client.bound_of, name)[0] == 404


def test_a_task_has_every_field(client: Generation, prefix: str) -> None:
    """In the words of its generation; a duplicate is refused and runs nothing."""
    name = f"{prefix}-whole"
    client.create(name, ECHO)
    assert client.submit(name, b"payload", task_id="named-task") == "named-task"
    task = reach(client, name, "named-task", *OVER)

    assert (task["serviceName"], task["functionName"], task["qualifier"]) == (SERVICE, name, "LATEST")
    assert (task["invocationId"], task["status"]) == ("named-task", "Succeeded")
    assert (task["invocationPayload"], task["returnPayload"], task["invocationErrorMessage"]) == (
        "payload",
        "payload",
        "",
    )
    assert path(task) == ["Enqueued", "Dequeued", "Running", "Succeeded"]
    assert 0 < task["startedTime"] <= task["endTime"]
    assert refused(client.submit, name, task_id="named-task") == (409, "StatefulAsyncInvocationAlreadyExists")
    assert refused(client.submit, name, task_id="1-starts-with-a-digit") == (400, "InvalidArgument")
    assert refused(client.get, name, "nobody") == (404, "StatefulAsyncInvocationNotFound")


def test_tasks_are_listed_with_every_filter_page_by_page(client: Generation, prefix: str) -> None:
    """Status, prefix, time window, order, payload, and pages that together are the whole."""
    name = f"{prefix}-listed"
    client.create(name, ECHO)
    done = [client.submit(name, b"%d" % number, task_id=f"done-{number}") for number in range(7)]
    tasks = [reach(client, name, task_id, "Succeeded") for task_id in done]
    seen: list[str] = []
    token = ""
    while True:
        more = {"nextToken": token} if token else {}
        page = client.page(name, limit=3, sortOrderByTime="asc", invocationIdPrefix="done-", **more)
        seen += [task["invocationId"] for task in page["invocations"]]
        token = page.get("nextToken") or ""
        if not token:
            break
    assert seen == done
    assert [task["invocationId"] for task in client.page(name)["invocations"]] == done[::-1]
    assert len(client.page(name, status="Succeeded", limit=100)["invocations"]) == 7
    assert client.page(name, status="Failed")["invocations"] == []
    payloads = {task["invocationPayload"] for task in client.page(name, includePayload=True)["invocations"]}
    assert payloads == set("0123456")
    middle = tasks[3]["startedTime"]
    window = client.page(name, startedTimeBegin=middle, startedTimeEnd=middle, limit=100)["invocations"]
    assert done[3] in [task["invocationId"] for task in window]
    assert refused(client.page, name, limit=101) == (400, "InvalidArgument")


def test_stops_from_every_status(client: Generation, prefix: str) -> None:
    """Delayed, Enqueued, Running, Retrying; a second stop is refused."""
    slow, broken = f"{prefix}-sleeper", f"{prefix}-broken"
    client.create(slow, SLEEPER, timeout=600)
    client.create(broken, FLAKY)
    client.configure(broken, maxAsyncRetryAttempts=8)
    client.bound(slow, 1)
    running = client.submit(slow, b"600")
    reach(client, slow, running, "Running")
    queued, delayed = client.submit(slow), client.submit(slow, x_fc_async_delay="600")
    for task_id in (queued, delayed):
        client.stop(slow, task_id)
        assert path(client.get(slow, task_id)) == ["Enqueued", "Stopping", "Stopped"]
    client.stop(slow, running)
    assert path(reach(client, slow, running, "Stopped"))[-3:] == ["Running", "Stopping", "Stopped"]
    retrying = client.submit(broken, b"9")
    reach(client, broken, retrying, "Retrying")
    client.stop(broken, retrying)
    reach(client, broken, retrying, "Stopped")
    assert refused(client.stop, broken, retrying) == (412, "StatefulAsyncInvocationAlreadyCompleted")
    assert refused(client.stop, broken, "nobody") == (404, "StatefulAsyncInvocationNotFound")


def test_stops_of_what_is_made_ready_and_of_what_is_stopped_already(
    client: Generation, prefix: str, post: Post
) -> None:
    """Dequeued; and Stopping, where a second stop changes nothing, while PreStop runs."""
    opening, hooked = f"{prefix}-opening", f"{prefix}-reluctant"
    client.create(opening, NEVER_READY, runtime="custom.debian12")
    client.create(hooked, f"import os\nos.environ.update({post.env!r})\n{PRELUDE}\n{HOOKED}", hooks=HOOKS)
    dequeued = client.submit(opening)
    reach(client, opening, dequeued, "Dequeued")
    client.stop(opening, dequeued)
    assert path(reach(client, opening, dequeued, "Stopped")) == ["Enqueued", "Dequeued", "Stopping", "Stopped"]

    stopping = client.submit(hooked, b"wait")
    reach(client, hooked, stopping, "Running")
    post.wait("handler")  # while Initializer runs the task is Running too, and there would be no PreStop
    post.hold("preStop")
    client.stop(hooked, stopping)
    post.wait("preStop")
    assert client.get(hooked, stopping)["status"] == "Stopping"
    client.stop(hooked, stopping)
    post.let_go()
    assert path(reach(client, hooked, stopping, "Stopped"))[-3:] == ["Running", "Stopping", "Stopped"]


def test_retries_expiry_and_invalid(client: Generation, prefix: str) -> None:
    """Failed and then well; failed for good; too old behind a busy function; its function deleted meanwhile."""
    flaky, busy = f"{prefix}-flaky", f"{prefix}-busy"
    client.create(flaky, FLAKY)
    client.create(busy, SLEEPER, timeout=600)
    config = client.configure(flaky, maxAsyncRetryAttempts=2)
    assert (config["statefulInvocation"], config["maxAsyncRetryAttempts"]) == (True, 2)
    assert (config["service"], config["function"], config["qualifier"]) == (SERVICE, flaky, "LATEST")
    well, failed = client.submit(flaky, b"2"), client.submit(flaky, b"9")
    client.configure(busy, maxAsyncEventAgeInSeconds=1)
    client.bound(busy, 1)
    running = client.submit(busy, b"600")
    reach(client, busy, running, "Running")
    expiring = client.submit(busy)

    task = reach(client, flaky, well, *OVER)
    assert (task["status"], task["returnPayload"], task["alreadyRetriedTimes"]) == ("Succeeded", '{"attempt": 3}', 2)
    task = reach(client, flaky, failed, *OVER)
    assert (task["status"], task["invocationErrorMessage"]) == ("Failed", "UnhandledInvocationError")
    reach(client, busy, expiring, "Expired")
    client.configure(busy, maxAsyncEventAgeInSeconds=600)
    invalid = client.submit(busy)
    client.delete(busy)
    reach(client, busy, invalid, "Invalid")
    client.stop(busy, running)
    reach(client, busy, running, "Stopped")
    for name, task_id in ((flaky, well), (flaky, failed), (busy, expiring), (busy, invalid), (busy, running)):
        assert refused(client.stop, name, task_id) == (412, "StatefulAsyncInvocationAlreadyCompleted")


def test_a_wrong_key_gets_in_nowhere(client: Generation, server: LiveServer) -> None:
    """Neither a wrong secret nor an unknown key id."""
    wrong, unknown = client.other(server, secret="x" * 32), client.other(server, key_id="nobody")
    assert refused(wrong.get, "sneaked", "t") == (403, "SignatureNotMatch")
    assert refused(unknown.delete, "sneaked") == (403, "InvalidAccessKeyID")
    wrong.close()
    unknown.close()


def test_one_task_is_visible_in_every_generation(server: LiveServer) -> None:
    """The same task under its names of 2016-08-15, 2021-04-06, 2023-03-30, and stopped in one of them."""
    older, classic = Open(server), Classic(server)
    have_service(older)
    older.create("everywhere", SLEEPER, timeout=600)
    task_id = classic.submit("everywhere", b"600", task_id="one-task")
    reach(older, "everywhere", task_id, "Running")
    newest = Sdk(server).get(f"{SERVICE}$everywhere", task_id)
    assert (newest.task_id, newest.status) == (task_id, "Running")
    classic.stop("everywhere", task_id)
    assert reach(older, "everywhere", task_id, "Stopped")["status"] == "Stopped"
