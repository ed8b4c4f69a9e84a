"""The official npm clients, each in a process of its own that `node_clients.js` is the inside of.

They are installed by npm when they are first needed, into pytest's cache; where npm or a package cannot be had, the
tests are skipped and say so.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import npm
from end_to_end.functions import HANDLER, RUNTIME
from end_to_end.generation import Document, Hooks
from end_to_end.generations import SERVICE, AlreadyThere, Refused, code_of, hooks_in
from live import LiveServer

PACKAGES = {
    "fc2": "@alicloud/fc2@2.6.6",
    "fc-open20210406": "@alicloud/fc-open20210406@2.0.13",
    "fc20230330": "@alicloud/fc20230330@4.7.6",
}
SCRIPT = Path(__file__).with_suffix(".js")


def installed(cache: Path) -> Path:
    """Where the packages are, with our script: modules are looked for beside it."""
    npm.installed(cache, *PACKAGES.values())
    whole = cache / f"{SCRIPT.name}.{os.getpid()}"
    shutil.copy(SCRIPT, whole)
    whole.replace(cache / SCRIPT.name)  # at once: another test process may be reading it
    return cache


class Node:
    """One of the clients; see `generation.Generation`."""

    def __init__(self, which: str, cache: Path, server: LiveServer, *, key_id: str = "", secret: str = "") -> None:
        """The same client with other keys (`key_id`, `secret`)."""
        known = server.credentials
        self.which, self._cache, self._numbers = which, cache, itertools.count()
        self.letter = ""
        keys = (key_id or known["accessKeyId"], secret or known["accessKeySecret"])
        command = ["node", str(cache / SCRIPT.name), which, known["endpoint"], *keys, SERVICE]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def other(self, server: LiveServer, **keys: str) -> Any:
        """The same client with other keys."""
        return Node(self.which, self._cache, server, **keys)

    def close(self) -> None:
        """End its process."""
        self._process.communicate()

    def _ask(self, call: str, *arguments: object) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"number": next(self._numbers), "call": call, "arguments": arguments}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert answer["number"] == asked["number"]
        if "error" in answer:
            error = answer["error"]
            if not error["status"]:
                raise AssertionError(error["message"])
            # The newest generation's words for tasks, in those of the others, so that one test serves all.
            code = error["code"].replace("AsyncTask", "StatefulAsyncInvocation")
            raise (AlreadyThere if code == "ServiceAlreadyExists" else Refused)(error["status"], code)
        return answer["value"]

    def create_service(self, name: str) -> None:
        """CreateService."""
        self._ask("createService", name)

    def create(
        self, name: str, source: str, *, runtime: str = RUNTIME, hooks: Hooks | None = None, **settings: Any
    ) -> Document:
        """CreateFunction."""
        code = {"zipFile": base64.b64encode(code_of(source, runtime)).decode()}
        if hooks:
            handler, seconds = hooks["preStop"]
            settings["initializer"], settings["initializationTimeout"] = hooks["initializer"]
            settings["instanceLifecycleConfig"] = {"preStop": {"handler": handler, "timeout": seconds}}
        words = {"memory_size": "memorySize"}
        more = {words.get(key, key): value for key, value in ({"timeout": 60} | settings).items()}
        body = {"functionName": name, "runtime": runtime, "handler": HANDLER, "code": code, **more}
        made: Document = self._ask("create", body)
        return made

    def hooks_of(self, name: str) -> Hooks:
        """GetFunction: its hooks."""
        return hooks_in(self._ask("function", name))

    def delete(self, name: str) -> None:
        """DeleteFunction."""
        self._ask("delete", name)

    def configure(self, name: str, **settings: Any) -> Document:
        """PutFunctionAsyncInvokeConfig, with its names on the wire."""
        made: Document = self._ask("configure", name, {"statefulInvocation": True, **settings})
        return made

    def config_of(self, name: str) -> Document:
        """GetFunctionAsyncInvokeConfig."""
        found: Document = self._ask("configOf", name)
        return found

    def configs_of(self, name: str) -> list[Document]:
        """ListFunctionAsyncInvokeConfigs."""
        found: list[Document] = self._ask("configsOf", name)
        return found

    def unconfigure(self, name: str) -> None:
        """DeleteFunctionAsyncInvokeConfig."""
        self._ask("unconfigure", name)

    def bound(self, name: str, count: int) -> None:
        """PutFunctionOnDemandConfig."""
        self._ask("bound", name, count)

    def bound_of(self, name: str) -> int:
        """GetFunctionOnDemandConfig."""
        found: int = self._ask("boundOf", name)
        return found

    def unbound(self, name: str) -> None:
        """DeleteFunctionOnDemandConfig."""
        self._ask("unbound", name)

    def submit(
        self, name: str, payload: bytes = b"", task_id: str = "", qualifier: str = "LATEST", **headers: str
    ) -> str:
        """InvokeFunction, asynchronously; the task id."""
        sent = {key.replace("_", "-"): value for key, value in headers.items()} | {"x-fc-invocation-type": "Async"}
        if task_id:
            sent["x-fc-stateful-async-invocation-id"] = task_id
        found: str = self._ask("invoke", name, payload.decode(), sent, qualifier)["id"]
        return found

    def call(self, name: str, payload: bytes = b"") -> bytes:
        """InvokeFunction."""
        found = self._ask("invoke", name, payload.decode(), {}, "LATEST")["body"]
        return found.encode() if isinstance(found, str) else found

    def get(self, name: str, task_id: str) -> Document:
        """GetStatefulAsyncInvocation."""
        found: Document = self._ask("get", name, task_id)
        return found

    def page(self, name: str, **wanted: Any) -> Document:
        """ListStatefulAsyncInvocations, with the names of its parameters on the wire."""
        found: Document = self._ask("page", name, wanted)
        return found

    def stop(self, name: str, task_id: str) -> None:
        """StopStatefulAsyncInvocation."""
        self._ask("stop", name, task_id)
