"""Versions, timers, addresses and keys for a time on a real server, with real instances."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import time
import zipfile
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from alibabacloud_fc20230330 import models
from darabonba.runtime import RuntimeOptions

from end_to_end.functions import ECHO, SLEEPER
from end_to_end.generations import SERVICE, Classic, Open, Refused, have_service
from end_to_end.lives import rests
from end_to_end.test_official_sdk import OVER, Sdk, refused
from live import LiveServer, archive, until
from programs import SHEBANG
from sojourn import signature

pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)  # one client leaves the archive that it reads open

SAYS = """
import json, os

def handler(event, context):
    return json.dumps({"says": %r, "version": os.environ["FC_FUNCTION_VERSION"], "pid": os.getpid()})
"""
WEB = """
import json

def handler(event, context):
    request = json.loads(event)
    if request["rawPath"] == "/boom":
        raise ValueError("boom")
    if request["rawPath"] == "/plain":
        return b"no json"
    return {"statusCode": 201, "headers": {"X-Own": "yes", "Content-Type": "text/x"}, "body": json.dumps(request)}
"""
SERVER = """
import http.server, json, os

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        said = {"method": self.command, "path": self.path, "body": body.decode(), "own": self.headers.get("x-own"),
                "control": self.headers.get("x-fc-control-path"), "id": self.headers.get("x-fc-request-id")}
        text = json.dumps(said).encode()
        self.send_response(418 if self.path.startswith("/teapot") else 200)
        self.send_header("content-length", str(len(text)))
        self.send_header("x-said", "so")
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = _answer

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["FC_SERVER_PORT"])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def sdk(server: LiveServer) -> Sdk:
    """The owner's client of the newest generation."""
    return Sdk(server)


@pytest.fixture(scope="module")
def web() -> Iterator[httpx.Client]:
    """Somebody who does not sign."""
    with httpx.Client(trust_env=False, timeout=30) as client:
        yield client


def publish(sdk: Sdk, name: str) -> str:
    """Publish a version."""
    request = models.PublishFunctionVersionRequest(body=models.PublishVersionInput(description=""))
    version: str = sdk.client.publish_function_version(name, request).body.version_id
    return version


def change(sdk: Sdk, name: str, source: str) -> None:
    """Give a function other code."""
    code = models.InputCodeLocation(zip_file=base64.b64encode(archive(source)).decode())
    sdk.client.update_function(name, models.UpdateFunctionRequest(body=models.UpdateFunctionInput(code=code)))


def ask(sdk: Sdk, name: str, qualifier: str) -> dict[str, Any]:
    """Call a version; what it says."""
    answer = sdk.client.invoke_function(name, models.InvokeFunctionRequest(body=b"", qualifier=qualifier))
    said: dict[str, Any] = json.loads(answer.body.read())
    return said


def make_trigger(sdk: Sdk, name: str, kind: str, config: dict[str, object], **more: Any) -> Any:
    """CreateTrigger."""
    body = models.CreateTriggerInput(trigger_name=kind, trigger_type=kind, trigger_config=json.dumps(config), **more)
    return sdk.client.create_trigger(name, models.CreateTriggerRequest(body=body)).body


def test_versions_have_code_and_instances_of_their_own(server: LiveServer, sdk: Sdk) -> None:
    """A task runs the version that its alias meant when it was submitted; an update of LATEST touches no other."""
    sdk.create("many", SAYS % "one")
    one = publish(sdk, "many")
    alias = models.CreateAliasInput(alias_name="prod", version_id=one)
    sdk.client.create_alias("many", models.CreateAliasRequest(body=alias))
    before = ask(sdk, "many", "prod")
    rests(server.client(), "many")  # while it is being frozen nobody gets it: the task would have a new one
    change(sdk, "many", SAYS % "two")
    two = publish(sdk, "many")
    sdk.reserve("many", 0)
    request = models.InvokeFunctionRequest(body=b"", qualifier="prod")
    headers = models.InvokeFunctionHeaders(x_fc_invocation_type="Async", x_fc_async_task_id="kept")
    sdk.client.invoke_function_with_options("many", request, headers, _options())
    moved = models.UpdateAliasInput(version_id=two)
    sdk.client.update_alias("many", "prod", models.UpdateAliasRequest(body=moved))
    sdk.reserve("many", 10)
    task = sdk.reach("many", "kept", *OVER)

    assert (task.status, task.qualifier) == ("Succeeded", "prod")
    assert json.loads(task.return_payload) == {**before, "says": "one", "version": "1"}  # its instance lives on
    assert ask(sdk, "many", "prod")["says"] == "two"
    assert ask(sdk, "many", "LATEST")["version"] == "LATEST"
    shown = sdk.client.list_instances("many", models.ListInstancesRequest(qualifier=one)).body.instances
    assert [(each.qualifier, each.version_id) for each in shown] == [("1", "1")]


def test_reserved_concurrency_is_of_all_versions_together(sdk: Sdk) -> None:
    """A task of a version waits for one of LATEST, and comes when it is over."""
    sdk.create("shared", SLEEPER, timeout=600)
    version = publish(sdk, "shared")
    sdk.reserve("shared", 1)
    running = sdk.submit("shared", b"600")
    sdk.reach("shared", running, "Running")
    request = models.InvokeFunctionRequest(body=b"0", qualifier=version)
    headers = models.InvokeFunctionHeaders(x_fc_invocation_type="Async", x_fc_async_task_id="waits")
    sdk.client.invoke_function_with_options("shared", request, headers, _options())
    assert sdk.get("shared", "waits").status == "Enqueued"
    sdk.stop("shared", running)
    assert sdk.reach("shared", "waits", *OVER).status == "Succeeded"


def test_disabling_may_abort_what_runs(sdk: Sdk) -> None:
    """Its running task is stopped, a waiting one waits until the function is enabled."""
    sdk.create("switched", SLEEPER, timeout=600)
    sdk.reserve("switched", 1)
    running = sdk.submit("switched", b"600")
    sdk.reach("switched", running, "Running")
    waiting = sdk.submit("switched", b"0")
    request = models.DisableFunctionInvocationRequest(reason="maintenance", abort_ongoing_request=True)
    assert sdk.client.disable_function_invocation("switched", request).body.success
    sdk.reach("switched", running, "Stopped")
    assert refused(sdk.invoke, "switched") == (403, "FunctionInvocationDisabled")
    assert sdk.get("switched", waiting).status == "Enqueued"
    sdk.client.enable_function_invocation("switched")
    sdk.reach("switched", waiting, "Succeeded")


def test_a_timer_fires(sdk: Sdk) -> None:
    """Each second, as tasks that run."""
    sdk.create("ticking", ECHO)
    made = make_trigger(sdk, "ticking", "timer", {"cronExpression": "@every 1s", "payload": "p", "enable": True})
    assert (made.trigger_type, made.qualifier) == ("timer", "LATEST")
    until(lambda: len(sdk.page("ticking", status="Succeeded").tasks) >= 2, 30, "two firings")
    task = sdk.page("ticking", status="Succeeded", include_payload=True).tasks[0]
    event = json.loads(task.task_payload)
    assert (event["triggerName"], event["payload"]) == ("timer", "p")
    assert refused(sdk.client.delete_function, "ticking") == (409, "FunctionNotEmpty")
    sdk.client.delete_trigger("ticking", "timer")
    sdk.client.delete_function("ticking")


def test_an_address_gives_requests_as_events(sdk: Sdk, web: httpx.Client) -> None:
    """Anybody may call; the answer's status, headers and body are the function's."""
    sdk.create("site", WEB)
    made = make_trigger(sdk, "site", "http", {"authType": "anonymous", "methods": ["GET", "POST"]})
    url = made.http_trigger.url_internet
    answer = web.post(url + "a%20b/c?x=1&y=%C3%BC", content=b"body", headers={"x-own": "1", "x-fc-sneaky": "no"})
    assert (answer.status_code, answer.headers["x-own"], answer.headers["content-type"]) == (201, "yes", "text/x")
    event = answer.json()
    assert (event["version"], event["rawPath"], event["body"], event["isBase64Encoded"]) == (
        "v1",
        "/a%20b/c",
        "body",
        False,
    )
    assert event["queryParameters"] == {"x": "1", "y": "ü"}
    assert event["headers"]["X-Own"] == "1"
    assert "X-Fc-Sneaky" not in event["headers"]
    assert event["requestContext"]["http"]["method"] == "POST"
    assert event["requestContext"]["requestId"] == answer.headers["x-fc-request-id"]
    binary = web.post(url, content=b"\xff").json()
    assert (binary["body"], binary["isBase64Encoded"]) == ("/w==", True)
    plain = web.get(url + "plain")
    assert (plain.status_code, plain.content) == (200, b"no json")
    failed = web.get(url + "boom")
    assert (failed.status_code, failed.headers["x-fc-error-type"]) == (502, "UnhandledInvocationError")
    assert failed.json()["errorType"] == "ValueError"
    assert web.put(url).status_code == 405
    later = web.post(url + "later", headers={"x-fc-invocation-type": "Async", "x-fc-async-task-id": "by-web"})
    assert (later.status_code, later.headers["x-fc-async-task-id"]) == (202, "by-web")
    assert json.loads(sdk.reach("site", "by-web", *OVER).task_payload)["rawPath"] == "/later"


def test_an_address_may_want_a_signature(server: LiveServer, sdk: Sdk, web: httpx.Client) -> None:
    """Of the official client through the proxy path, with its query signed; nobody else gets in."""
    classic, older = Classic(server), Open(server)
    have_service(older)
    older.create("gate", WEB)
    url = make_trigger(
        sdk, f"{SERVICE}$gate", "http", {"authType": "function", "methods": ["GET"]}
    ).http_trigger.url_internet
    assert web.get(url).status_code in (400, 403)
    answer = classic.client.do_http_request("GET", SERVICE, "gate", "/x", params={"q": "ü 1"})
    assert answer.status_code == 201
    assert answer.json()["queryParameters"] == {"q": "ü 1"}
    wrong = Classic(server, secret="x" * 32).client.do_http_request("GET", SERVICE, "gate", "/x")
    assert (wrong.status_code, wrong.json()["Code"]) == (403, "SignatureNotMatch")


def test_a_program_gets_the_request_itself(sdk: Sdk, web: httpx.Client) -> None:
    """With its method, path and headers, and its answer goes back as it is."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        info = zipfile.ZipInfo("bootstrap")
        info.external_attr = 0o755 << 16
        file.writestr(info, SHEBANG + SERVER)
    code = models.InputCodeLocation(zip_file=base64.b64encode(buffer.getvalue()).decode())
    body = models.CreateFunctionInput(
        function_name="program", runtime="custom", handler="none", code=code, timeout=60, instance_concurrency=5
    )
    sdk.client.create_function(models.CreateFunctionRequest(body=body))
    url = make_trigger(
        sdk, "program", "http", {"authType": "anonymous", "methods": ["GET", "PUT"]}
    ).http_trigger.url_internet
    answer = web.put(url + "a/b?c=d", content=b"body", headers={"x-own": "1"})
    assert (answer.status_code, answer.headers.get("x-said")) == (200, "so"), answer.text
    said = answer.json()
    assert (said["method"], said["path"], said["body"], said["own"]) == ("PUT", "/a/b?c=d", "body", "1")
    assert (said["control"], said["id"]) == ("/http-invoke", answer.headers["x-fc-request-id"])
    assert web.get(url + "teapot").status_code == 418


def test_a_key_for_a_time(server: LiveServer) -> None:
    """It works in every generation with its token, and not without."""
    known = server.credentials
    made = _temporary(server)
    older = Open(server, key_id=made["accessKeyId"], secret=made["accessKeySecret"], token=made["securityToken"])
    classic = Classic(server, key_id=made["accessKeyId"], secret=made["accessKeySecret"], token=made["securityToken"])
    for client in (older, classic):
        have_service(client)
    bare = Open(server, key_id=made["accessKeyId"], secret=made["accessKeySecret"])
    with pytest.raises(Refused) as raised:
        bare.create_service("other")
    assert (raised.value.status, raised.value.code) == (403, "SecurityTokenInvalid")
    assert known["accessKeyId"] != made["accessKeyId"]
    assert time.time() < _seconds(made["expiration"])


def test_the_older_signature_of_the_newer_generations(server: LiveServer) -> None:
    """`acs key:signature`, as older clients send it."""
    older = Open(server, signature_algorithm="v2")
    have_service(older)
    wrong = Open(server, secret="x" * 32, signature_algorithm="v2")
    with pytest.raises(Refused) as raised:
        wrong.create_service("other")
    assert (raised.value.status, raised.value.code) == (403, "SignatureNotMatch")


def _temporary(server: LiveServer) -> dict[str, str]:
    """Ask for a key for a time, signed by hand."""
    known = server.credentials
    host = known["endpoint"].removeprefix("http://")
    body = b'{"durationSeconds": 900}'
    headers = signature.sign(
        "POST",
        "/v1/credentials",
        "",
        {"host": host},
        body_sha256=hashlib.sha256(body).hexdigest(),
        access_key_id=known["accessKeyId"],
        access_key_secret=known["accessKeySecret"],
        now_seconds=time.time(),
        nonce=f"n-{time.monotonic_ns()}",
    )
    answer = httpx.post(f"{known['endpoint']}/v1/credentials", content=body, headers=headers, trust_env=False)
    assert answer.status_code == 201, answer.text
    made: dict[str, str] = answer.json()
    return made


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _options() -> Any:
    return RuntimeOptions(read_timeout=60_000, connect_timeout=10_000, autoretry=False)
