"""The Go client on the wire: requests as `aliyun/fc-go-sdk` writes them, byte by byte, the stop of a task among them.

Its signing is written here a second time, from its description. It sends `X-Fc-Account-Id` always, empty when it was
not set, and signs that; its JSON has `null` for what is not set; its Content-MD5 is hex.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from email.utils import formatdate
from typing import Any

import httpx
import orjson
import pytest

from api.door import Caller, creation
from sojourn import older_signature

VERSION = "/2016-08-15"


class Go:
    """Requests of the Go client."""

    def __init__(self, caller: Caller, account_id: str = "") -> None:
        self.caller, self.account_id = caller, account_id

    def raw(self, method: str, path: str, body: bytes = b"", **more: str) -> bytes:
        """The request as bytes; `more` are headers, with `_` for `-`."""
        headers = {
            "Host": self.caller.door.host,
            "User-Agent": "go-sdk-0.1",
            "Accept": "application/json",
            "Content-Type": "application/json",
            "Date": formatdate(usegmt=True),
            "X-Fc-Account-Id": self.account_id,
            **{name.replace("_", "-"): value for name, value in more.items()},
        }
        if body:
            headers["Content-Md5"] = hashlib.md5(body).hexdigest()  # noqa: S324 - as the client does it
        signed = "".join(
            f"{name.lower()}:{headers[name]}\n" for name in sorted(headers, key=str.lower) if name.startswith("X-Fc-")
        )
        resource = path.partition("?")[0]
        head = (method, headers.get("Content-Md5", ""), headers["Content-Type"], headers["Date"])
        text = "\n".join(head) + "\n" + signed + resource
        key = self.caller.key
        digest = hmac.new(key.secret.encode(), text.encode(), hashlib.sha256).digest()
        headers["Authorization"] = f"FC {key.id}:{base64.b64encode(digest).decode()}"
        headers |= {"Content-Length": str(len(body)), "Accept-Encoding": "gzip", "Connection": "close"}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def __call__(self, method: str, path: str, body: bytes = b"", **more: str) -> tuple[int, dict[str, str], Any]:
        """Send it; status, headers and document."""
        return read(self.caller.door.raw(self.raw(method, VERSION + path, body, **more)))


def read(answer: bytes) -> tuple[int, dict[str, str], Any]:
    """Status, headers by lower-case name, and the document of an answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    line, *rest = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in rest)}
    return int(line.split()[1]), headers, orjson.loads(body) if body else None


@pytest.fixture
def go(caller: Caller) -> Go:
    """The client, with a service and a function."""
    made = Go(caller)
    service = {
        "serviceName": "s",
        "description": None,
        "internetAccess": None,
        "role": None,
        "logConfig": None,
        "vpcConfig": None,
        "nasConfig": None,
        "tracingConfig": None,
    }
    assert made("POST", "/services", json.dumps(service).encode())[0] == 200
    function = creation("f") | {"initializer": None, "environmentVariables": None, "caPort": None, "layers": None}
    assert made("POST", "/services/s/functions", json.dumps(function).encode())[0] == 200
    return made


@pytest.mark.parametrize("service", ["s", "s.LATEST"], ids=["plain", "with qualifier"])
def test_a_task_is_submitted_looked_at_and_stopped(go: Go, service: str) -> None:
    """NewStopStatefulAsyncInvocationInput("s", "f", "my-task"), StopStatefulAsyncInvocation."""
    submit = {"X_Fc_Invocation_Type": "Async", "X_Fc_Stateful_Async_Invocation_Id": "my-task", "X_Fc_Log_Type": "None"}
    status, headers, document = go("POST", f"/services/{service}/functions/f/invocations", b"event", **submit)
    assert (status, document, headers["x-fc-stateful-async-invocation-id"]) == (202, None, "my-task")
    assert "content-type" not in headers
    path = f"/services/{service}/functions/f/stateful-async-invocations"
    status, _, task = go("GET", f"{path}/my-task")
    assert (status, task["invocationId"], task["status"], task["endTime"]) == (200, "my-task", "Enqueued", 0)
    for name in ("startedTime", "endTime", "durationMs", "alreadyRetriedTimes"):
        assert isinstance(task[name], int)
    assert go("PUT", f"{path}/my-task")[0] == 204
    assert go("GET", f"{path}/my-task")[2]["status"] == "Stopped"
    status, _, error = go("PUT", f"{path}/my-task")
    assert (status, error["ErrorCode"]) == (412, "StatefulAsyncInvocationAlreadyCompleted")
    status, _, listed = go("GET", f"{path}?limit=10&status=Stopped&includePayload=true&sortOrderByTime=asc")
    assert (status, [each["invocationPayload"] for each in listed["invocations"]]) == (200, ["event"])


def test_an_account_id_is_a_hint_that_must_be_right(go: Go) -> None:
    """Empty it says nothing; another's is refused."""
    assert Go(go.caller, go.caller.account_id)("GET", "/services/s")[0] == 200
    status, headers, error = Go(go.caller, "somebody")("GET", "/services/s")
    assert (status, error["ErrorCode"], error["RequestId"]) == (403, "AccessDenied", headers["x-fc-request-id"])


def test_a_byte_of_a_signed_part_makes_it_another_request(go: Go) -> None:
    """Method, path, date, type, digest, account and signature: 403, or 400 where the part is no part any more."""
    raw = go.raw("PUT", f"{VERSION}/services/s", b'{"description":"x"}', X_Fc_Other="one")
    head = raw[: raw.index(b"\r\n\r\n")]
    lines = head.split(b"\r\n")
    signed = (b"content-type", b"date", b"content-md5", b"x-fc-account-id", b"x-fc-other", b"authorization")
    tried = 0
    for number, line in enumerate(lines):
        name, _, value = line.partition(b": ")
        if number == 0:
            places = range(len(b"PUT /2016-08-15/services/s"))
        elif name.lower() in signed:
            places = range(len(name) + 2, len(name) + 2 + len(value))
        else:
            continue
        for place in list(places)[:: max(len(places) // 8, 1)]:
            changed = bytearray(line)
            changed[place] ^= 1
            if changed[place] in b" :\r\n\t" or line[place : place + 1] in b" =":
                continue
            sent = b"\r\n".join([*lines[:number], bytes(changed), *lines[number + 1 :]]) + raw[len(head) :]
            answer = go.caller.door.raw(sent)
            status, _, error = read(answer)
            tried += 1
            assert status in (400, 403, 404, 405), (bytes(changed), answer[:300])
            assert error["ErrorCode"]
            if name.lower() in (b"x-fc-account-id", b"x-fc-other", b"content-md5", b"content-type"):
                assert (status, error["ErrorCode"]) == (403, "SignatureNotMatch")
    assert tried > 40
    assert read(go.caller.door.raw(raw))[0] == 200


def test_a_late_date_is_refused(go: Go) -> None:
    """15 minutes and no more."""
    for moved in (-16 * 60, 16 * 60):
        status, _, error = go("GET", "/services/s", Date=formatdate(time.time() + moved, usegmt=True))
        assert (status, error["ErrorCode"]) == (403, "SignatureNotMatch")
    assert go("GET", "/services/s", Date="yesterday")[0] == 400


def test_the_newer_generations_want_the_newer_signature(go: Go) -> None:
    """One that covers query and body."""
    for path in ("/2023-03-30/functions", "/2021-04-06/services", "/v1/accounts"):
        status, _, error = read(go.caller.door.raw(go.raw("GET", path)))
        assert (status, error["ErrorCode"]) == (400, "InvalidArgument")


def test_signed_urls_are_those_of_the_go_client() -> None:
    """The two that its own test expects."""
    for token, signature in (
        ("stsToken", "Yi0jCBQ6cTZc%2BtN8wtYUz9FbYNijx5jDiE3sVNW6XwA%3D"),
        ("", "6Rc4KxEAv3%2BlHpbNQWceIUqWVWq3ewxhadlJBRzZ0XQ%3D"),
    ):
        url = older_signature.sign_url(
            "GET",
            "/2016-08-15/proxy/service/func/",
            access_key_id="akid",
            secret="akSec",
            token=token,
            expires=1583339600,
        )
        assert url.endswith(f"&x-fc-signature={signature}")


def test_a_signed_url_reaches_a_function_until_it_expires(go: Go) -> None:
    """And no other one, nor with another method."""
    caller = go.caller
    caller(
        "POST",
        "/2021-04-06/services/s/functions/f/triggers",
        body={"triggerName": "web", "triggerType": "http", "triggerConfig": '{"authType": "function"}'},
    )

    def ask(path: str, expires: int, method: str = "GET") -> httpx.Response:
        url = older_signature.sign_url(
            "GET", path, access_key_id=caller.key.id, secret=caller.key.secret, token="", expires=expires
        )
        return caller.door.http.request(method, caller.door.url + url)

    path = f"{VERSION}/proxy/s/f/x"
    assert ask(path, 4_000_000_000).status_code == 200
    assert ask(path, 1_000_000_000).status_code == 403
    assert ask(path, 4_000_000_000, "POST").status_code == 403
    for expires in ("%C2%B2", "%D9%A1", "1e9", "-1", "9" * 16, ""):
        url = f"{path}?x-fc-access-key-id={caller.key.id}&x-fc-expires={expires}&x-fc-signature=x"
        assert caller.door.http.get(caller.door.url + url).status_code == 400
