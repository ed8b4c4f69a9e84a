"""The descriptions of the APIs tried out by schemathesis, over real HTTP against a real server, every request signed.

An account has one of everything, so that requests find something; what cases delete is made again before the next
operation. Cases come from the description alone: those that fit it must not end in a fault of ours, those that do not
fit must be refused, and every answer must be one that is described.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests
import schemathesis
from schemathesis import auths, engine
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events

from api.door import creation
from live import LiveServer
from sojourn import signature
from sojourn.api.openapi.bodies import ARCHIVE_EXAMPLE

SETTINGS = {
    "SOJOURN_INSTANCES_MAX": "2",
    "SOJOURN_DRAIN_SECONDS": "1",
    "SOJOURN_GRACE_SECONDS": "0.2",
    "SOJOURN_ALLOW_UNISOLATED": "true",
}
"""Few instances: a case may ask for ten thousand to be kept warm."""
NAMES: Mapping[str, tuple[str, ...]] = {
    "function": ("f", "spare"),
    "service": ("s",),
    "task": ("t", "done"),
    "version": ("1", "2"),
    "alias": ("a",),
    "trigger": ("timer",),
}
"""What is there, by the parameter of a path that names it."""
FIELDS: Mapping[str, tuple[str, ...]] = {
    "functionName": ("g", "h", "f"),
    "runtime": ("python3.12", "custom", "custom-container"),
    "handler": ("index.handler", "index.other"),
    "code.zipFile": (ARCHIVE_EXAMPLE,),
    "versionId": ("1", "2"),
    "triggerType": ("timer", "http"),
    "triggerConfig": ('{"cronExpression": "@every 8h"}', '{"authType": "anonymous", "methods": ["GET"]}', "{}"),
    "ResourceId[*]": ("f", "functions/f"),
    "ResourceType": ("function",),
    "resourceArn": ("functions/f", "services/s"),
    "destinationConfig.onSuccess.destination": ("https://example.com/hook",),
}
"""What makes sense in a body, by its place there."""
CODE = {"zipFile": ARCHIVE_EXAMPLE}
SEEN = 0.7
REFUSED = 300
"""How often a path names something that is there, where it does not always."""
UNKNOWN_HEADER = "in header - object with unexpected properties"
"""A case that schemathesis takes for wrong: any request may have headers that nobody described."""
UNSIGNED_CHECKS = ("ignored_auth", "missing_required_header")
UNSIGNED = b"required HTTP header Authorization was not specified"
"""How Function Compute refuses a request without a signature: with 400, where schemathesis looks for 401 or 403."""


@schemathesis.serializer("application/x-ndjson")
def lines(_: schemathesis.SerializationContext, value: object) -> bytes:
    """A batch: text as it is."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


class Sign(requests.auth.AuthBase):
    """Signs what is going to be sent, as it is going to be sent."""

    def __init__(self, key_id: str, secret: str) -> None:
        self._key_id, self._secret = key_id, secret

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """`request` with its signature."""
        parts = urlsplit(request.url or "")
        body = request.body or b""
        data = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else b""
        signed = signature.sign(
            request.method or "",
            parts.path,
            parts.query,
            {"host": parts.netloc},
            body_sha256=hashlib.sha256(data).hexdigest(),
            access_key_id=self._key_id,
            access_key_secret=self._secret,
            now_seconds=time.time(),
            nonce=secrets.token_hex(16),
        )
        request.headers.update({name: value for name, value in signed.items() if name != "host"})
        return request


class Contract:
    """A server with an account that has one of everything, and what schemathesis found out about it."""

    def __init__(self, server: LiveServer) -> None:
        known = server.credentials
        self.url = known["endpoint"]
        self.http = requests.Session()
        self.http.auth = self.sign = Sign(known["accessKeyId"], known["accessKeySecret"])
        self.cases = 0
        self.server_errors = 0
        self.statuses: Counter[int] = Counter()
        self.answered: Counter[str] = Counter()
        self.failures: list[str] = []

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> requests.Response:
        """A signed request."""
        data = b"" if body is None else orjson.dumps(body)
        return self.http.request(method, self.url + path, data=data, headers=headers, timeout=60)

    def seed(self) -> None:
        """Make whatever is missing of everything."""
        self.ask("POST", "/2023-03-30/functions", creation("f", code=CODE))
        self.ask("POST", "/2021-04-06/services", {"serviceName": "s"})
        self.ask("POST", "/2021-04-06/services/s/functions", creation("f", code=CODE))
        own, member = "/2023-03-30/functions/f", "/2021-04-06/services/s/functions/f"
        timer = {"triggerName": "timer", "triggerType": "timer", "triggerConfig": '{"cronExpression": "@every 8h"}'}
        task = {"x-fc-invocation-type": "Async", "x-fc-async-task-id": "t", "x-fc-async-delay": "3000"}
        self.ask("POST", "/2023-03-30/functions", creation("spare", code=CODE))
        self.ask("POST", "/2021-04-06/services/s/functions", creation("spare", code=CODE))
        for function, owner in ((own, own), (member, "/2021-04-06/services/s")):
            while len(self.ask("GET", f"{owner}/versions").json()["versions"]) < len(NAMES["version"]):
                self.ask("POST", f"{owner}/versions", {})
            self.ask("POST", f"{owner}/aliases", {"aliasName": "a", "versionId": "2"})
            self.ask("POST", f"{function}/triggers", timer)
            self.ask("PUT", f"{function}/async-invoke-config", {})
            self.ask("PUT", f"{function}/provision-config", {"target": 0})
            self.ask("POST", f"{function}/invocations", None, **task)
            self.ask("POST", f"{function}/invocations", None, **task | {"x-fc-async-task-id": "done"})
        self.ask("PUT", f"{own}/async-tasks/done/stop")
        self.ask("POST", f"{own}/invoke/enable")
        self.ask("PUT", f"{own}/concurrency", {"reservedConcurrency": 5})
        self.ask("PUT", f"{own}/scaling-config", {"minInstances": 0})
        self.ask("PUT", f"{member}/on-demand-config", {"maximumInstanceCount": 5})

    def describe(self, api: str) -> dict[str, Any]:
        """The description as the server gives it."""
        document: dict[str, Any] = self.ask("GET", f"/openapi.json?api={api}").json()
        return document

    def examine(self, api: str, phases: Iterable[str], *, examples: int, pinned: bool, only: str = "") -> None:
        """Let schemathesis make cases for an API.

        Parameters
        ----------
        api: which one.
        phases: of `coverage`, `fuzzing` and `stateful`.
        examples: how many cases an operation gets in each of the last two.
        pinned: whether paths always name what is there; else they do often.
        only: a regular expression that narrows the paths, "" for all.

        """
        names = {
            f"path.{name}": values[0] if pinned else {"dictionary": name, "probability": SEEN}
            for name, values in NAMES.items()
        }
        if api == "v1":  # the log of a task that waits may be followed for as long as it waits
            names["path.task"] = "done"
        values = {name.replace("[*]", "").replace(".", "_"): each for name, each in {**NAMES, **FIELDS}.items()}
        names |= {
            f"body.{name}": {"dictionary": name.replace("[*]", "").replace(".", "_"), "probability": SEEN}
            for name in FIELDS
        }
        config = SchemathesisConfig.from_dict(
            {
                "seed": 20261124,
                "base-url": self.url,
                "continue-on-failure": True,
                "generation": {"max-examples": examples, "database": "none"},
                "checks": {
                    # What no schema says, such as which runtimes a machine has, is refused with 400 all the same.
                    "positive_data_acceptance": {
                        "expected-statuses": ["2xx", "400", "403", "404", "409", "412", "429"]
                    },
                    "negative_data_rejection": {"expected-statuses": ["400", "403", "404", "405", "409", "412", "429"]},
                },
                "dictionaries": {name: {"values": list(each)} for name, each in values.items()},
                "parameters": names,
                "phases": {each: {"enabled": each in phases} for each in PHASES},
            }
        )
        auths.GLOBAL_AUTH_STORAGE.set_from_requests(self.sign)
        schema: Any = schemathesis.openapi.from_dict(self.describe(api), config=config)
        schema = schema.exclude(deprecated=True).exclude(path_regex=NO_OPERATIONS)
        schema = schema.include(path_regex=only) if only else schema
        try:
            for event in engine.from_schema(schema).execute():
                self._took(event)
        finally:
            auths.GLOBAL_AUTH_STORAGE.unregister()

    def summary(self, apis: int) -> str:
        """What it came to, in one line."""
        violations = len(self.failures) - self.server_errors
        return (
            f"schemathesis: {self.cases:,} cases of {apis} APIs, {self.server_errors} server errors, "
            f"{violations} schema violations"
        )

    def _took(self, event: Any) -> None:
        if isinstance(event, events.NonFatalError | events.FatalError):
            self.failures.append(str(event))
        if not isinstance(event, events.ScenarioFinished):
            return
        recorder = event.recorder
        self.cases += len(recorder.cases)
        answers = [each.response for each in recorder.interactions.values() if each.response is not None]
        if any(each.status_code < REFUSED and each.request.method != "GET" for each in answers):
            self.seed()
        for interaction in recorder.interactions.values():
            if interaction.response is not None:
                self.statuses[interaction.response.status_code] += 1
                self.answered[f"{recorder.label} {interaction.response.status_code}"] += 1
        for case_id, nodes in recorder.checks.items():
            for node in nodes:
                if node.failure_info is not None:
                    self._failed(recorder, case_id, node)

    def _failed(self, recorder: Any, case_id: str, node: Any) -> None:
        interaction = recorder.interactions.get(case_id)
        response = interaction.response if interaction is not None else None
        if node.name in UNSIGNED_CHECKS and response is not None and UNSIGNED in response.content:
            return
        if UNKNOWN_HEADER in node.failure_info.failure.message:
            return
        self.server_errors += node.name == "not_a_server_error"
        said = f"{response.status_code} {response.content[:400]!r}" if response is not None else "no answer"
        asked = f"{interaction.request.uri} {interaction.request.body!r}"[:600] if interaction is not None else ""
        self.failures.append(f"{recorder.label}: {node.name}: {node.failure_info.failure.message}\n{asked}\n{said}")


PHASES = ("examples", "coverage", "fuzzing", "stateful")
NO_OPERATIONS = "^/(http/|2016-08-15/proxy/|v1/watch)"
"""Addresses of functions, where what answers is theirs, and what has no end."""
