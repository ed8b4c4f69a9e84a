"""The sandbox contract: where the instances of one account live, and what can be done to them.

A driver starts sandboxes of one isolation level; a sandbox belongs to one account and never to two. Inside it an agent
makes instances, triggers executions and collects results; the host speaks with it over one channel. The verbs below are
that conversation. What comes back is data from code we do not trust: a sandbox checks sizes and types, and nothing in
an answer can name another instance, task or account than the one it was asked about.

`sandboxes/` holds the choices, `channel` the host's end of the conversation, `agent` the other end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from .runtime import Interpreter


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a driver can do on this machine, as a real probe found.

    `text` says in plain words what separates accounts, for people to read; `reason` says why it does not work.
    """

    driver: str
    level: int
    works: bool
    reason: str = ""
    text: str = ""
    networks: tuple[str, ...] = ("host",)
    multi_account: bool = False


class SandboxSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A sandbox to start.

    `code` is the directory that holds the account's code trees, one per digest; nothing of another account is below it.
    `directory` is the sandbox's own place for records and private files. `interpreters` are the runtimes that
    instances may need. `uid` is the user to drop to when the server is root, None otherwise. `mark` is put into the
    environment of every process, so that leftovers can be found.
    """

    id: str
    account_id: str
    code: Path
    directory: Path
    interpreters: tuple[Interpreter, ...]
    mark: str
    network: str = "none"
    uid: int | None = None


class InstanceSpec(msgspec.Struct, frozen=True, kw_only=True):
    """An instance to create, sizes in MB; `context` is what the handler's context shows of function and account."""

    id: str
    interpreter: Interpreter
    code_digest: str
    handler: str
    environment: Mapping[str, str]
    memory_mb: int
    tmp_mb: int
    context: Mapping[str, object]


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """One call of the handler."""

    request_id: str
    payload: bytes
    retry_count: int = 0
    deadline_at: int = 0


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What the handler answered.

    `ok` is False for a function error; then `payload` is the error document (errorMessage, errorType, stackTrace),
    `kind` the wire's class and `type` and `message` what the document says.
    """

    ok: bool
    payload: bytes
    kind: str = ""
    type: str = ""
    message: str = ""
    duration_us: int = 0
    memory_peak_bytes: int = 0


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """How an instance ended, with the proof that nothing of it is left.

    `code` or `signal` is how its first process went; `signals_sent` lists what it was sent, in order. `oom` is True
    when the memory limit did it. `processes_left` counts processes of its tree that are still there: 0, or the stop
    is not over.
    """

    code: int | None = None
    signal: int | None = None
    signals_sent: tuple[str, ...] = ()
    oom: bool = False
    memory_peak_bytes: int = 0
    memory_limit_bytes: int = 0
    processes_left: int = 0
    elapsed_ms: float = 0.0


class InstanceDied(Exception):
    """An instance ended while it was asked to do something; `exit` says how. `lost` means the whole sandbox went."""

    def __init__(self, exit_: Exit, *, lost: bool = False) -> None:
        self.exit, self.lost = exit_, lost
        super().__init__(str(exit_))


LogSink = Callable[[bytes, int], None]
"""Takes a piece of an attempt's output and how many bytes were dropped before it."""


class Sandbox(Protocol):
    """A running sandbox. Instances are named by their id, which the caller makes unique."""

    id: str
    account_id: str

    async def create(self, spec: InstanceSpec) -> Mapping[str, float]:
        """Create an instance; returns the parts of its start in milliseconds.

        Raises
        ------
        InstanceStartFailed: it could not be made (`lost` when the sandbox itself went away).

        """
        ...

    async def invoke(self, instance_id: str, invocation: Invocation, log: LogSink) -> Reply:
        """Call the handler and wait for its answer; output goes to `log` as it comes, all of it before the answer.

        Raises
        ------
        InstanceDied: the instance ended before it answered.

        """
        ...

    async def stop(self, instance_id: str, reason: str, grace_seconds: float) -> Exit:
        """End an instance: SIGTERM, at most `grace_seconds`, SIGKILL of the whole tree, proof. Also while it is busy.

        Stopping an instance that is gone already returns how it went.
        """
        ...

    async def close(self) -> None:
        """End the sandbox and everything in it; on return no process of it is left."""
        ...

    @property
    def alive(self) -> bool:
        """Whether the agent still answers."""
        ...


class SandboxDriver(Protocol):
    """One way of keeping accounts apart."""

    name: str
    level: int

    async def probe(self) -> Capabilities:
        """Start a real sandbox and see; never guesses from a version or a file."""
        ...

    async def start(
        self,
        spec: SandboxSpec,
        on_exit: Callable[[str, Exit], None],
        on_lost: Callable[[], None],
    ) -> Sandbox:
        """Start a sandbox.

        `on_exit(instance_id, exit)` is called for an instance that ends without having been asked to, `on_lost()` once
        when the agent stops answering (killed, crashed, garbage on its channel); every instance is dead by then.

        Raises
        ------
        SandboxUnavailable: it did not start; the message says why.

        """
        ...

    async def reap(self, directory: Path, mark: str) -> int:
        """End what sandboxes of an earlier server with this `mark` left behind; returns how many processes that was."""
        ...
