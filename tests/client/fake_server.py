"""A small server for tests: it checks every signature twice, remembers every request, and answers from memory.

A task lives through the statuses in `lives`, one step for each time it is looked at, so tests wait for nothing.
`faults` holds what the next requests of an action get instead of an answer.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote

from client import acs3, fake_batch
from client.fake_things import BEGAN_MS as BEGAN_MS  # noqa: PLC0414 - tests take it from here
from client.fake_things import OVER, function_of, task_of
from sojourn import signature
from sojourn.client import Connection

KEY_ID, KEY_SECRET = "test-key", "test-secret"


@dataclass
class Seen:
    """A request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def action(self) -> str:
        """What it asks for."""
        return self.headers.get("x-acs-action", "GetVersion")

    @property
    def json(self) -> Any:
        """Its body, decoded."""
        return json.loads(self.body)


@dataclass
class Reply:
    """What to answer; an int status of 0 means: say nothing and hang up. A list of bytes goes out in chunks."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def error(status: int, code: str, message: str, **headers: str) -> Reply:
    """An error as Function Compute spells it."""
    body = {"Code": code, "Message": message, "RequestId": "1-req", "ErrorCode": code, "ErrorMessage": message}
    return Reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64  # with the default of 5, connections that come together wait a second


class FakeServer:
    """Answers on a free loopback port while it is entered."""

    def __init__(self) -> None:
        self.requests: list[Seen] = []
        self.faults: dict[str, deque[Reply]] = defaultdict(deque)
        self.functions: dict[str, dict[str, Any]] = {}
        self.configs: dict[str, dict[str, Any]] = {}
        self.limits: dict[str, dict[str, Any]] = {}
        self.tasks: dict[tuple[str, str], dict[str, Any]] = {}
        self.lives: tuple[str, ...] = ("Enqueued", "Dequeued", "Running", "Succeeded")
        self.instances: list[dict[str, Any]] = []
        self.accounts = [{"accountId": "owner", "createdTime": "2026-11-24T01:50:00Z", "owner": True}]
        self.deliveries: list[dict[str, Any]] = [
            {
                "taskId": "t",
                "destination": "https://hook.example/",
                "status": "Failed",
                "round": 1,
                "attempts": 3,
                "lastError": "the target answered 404, which is final",
                "createdTime": "2026-11-24T01:50:00.000Z",
                "nextAttemptTime": "",
                "endTime": "2026-11-24T01:50:01.000Z",
            }
        ]
        self.logs: list[dict[str, Any]] = [{"attempt": 1, "text": "hello\n", "dropped": 0}]
        self.live: list[bytes] = [b"hello\n", "grö".encode()[:3], "grö".encode()[3:] + b"\xff", b"e\n", b""]
        self.on_request: Callable[[Seen], object] = lambda _: None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # or each answer waits 40 ms for an acknowledgement

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def answer(self) -> None:
                server._answer(self)

            do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - the base class names them so

        self._http = _Listener(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    @property
    def endpoint(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def connection(self) -> Connection:
        """How a client reaches it."""
        return Connection(self.endpoint, KEY_ID, KEY_SECRET)

    @property
    def environ(self) -> dict[str, str]:
        """How a command reaches it."""
        return {
            "SOJOURN_ENDPOINT": self.endpoint,
            "SOJOURN_ACCESS_KEY_ID": KEY_ID,
            "SOJOURN_ACCESS_KEY_SECRET": KEY_SECRET,
        }

    def actions(self) -> list[str]:
        """What was asked for, in order."""
        return [seen.action for seen in self.requests]

    def add_function(self, name: str) -> None:
        """Have a function, as if it had been deployed."""
        self.functions[name] = function_of({"functionName": name, "runtime": "python3.12", "handler": "index.handler"})

    def add_task(self, function: str, task_id: str, status: str = "Succeeded", **fields: object) -> None:
        """Have a task that stands where it stands."""
        self.tasks[function, task_id] = task_of(function, task_id, [status]) | fields

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("content-length") or 0)
        target, _, query = handler.path.partition("?")
        headers = {name.lower(): value for name, value in handler.headers.items()}
        seen = Seen(handler.command, target, dict(parse_qsl(query)), headers, handler.rfile.read(length))
        with self._lock:
            self.requests.append(seen)
            self.on_request(seen)
            faults = self.faults[seen.action]
            reply = faults.popleft() if faults else self._judged(seen, query)
        if reply.status == 0:
            handler.close_connection = True
            return
        if isinstance(reply.body, list):
            _send_chunks(handler, reply.body)
            return
        body = reply.body if isinstance(reply.body, bytes) else b"" if reply.body is None else _json(reply.body)
        handler.send_response(reply.status)
        for name, value in ({"X-Fc-Request-Id": "1-req"} | reply.headers).items():
            handler.send_header(name, value)
        if body:
            handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _judged(self, seen: Seen, query: str) -> Reply:  # noqa: PLR0911 - a table of routes
        if seen.path == "/version":
            return Reply(200, {"version": "9.9.9"})
        try:
            key = acs3.signer((seen.method, seen.path, query), seen.headers, seen.body, {KEY_ID: KEY_SECRET})
            _verify(seen, query)
        except (ValueError, KeyError) as wrong:
            return error(403, "SignatureNotMatch", f"the signature does not match: {wrong}")
        assert key == KEY_ID
        parts = [unquote(part) for part in seen.path.strip("/").split("/")]
        match parts:
            case ["2023-03-30", "functions"]:
                return self._functions(seen)
            case ["2023-03-30", "functions", name, *rest]:
                return self._function(seen, name, rest)
            case ["v1", "instances"]:
                return Reply(200, {"instances": self.instances})
            case ["v1", "accounts"]:
                return self._accounts(seen)
            case ["v1", "functions", name, "tasks", task_id, what]:
                return self._native(seen, name, task_id, what)
            case ["v1", "functions", name, "tasks:batch"]:
                return self._batch(seen, name)
            case ["v1", "webhook-secret"]:
                return Reply(200, {"secret": "whsec_" + ("bmV3" if seen.method == "POST" else "b2xk")})
        return error(404, "PathNotSupported", f"'{seen.method}' against '{seen.path}' is not supported")

    def _native(self, seen: Seen, name: str, task_id: str, what: str) -> Reply:
        if (name, task_id) not in self.tasks:
            return error(404, "AsyncTaskNotFound", f"async task '{task_id}' does not exist")
        if what == "deliveries:resend":
            again = {"status": "Pending", "round": 2, "attempts": 0, "lastError": ""}
            self.deliveries = [delivery | again for delivery in self.deliveries]
            return Reply(202, self.deliveries[0])
        if what == "deliveries":
            return Reply(200, {"deliveries": self.deliveries})
        return Reply(200, list(self.live) if seen.query.get("follow") == "true" else {"logs": self.logs})

    def _batch(self, seen: Seen, name: str) -> Reply:
        if name not in self.functions:
            return error(404, "FunctionNotFound", f"function '{name}' does not exist")

        def submit(task_id: str | None, payload: str) -> str | None:
            task_id = task_id or f"1-made-{len(self.tasks):03d}"
            if (name, task_id) in self.tasks:
                return None
            self.tasks[name, task_id] = task_of(name, task_id, list(self.lives)) | {"taskPayload": payload}
            return task_id

        return Reply(200, fake_batch.outcomes(seen.body, submit))

    def _functions(self, seen: Seen) -> Reply:
        if seen.method == "GET":
            names = sorted(name for name in self.functions if name.startswith(seen.query.get("prefix", "")))
            return _page([self.functions[name] for name in names], "functions", seen.query)
        name = seen.json["functionName"]
        if name in self.functions:
            return error(409, "FunctionAlreadyExists", f"function '{name}' already exists")
        if seen.json.get("memorySize", 512) % 64:
            return error(400, "InvalidArgument", "memorySize must be a multiple of 64 MB, got 100")
        self.functions[name] = function_of(seen.json)
        return Reply(200, self.functions[name])

    def _function(self, seen: Seen, name: str, rest: list[str]) -> Reply:  # noqa: PLR0911 - a table of routes
        if name not in self.functions:
            return error(404, "FunctionNotFound", f"function '{name}' does not exist")
        match seen.method, rest:
            case "GET", []:
                return Reply(200, self.functions[name])
            case "PUT", []:
                self.functions[name] |= {part: value for part, value in seen.json.items() if part != "code"}
                return Reply(200, self.functions[name])
            case "DELETE", []:
                del self.functions[name]
                return Reply(204)
            case _, ["async-invoke-config"]:
                return _setting(seen, self.configs, name, seen.body and seen.json, "AsyncConfigNotExists")
            case _, ["concurrency"]:
                return _setting(seen, self.limits, name, seen.body and seen.json, "ConcurrencyConfigNotExists")
            case "POST", ["invocations"]:
                return self._invoke(seen, name)
            case "GET", ["async-tasks"]:
                return self._list(seen, name)
            case _, ["async-tasks", task_id, *stop]:
                return self._task(name, task_id, stop=bool(stop))
        return error(405, "PathNotSupported", "no")

    def _invoke(self, seen: Seen, name: str) -> Reply:
        if seen.headers["x-fc-invocation-type"] == "Sync":
            return Reply(200, seen.body[::-1], {"X-Fc-Log-Result": "bG9nZ2Vk", "X-Fc-Instance-Id": "i-1"})
        task_id = seen.headers.get("x-fc-async-task-id", f"1-made-{len(self.tasks):03d}")
        if (name, task_id) in self.tasks:
            return error(409, "AsyncTaskAlreadyExists", f"async task '{task_id}' already exists")
        task = task_of(name, task_id, list(self.lives)) | {"taskPayload": seen.body.decode("utf-8", "replace")}
        self.tasks[name, task_id] = task
        return Reply(202, None, {"X-Fc-Async-Task-Id": task_id})

    def _task(self, name: str, task_id: str, *, stop: bool) -> Reply:
        task = self.tasks.get((name, task_id))
        if task is None:
            return error(404, "AsyncTaskNotFound", f"async task '{task_id}' does not exist")
        if stop:
            if task["status"] in OVER:
                return error(412, "AsyncTaskAlreadyCompleted", f"async task '{task_id}' is already completed")
            task |= task_of(name, task_id, ["Stopping", "Stopped"])
            return Reply(200)
        shown = {part: value for part, value in task.items() if part != "ahead"}
        if len(task["ahead"]) > 1:
            task |= task_of(name, task_id, task["ahead"][1:], task["events"]) | {"taskPayload": task["taskPayload"]}
        return Reply(200, shown)

    def _list(self, seen: Seen, name: str) -> Reply:
        wanted = seen.query
        found = [
            {part: value for part, value in task.items() if part != "ahead"}
            for (function, task_id), task in reversed(self.tasks.items())
            if function == name
            and task_id.startswith(wanted.get("prefix", ""))
            and wanted.get("status", task["status"]) == task["status"]
            and task["startedTime"] >= int(wanted.get("startedTimeBegin", 0))
        ]
        return _page(found, "tasks", wanted)

    def _accounts(self, seen: Seen) -> Reply:
        if seen.method == "GET":
            return Reply(200, {"accounts": self.accounts})
        name = seen.json["accountId"]
        if name in [account["accountId"] for account in self.accounts]:
            return error(409, "AccountAlreadyExists", f"account '{name}' already exists")
        self.accounts.append({"accountId": name, "createdTime": "2026-11-24T01:51:00Z", "owner": False})
        return Reply(201, {"accountId": name, "accessKeyId": "new-key", "accessKeySecret": "new-secret"})


def _send_chunks(handler: BaseHTTPRequestHandler, chunks: list[bytes]) -> None:
    """Text piece by piece; without an empty piece at its end the answer breaks off."""
    handler.send_response(200)
    handler.send_header("Content-Type", "text/plain; charset=utf-8")
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for chunk in chunks:
        handler.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        handler.wfile.flush()
    handler.close_connection = bool(chunks and chunks[-1])


def _setting(seen: Seen, settings: dict[str, Any], name: str, body: Any, code: str) -> Reply:
    if seen.method == "PUT":
        settings[name] = settings.get(name, {}) | body
    if name not in settings:
        return error(404, code, f"function '{name}' has no such config")
    if seen.method == "DELETE":
        del settings[name]
        return Reply(204)
    return Reply(200, settings[name])


def _page(items: list[dict[str, Any]], name: str, query: Mapping[str, str]) -> Reply:
    begin, limit = int(query.get("nextToken", 0)), int(query.get("limit", 20))
    token = str(begin + limit) if begin + limit < len(items) else ""
    return Reply(200, {name: items[begin : begin + limit], "nextToken": token})


def _verify(seen: Seen, query: str) -> None:
    headers = {name.encode(): value.encode("latin-1") for name, value in seen.headers.items()}
    credential = signature.parse_authorization(headers)
    signature.verify(
        credential,
        KEY_SECRET,
        headers,
        method=seen.method.encode(),
        raw_path=seen.path.encode(),
        query=query.encode(),
    )


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
