"""Destinations of a real server: records over real HTTP, checked as a receiver would, through SIGKILL and back.

The receiver checks signatures with the example of docs/destinations.md, which shares no code with the server.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pytest
from alibabacloud_fc20230330 import models
from Tea.exceptions import TeaException

from end_to_end.functions import ECHO, FLAKY, HANDLER, RUNTIME, SLEEPER
from end_to_end.isolation import BRISK
from end_to_end.test_official_sdk import Sdk
from live import LiveServer, archive, until
from sojourn.client import Client, Status

DOCS = Path(__file__).resolve().parents[2] / "docs" / "destinations.md"
SETTINGS = BRISK | {"SOJOURN_WEBHOOK_PRIVATE_ADDRESSES": "true"}
SECONDS = 30.0


def documented_check() -> Callable[[str, dict[str, str], bytes], bool]:
    """The example of the documentation."""
    (code,) = [
        code for code in re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL) if "hmac" in code
    ]
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - our own page
    check: Callable[[str, dict[str, str], bytes], bool] = names["is_genuine"]
    return check


class Receiver:
    """An HTTP endpoint on loopback that remembers what it got; `statuses` are its next answers, `gate` holds them."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def __enter__(self) -> Self:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def do_POST(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(headers["content-length"]))
                receiver.got.append((self.path, headers, body))
                receiver.gate.wait(SECONDS)
                try:
                    self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                    self.end_headers()
                except OSError:
                    pass  # who sent it was killed meanwhile

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def at(self, path: str) -> list[tuple[dict[str, str], bytes]]:
        """What came to this path."""
        return [(headers, body) for where, headers, body in list(self.got) if where == path]


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """One for all."""
    with Receiver() as running:
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """A server that may send to loopback."""
    with LiveServer(settings=SETTINGS) as live:
        client = live.client()
        for name, source in (("echo", ECHO), ("flaky", FLAKY), ("sleeper", SLEEPER), ("after", ECHO)):
            client.deploy(name, archive(source), handler=HANDLER, runtime=RUNTIME, memory=128, retries=1, timeout=60)
        yield live
        assert live.terminate() == 0, live.log()
        assert "Traceback" not in live.log(), live.log()


def delivered(client: Client, function: str, task_id: str, status: str = "Succeeded") -> None:
    """Wait until the record of a task is where it should be."""
    until(lambda: client.get_task(function, task_id).destination_status == status, SECONDS, f"{task_id} {status}")


def test_a_record_arrives_and_its_signature_holds(server: LiveServer, receiver: Receiver) -> None:
    """Body, headers, status; a changed body does not pass."""
    client = server.client()
    client.put_async_config("echo", on_success=f"{receiver.url}/ok?x=1")
    task = client.wait("echo", client.submit("echo", "größe", task_id="one").task_id)
    delivered(client, "echo", "one")
    ((headers, body),) = receiver.at("/ok?x=1")

    assert json.loads(body) == {
        "timestamp": task.end_time,
        "requestContext": {
            "requestId": task.request_id,
            "functionArn": task.function_arn,
            "condition": "",
            "approximateInvokeCount": 1,
        },
        "requestPayload": "größe",
        "responseContext": {"statusCode": 200, "functionError": ""},
        "responsePayload": "größe",
    }
    check, secret = documented_check(), client.webhook_secret()
    assert headers["webhook-id"] == task.request_id
    assert check(secret, headers, body)
    assert not check(secret, headers, body + b" ")
    assert not check(secret, headers | {"webhook-id": "1-other"}, body)
    assert not check(secret, headers | {"webhook-timestamp": "1"}, body)
    assert not check(client.webhook_secret(rotate=True), headers, body)


def test_a_failure_is_retried_at_the_target_and_told(server: LiveServer, receiver: Receiver) -> None:
    """Two attempts of the function, three of the delivery, the same bytes each time."""
    client = server.client()
    client.put_async_config("flaky", on_failure=f"{receiver.url}/bad")
    receiver.statuses += [500, 429]
    client.submit("flaky", "9", task_id="two")
    delivered(client, "flaky", "two")
    got = receiver.at("/bad")
    record = json.loads(got[0][1])

    assert len({(headers["webhook-id"], body) for headers, body in got}) == 1
    assert record["requestContext"]["condition"] == "UnhandledInvocationError"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["responseContext"] == {"statusCode": 200, "functionError": "InvocationError"}
    assert json.loads(record["responsePayload"])["errorType"] == "ConnectionError"
    (delivery,) = client.deliveries("flaky", "two")
    assert (delivery.status, delivery.attempts) == ("Succeeded", 3)


def test_a_stopped_task_is_told(server: LiveServer, receiver: Receiver) -> None:
    """After its process is gone."""
    client = server.client()
    client.put_async_config("sleeper", on_failure=f"{receiver.url}/stopped")
    client.submit("sleeper", task_id="three")
    until(lambda: client.get_task("sleeper", "three").status is Status.RUNNING, SECONDS, "running")
    client.stop_task("sleeper", "three")
    delivered(client, "sleeper", "three")
    ((_, body),) = receiver.at("/stopped")

    assert json.loads(body)["requestContext"]["condition"] == "Stopped"
    assert client.get_task("sleeper", "three").status is Status.STOPPED


def test_every_way_a_task_ends_is_told(server: LiveServer, receiver: Receiver) -> None:
    """Failed by Initializer and by the timeout, stopped before it ran, Expired, Invalid: each with its condition."""
    client = server.client()
    ends = {
        "initialization": ("InitializationError", 200, "InvocationError"),
        "late": ("UnhandledInvocationError", 200, "InvocationError"),
        "stopped": ("Stopped", 499, ""),
        "expired": ("Expired", 408, ""),
        "invalid": ("Invalid", 412, ""),
    }
    source = "import time\ndef initialize(context): raise ValueError(1)\ndef handler(event, context): time.sleep(60)\n"
    hook = {"initializer": {"handler": "index.initialize"}}
    for name in ends:
        client.deploy(
            name,
            archive(source),
            handler=HANDLER,
            runtime=RUNTIME,
            memory=128,
            retries=0,
            timeout=1,
            settings={"instanceLifecycleConfig": hook} if name == "initialization" else None,
        )
        client.put_async_config(
            name,
            on_success=f"{receiver.url}/never",
            on_failure=f"{receiver.url}/ends/{name}",
            max_age=1 if name == "expired" else None,
        )
    for name in ("stopped", "expired", "invalid"):
        client.put_concurrency(name, 0)
    tasks = {name: client.submit(name).task_id for name in ends}
    client.stop_task("stopped", tasks["stopped"])
    client.delete_function("invalid")
    for name, (condition, status, error) in ends.items():
        delivered(client, name, tasks[name])
        ((_, body),) = receiver.at(f"/ends/{name}")
        record = json.loads(body)
        assert record["requestContext"]["condition"] == condition
        assert record["responseContext"] == {"statusCode": status, "functionError": error}
    assert receiver.at("/never") == []


def test_a_refused_record_is_seen_and_sent_again(server: LiveServer, receiver: Receiver) -> None:
    """404 is final until somebody asks for another round."""
    client = server.client()
    client.put_async_config("echo", on_success=f"{receiver.url}/again")
    receiver.statuses.append(404)
    client.submit("echo", task_id="four")
    delivered(client, "echo", "four", "Failed")
    (delivery,) = client.deliveries("echo", "four")
    assert (delivery.attempts, delivery.last_error) == (1, "the target answered 404, which is final")

    assert client.resend("echo", "four").round == 2
    delivered(client, "echo", "four")
    (first, _), (second, _) = receiver.at("/again")
    assert first["webhook-id"] == second["webhook-id"]


def test_the_official_client_configures_a_function_as_destination(server: LiveServer) -> None:
    """PutAsyncInvokeConfig, GetAsyncInvokeConfig, and destinationStatus in GetAsyncTask."""
    sdk = Sdk(server)
    arn = f"acs:fc:local:{server.credentials['accountId']}:functions/after"
    wanted = models.DestinationConfig(on_success=models.Destination(destination=arn))
    assert sdk.configure("echo", destination_config=wanted).destination_config.on_success.destination == arn
    found = sdk.client.get_async_invoke_config("echo", models.GetAsyncInvokeConfigRequest()).body
    assert found.destination_config.on_success.destination == arn
    assert found.destination_config.on_failure is None

    sdk.submit("echo", b"hello", x_fc_async_task_id="five")
    until(lambda: sdk.get("echo", "five").destination_status == "Succeeded", SECONDS, "delivered")
    request_id = sdk.get("echo", "five").request_id
    derived = sdk.reach("after", f"destination-1-{request_id}", "Succeeded")
    record = json.loads(derived.task_payload)
    assert (record["requestPayload"], record["responsePayload"]) == ("hello", "hello")
    assert record["requestContext"]["requestId"] == request_id
    queue = models.Destination(destination="acs:mns:local:1:/queues/dead/messages")
    with pytest.raises(TeaException, match="needs a bridge"):
        sdk.configure("echo", destination_config=models.DestinationConfig(on_failure=queue))


def test_a_kill_between_the_end_and_the_delivery_loses_nothing(receiver: Receiver) -> None:
    """SIGKILL while the target holds its answer back: the next start sends the same record again."""
    with LiveServer(settings=SETTINGS) as server:
        client = server.client()
        client.deploy("echo", archive(ECHO), handler=HANDLER, runtime=RUNTIME, memory=128)
        client.put_async_config("echo", on_success=f"{receiver.url}/killed")
        receiver.gate.clear()
        client.submit("echo", "precious", task_id="six")
        until(lambda: bool(receiver.at("/killed")), SECONDS, "sent once")
        task = client.get_task("echo", "six")
        assert (task.status, task.destination_status) == (Status.SUCCEEDED, "Pending")
        server.kill()
        receiver.gate.set()
        server.start()
        client = server.client()
        delivered(client, "echo", "six")
        (first, body), (second, same) = receiver.at("/killed")
        assert (first["webhook-id"], body) == (second["webhook-id"], same)
        assert client.get_task("echo", "six").events == task.events


def test_a_target_inside_is_refused_unless_the_operator_allows_it(receiver: Receiver) -> None:
    """At the configuration where it can be seen, at the delivery where it cannot: nothing reaches the canary."""
    with LiveServer(settings=BRISK) as server:
        client = server.client()
        client.deploy("echo", archive(ECHO), handler=HANDLER, runtime=RUNTIME, memory=128)
        port = receiver.url.rpartition(":")[2]
        for host in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "0x7f.1"):
            with pytest.raises(Exception, match=r"destinationConfig\.onSuccess\.destination must"):
                client.put_async_config("echo", on_success=f"http://{host}:{port}/inside")
        assert receiver.at("/inside") == []
