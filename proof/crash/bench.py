"""The bench that operations work on: a real server, clients of it, and the record of what they were told."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import fastcrc
import msgspec

from live import LiveServer
from sojourn.client import Client, ClientError, NotFound, Retries, Task, documents
from sojourn.client.call import Answer, Call

from .functions import HANDLER, RUNTIME, code, program
from .journal import HOLD, Journal
from .receiver import Receiver
from .record import Asked, Record
from .stores import Home

PATIENCE_SECONDS = 30.0
"""How long anything may take: a bound on patience, on a busy machine, and no measurement."""
LOOK_SECONDS = 0.02
NEW, OLDER = "/2023-03-30", "/2021-04-06"
"""The paths of two APIs: of functions, and of services."""


class Died(Exception):
    """The server went away, as it should sooner or later."""


class Bench:
    """One server's outside; `server` outlives its processes. `image` holds the program, "" when there are no images."""

    def __init__(
        self, server: LiveServer, home: Home, directory: Path, patience_seconds: float, image: str = ""
    ) -> None:
        self.server, self.record, self.patience_seconds = server, Record(), patience_seconds
        self.home, self.image = home, image
        self.journal, self.receiver = Journal(directory / "executions"), Receiver()
        self.armed_by = directory / "armed"
        self._clients: dict[str, Client] = {}

    def close(self) -> None:
        """Let go of everything but the server."""
        self.forget()
        self.journal.close()
        self.receiver.close()

    # The server -------------------------------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return not self.server.ended

    def forget(self) -> None:
        """The server is another one from now on."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def arm(self) -> None:
        """From now on the passes of the point count."""
        self.armed_by.touch()

    def client(self, account: str = "") -> Client:
        """A client of that account; the owner's for ""."""
        if account not in self._clients:
            keys = self.record.secrets.get(account, ("", ""))
            self._clients[account] = self.server.client(*keys, retries=Retries(connection=0))
        return self._clients[account]

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Look until `condition` holds.

        Raises
        ------
        Died: the server went away first.
        AssertionError: it took too long.

        """
        deadline = time.monotonic() + self.patience_seconds
        while not condition():
            if not self.alive:
                raise Died
            if time.monotonic() > deadline:
                raise AssertionError(f"after {self.patience_seconds:g} s still not: {what}")
            time.sleep(LOOK_SECONDS)

    def ask(self, method: str, path: str, body: object = None, account: str = "") -> Any:
        """A call by its path, and the JSON of its answer; None when there is no such thing."""
        text = b"" if body is None else json.dumps(body).encode()
        try:
            return self.client(account).ask(Call("", method, path, _document, body=text))
        except NotFound:
            return None

    # Functions --------------------------------------------------------------------------------------------------------

    def deploy(
        self, name: str, *, version: str = "1", account: str = "", config: dict[str, object] | None = None, **more: Any
    ) -> None:
        """Create or change a function; its code answers `version`. `config` is its asynchronous configuration."""
        program_too = more.get("runtime") == "custom"
        archive = program() if program_too else code(version)
        digest = sha256(archive).hexdigest()
        self.record.archives[digest] = archive
        self.record.versions[str(fastcrc.crc64.xz(archive))] = version
        client = self.client(account)
        with self.record.changing("function", f"{account}/{name}", version):
            client.deploy(
                name,
                archive,
                handler=HANDLER,
                memory=128,
                env={"JOURNAL": str(self.journal.port)},
                **{"runtime": RUNTIME, "timeout": 20, **more},
            )
        if config is not None:
            path = f"{NEW}/functions/{name}/async-invoke-config"
            self.ask("PUT", path, {"maxAsyncRetryAttempts": 3, **config}, account)

    def contain(self, name: str) -> None:
        """Create a function that is the image."""
        body = {
            "functionName": name,
            "runtime": "custom-container",
            "timeout": 20,
            "memorySize": 256,
            "customContainerConfig": {"image": self.image},
            "environmentVariables": {"JOURNAL": str(self.journal.port)},
        }
        self.client().ask(documents.create_function(body))

    def delete(self, name: str) -> None:
        """Delete a function of the owner."""
        doomed = [each for each in self.record.tasks if each.function == name and not each.account]
        for each in doomed:
            each.deleted = True
        with self.record.changing("function", f"/{name}", ""):
            self.client().delete_function(name)

    # Tasks ------------------------------------------------------------------------------------------------------------

    def submit(self, function: str, kind: str, *, fill: int = 0, account: str = "") -> Asked:
        """Submit a task whose event is `kind`, with `fill` more bytes."""
        asked = Asked(function, f"t{self.record.number()}", kind, account)
        self.record.tasks.append(asked)
        payload = f"{kind}:{'x' * fill}" if fill else kind
        made = self.client(account).submit(function, payload, task_id=asked.name)
        asked.accepted, asked.request_id = True, made.request_id
        return asked

    def stop(self, asked: Asked) -> None:
        """Stop a task."""
        asked.stopping = True
        self.client(asked.account).stop_task(asked.function, asked.name)
        asked.stopped = True

    def held(self, function: str, kind: str = HOLD) -> Asked:
        """A task that runs, and goes on running until the server has died."""
        self.journal.hold()
        asked = self.submit(function, kind)
        self.until(lambda: self.journal.said(asked.request_id, HOLD), "running")
        return asked

    def task(self, asked: Asked) -> Task | None:
        """A task as the server tells it."""
        try:
            return self.client(asked.account).get_task(asked.function, asked.name)
        except NotFound:
            return None

    def over(self, *those: Asked) -> None:
        """Wait until tasks are over."""
        for each in those:
            self.until(lambda each=each: (found := self.task(each)) and found.over, f"{each} over")  # type: ignore[misc]  # bound


def _document(answer: Answer) -> Any:
    return msgspec.json.decode(answer.body) if answer.body else {}


Unknown = (Died, ClientError)
"""What an operation sees when the server dies under it."""
