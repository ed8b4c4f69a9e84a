"""A whole API on a loopback port: the real catalog and queue on the reference store, a scripted dispatcher.

The server lives in a thread with its own event loop, so that tests are plain functions and any client may be used,
the official one too. Each test takes an account of its own (`Door.caller`), so one server serves them all.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import random
import secrets
import socket
import threading
import zipfile
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import httpx
import orjson
import uvloop

from api.dispatching import ScriptedDispatcher
from delivering import Targets
from reference_store import ReferenceStore
from scripted import Script
from sojourn import identity, signature
from sojourn.api.app import build
from sojourn.api.backend import Backend
from sojourn.api.listening import HttpServer
from sojourn.attempt import Attempt
from sojourn.auditor import Auditor
from sojourn.catalog import Catalog
from sojourn.clock import MICROSECONDS_PER_SECOND, Clock, SystemClock
from sojourn.code import CodeStore
from sojourn.config import Settings
from sojourn.console import routes as console
from sojourn.deliveries import Deliveries
from sojourn.dispatcher import Dispatcher
from sojourn.feed import Feed
from sojourn.function import AccessKey, Function
from sojourn.homes import Homes
from sojourn.hosts import Hosts
from sojourn.logs import Logs
from sojourn.operations import Operations
from sojourn.pool import Instance, Pool
from sojourn.queue import Queue
from sojourn.reports import Reports
from sojourn.runtime import Interpreter, Resolved
from sojourn.sandbox import Capabilities
from sojourn.services import Services
from sojourn.sessions import Sessions
from sojourn.statistics import Statistics
from sojourn.store import Log
from sojourn.target import Reach
from sojourn.task import Fact, Task
from sojourn.timers import Timers
from sojourn.tokens import Tokens

T = TypeVar("T")
OWNER = "owner"
VERSION = "/2023-03-30"
REGION = "test-1"


def zipped(files: Mapping[str, str] | None = None) -> bytes:
    """A small code archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in (files or {"index.py": "def handler(event, context): return event\n"}).items():
            archive.writestr(name, text)
    return out.getvalue()


def creation(name: str, **fields: object) -> dict[str, object]:
    """The body of a CreateFunction."""
    code = {"zipFile": base64.b64encode(zipped()).decode()}
    return {"functionName": name, "runtime": "python3.12", "handler": "index.handler", "code": code} | fields


class PretendRuntime:
    """A runtime family: `python3.12` is here, other versions get it too and are told so, `ruby` is not known."""

    language = "python"
    interpreter = Interpreter(language="python", version="3.12.1", executable=Path("/x"), prefix=Path("/"))

    def interpreters(self) -> tuple[Interpreter, ...]:
        """One."""
        return (self.interpreter,)

    def resolve(self, runtime: str) -> Resolved | None:
        """The one, with a note when it is another version."""
        if not runtime.startswith("python"):
            return None
        if runtime == "python3.12":
            return Resolved(interpreter=self.interpreter)
        return Resolved(interpreter=self.interpreter, exact=False, note=f"{runtime} is not here, it runs on 3.12.1")


class Reply:
    """An answer off the wire, with the checks that hold for every answer already made."""

    def __init__(self, response: httpx.Response) -> None:
        self.status, self.headers, self.body = response.status_code, response.headers, response.content
        assert self.headers["x-fc-request-id"]
        assert self.headers["date"]
        if not self.body:
            assert "content-type" not in self.headers
        if self.status != 204:
            assert self.headers["content-length"] == str(len(self.body))
        if self.status >= 300:
            document = self.json
            assert self.headers["content-type"] in ("application/json", "application/problem+json")
            assert document["Code"] == document["ErrorCode"]
            assert document["Message"] == document["ErrorMessage"]
            assert document["RequestId"] == self.headers["x-fc-request-id"]

    @property
    def json(self) -> Any:
        """The body decoded."""
        return orjson.loads(self.body)

    def refused(self, status: int, code: str, *words: str) -> None:
        """It is this error, and its message holds `words`."""
        assert (self.status, self.json["Code"]) == (status, code)
        for word in words:
            assert word in self.json["Message"]


class Caller:
    """A client of one account that signs what it sends."""

    def __init__(self, door: Door, key: AccessKey) -> None:
        self.door, self.key, self.account_id = door, key, key.account_id

    def __call__(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | str = "",
        *,
        body: bytes | object = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send a request below `/2023-03-30`, or at `path` itself when it begins with another version."""
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        text = query if isinstance(query, str) else signature.encode_query(query.items())
        whole = path if path.startswith(("/v1", "/20", "/http/", "/openapi.json", "/metrics")) else VERSION + path
        signed = self.signed(method, whole, text, data, headers)
        request = httpx.Request(
            method, self.door.url + whole + (f"?{text}" if text else ""), headers=signed, content=data
        )
        return Reply(self.door.http.send(request))

    def signed(
        self, method: str, path: str, query: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """The headers of a signed request."""
        return signature.sign(
            method,
            path,
            query,
            {"host": self.door.host, **(headers or {})},
            body_sha256=hashlib.sha256(body).hexdigest(),
            access_key_id=self.key.id,
            access_key_secret=self.key.secret,
            now_seconds=self.door.clock.now() / MICROSECONDS_PER_SECOND,
            nonce=secrets.token_hex(16),
        )

    def create(self, name: str = "f", **fields: object) -> Function:
        """Create a function; the function as the catalog holds it."""
        reply = self("POST", "/functions", body=creation(name, **fields))
        assert reply.status == 200, reply.body
        return self.door.catalog.function(self.account_id, name)

    def submit(self, name: str = "f", body: bytes = b"", **headers: str) -> Task:
        """Submit a task; the task as it stands."""
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        reply = self(
            "POST", f"/functions/{name}/invocations", body=body, headers={"x-fc-invocation-type": "Async", **named}
        )
        assert reply.status == 202, reply.body
        function = self.door.catalog.function(self.account_id, name)
        return self.door.run(self.door.queue.find(function, reply.headers["x-fc-async-task-id"]))


class Door:
    """The server; `with Door(directory) as door` runs it."""

    def __init__(self, directory: Path, clock: Clock | None = None, **settings: Any) -> None:
        self.store = ReferenceStore()
        self.clock = clock or SystemClock()
        self.ready = True
        self._directory, self._settings = directory, settings
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: uvloop.run(self._serve()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(30)
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"
        self.http = httpx.Client(trust_env=False, timeout=30)
        self.owner = self._caller(OWNER)
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(30)

    def caller(self) -> Caller:
        """A client with a new account of its own."""
        return self._caller(f"a{secrets.token_hex(8)}")

    def raw(self, data: bytes) -> bytes:
        """Send bytes as they are on a connection of their own, and read until the server ends it."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as wire:
            wire.sendall(data)
            return b"".join(iter(lambda: wire.recv(65536), b""))

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run something in the server's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def settled(self, account_id: str) -> list[Instance]:
        """The instances of an account, once none of them is being made."""

        async def wait() -> list[Instance]:
            while True:
                mine = [each for each in self.pool.instances() if each.function.account_id == account_id]
                made = [each.started for each in mine if each.started is not None and not each.started.done()]
                if not made:
                    return mine
                await asyncio.wait(made)

        return self.run(wait())

    def advance(self, task: Task, *facts: Fact, log: Log | None = None) -> Task:
        """Let `facts` happen to a task."""
        after = self.run(self.queue.apply(task, *facts, log=log))
        assert after is not None
        return after

    def begin(self, task: Task, number: int) -> Attempt:
        """Let attempt `number` of a task be in progress; its output is to be written in the server's loop."""
        attempt = self.dispatcher.attempts[task.id] = Attempt(cast(Pool, None), cast(Instance, None), number)
        return attempt

    def _moved(self, before: Task | None, after: Task) -> None:
        self.feed.moved(before, after)
        self.statistics.moved(before, after)

    def _caller(self, account_id: str) -> Caller:
        return Caller(self, self.run(self.catalog.create_account(account_id)))

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self.store.open()
        clock, numbers = self.clock, identity.Numbers()
        self.runtime = PretendRuntime()
        reach = Reach(region=REGION, bridges={"mns": "http://bridge.example/"})
        self.catalog = Catalog(
            self.store,
            CodeStore(self._directory),
            clock,
            check_runtime=lambda _: None,
            multi_account=True,
            reach=reach,
        )
        self.pool = self._pool(clock, numbers)
        self.catalog.on_change = self.pool.change
        await self.catalog.load()
        self.tokens = Tokens(self.store, clock)
        self.services = Services(self.store, clock, self.catalog)
        self.queue = Queue(self.store, clock, numbers, submits_pending_max=100, tasks_open_max=100_000)
        self.feed = Feed(1, lambda function_id: self.catalog.by_id(function_id).name)
        self.statistics = Statistics(clock)
        self.queue.on_moved = self._moved
        self.timers = Timers(self.store, clock, self.catalog, self.queue)
        self.dispatcher = ScriptedDispatcher(self.queue)
        self.logs = Logs(self.queue, self.dispatcher.attempt)
        self.targets = Targets()
        self.deliveries = Deliveries(
            self.store,
            self.queue,
            clock,
            post=self.targets.post,
            reach=reach,
            function_of=self.catalog.by_id,
            function_named=self.catalog.qualified,
            secret_of=self.catalog.webhook_secret,
            give_up_seconds=1800,
            at_a_time=64,
            rng=random.Random(1),
        )
        self.deliveries.start()
        self.operations = Operations(
            self.store,
            self.queue,
            self.catalog,
            clock,
            stops=self.dispatcher,
            number=lambda: numbers.next(clock.now()),
        )
        self.reports = Reports(self.store, clock)
        self.app = build(
            Backend(
                catalog=self.catalog,
                tokens=self.tokens,
                trail=self.store,
                services=self.services,
                timers=self.timers,
                queue=self.queue,
                feed=self.feed,
                statistics=self.statistics,
                dispatcher=cast(Dispatcher, self.dispatcher),
                pool=self.pool,
                logs=self.logs,
                deliveries=self.deliveries,
                operations=self.operations,
                reports=self.reports,
                runtimes={"python": self.runtime},
                clock=clock,
                numbers=numbers,
                settings=Settings(data_dir=self._directory, region=REGION, node="node-1", **self._settings),
                isolation=Capabilities(
                    driver="process", level=0, works=True, text="nothing separates accounts", limits="a guard looks"
                ),
                ready=lambda: self.ready,
                auditor=Auditor(self.store, clock),
                cached_bytes=self.store.cached_bytes,
                sessions=Sessions(clock),
                hosts=Hosts(),
            ),
            console.routes,
        )
        server = HttpServer(self.app, clock)
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self._ending = asyncio.Event()
        await server.start(listener)
        self._started.set()
        await self._ending.wait()
        await server.close()
        await self.operations.close()
        await self.reports.close()
        await self.deliveries.close()
        await self.pool.close()

    def _pool(self, clock: Clock, numbers: identity.Numbers) -> Pool:
        """A real pool on a scripted sandbox."""
        self.script = Script()
        homes = Homes(
            self.script,
            [self.runtime],
            self._directory / "sandboxes",
            lambda account_id: self._directory / account_id,
            mark="mark",
            network="host",
            network_others="none",
            region=REGION,
        )
        self.catalog.on_account = homes.admit
        return Pool(
            homes,
            clock,
            numbers,
            memory_mb=8192,
            instances_max=64,
            idle_seconds=60,
            grace_seconds=1,
            linger_seconds=60,
        )
