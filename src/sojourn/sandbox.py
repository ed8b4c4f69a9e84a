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

from .function import CustomContainer, CustomRuntime, Lifecycle
from .runtime import Interpreter


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a driver can do on this machine, as a real probe found.

    `text` says in plain words what separates accounts, and `limits` what holds an instance to its limits, for people to
    read; `reason` says why it does not work.
    """

    driver: str
    level: int
    works: bool
    reason: str = ""
    text: str = ""
    limits: str = ""
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
    """An instance to create, sizes in MB; `context` is what the handler's context shows of function and account.

    `interpreter` is the Python whose zygote the instance is forked from. `kind` says who serves invocations in there
    (see `runtime.Resolved`), `program` is the binary it becomes when that is not Python, `container` the image that it
    is. `concurrency` is how many invocations it takes at a time. `cpu` is how many cores it may use where that can be
    held, None for all. `offline` asks for a network of its own without a way out. `preload` names modules that are
    imported once for all instances that have the rest in common, in a template that they are forked from; with
    `snapshot` Initializer has run in there, and to initialize an instance means to run `after_restore` of its module.
    """

    id: str
    interpreter: Interpreter
    code_digest: str
    handler: str
    environment: Mapping[str, str]
    memory_mb: int
    tmp_mb: int
    context: Mapping[str, object]
    kind: str = "python"
    program: Path | None = None
    custom: CustomRuntime | None = None
    container: CustomContainer | None = None
    lifecycle: Lifecycle = Lifecycle()
    concurrency: int = 1
    cpu: float | None = None
    offline: bool = False
    preload: tuple[str, ...] = ()
    snapshot: bool = False


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """One call of the handler; with `http` the payload is a request for the program, see `agent.frames.pack_http`.

    `checkpoint` is what the attempt before left for this one; `on_report` gets what it says of how far it is, as JSON
    that nobody has checked.
    """

    request_id: str
    payload: bytes
    retry_count: int = 0
    deadline_at: int = 0
    http: bool = False
    checkpoint: bytes = b""
    on_report: Callable[[bytes], None] | None = None


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What the handler answered.

    `ok` is False for a function error; then `payload` is the error document (errorMessage, errorType, stackTrace),
    `kind` the wire's class and `type` and `message` what the document says. `processes_refused` is how many processes
    it was not allowed to start, where that is counted.
    """

    ok: bool
    payload: bytes
    kind: str = ""
    type: str = ""
    message: str = ""
    duration_us: int = 0
    memory_peak_bytes: int = 0
    processes_refused: int = 0
    retryable: bool = True
    retry_after_seconds: float | None = None


class HookOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a lifecycle hook came to.

    When `ok` is False it failed, or `timed_out`, and `payload` is the error document (errorMessage, errorType,
    stackTrace), `type` and `message` what it says, `retryable` and `retry_after_seconds` what an Initializer wants to
    come of it. A hook that was cut short by the end of its instance is not ok either.
    """

    ok: bool
    duration_ms: float = 0.0
    timed_out: bool = False
    payload: bytes = b""
    type: str = ""
    message: str = ""
    retryable: bool = True
    retry_after_seconds: float | None = None


class StopOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Why and how an instance is to end.

    `reason` is what PreStop is told: `stop`, `timeout`, `cancel`, `idle`, `update`, `memory`, `drain`, `shutdown`, …
    `task_id` is the task that is stopped, "" when it is none's doing. `request_id` is the hook's own.
    `pre_stop` False spares the hook: the instance was never initialized. `grace_seconds` lies between SIGTERM and
    SIGKILL. `force` ends at once also what an order before gives time to.
    """

    reason: str
    grace_seconds: float
    task_id: str = ""
    request_id: str = ""
    pre_stop: bool = True
    force: bool = False


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What an instance uses: memory now and at its peak, CPU time so far, processes."""

    memory_bytes: int = 0
    memory_peak_bytes: int = 0
    cpu_seconds: float = 0.0
    processes: int = 0


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """How an instance ended, with the proof that nothing of it is left.

    `code` or `signal` is how its first process went; `signals_sent` lists what it was sent, in order. `oom` is True
    when the memory limit did it, and `files_bytes` how much of the memory were files in /tmp then, where that is
    known. `processes_refused` is as in a reply. `pre_stop` is what the hook came to, None when it was not called.
    `processes_left` counts processes of its tree that are still there: 0, or the stop
    is not over.
    """

    code: int | None = None
    signal: int | None = None
    signals_sent: tuple[str, ...] = ()
    oom: bool = False
    memory_peak_bytes: int = 0
    memory_limit_bytes: int = 0
    files_bytes: int = 0
    processes_refused: int = 0
    processes_left: int = 0
    elapsed_ms: float = 0.0
    pre_stop: HookOutcome | None = None


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

    async def initialize(self, instance_id: str, request_id: str, log: LogSink) -> HookOutcome:
        """Run Initializer, which must be configured; an instance whose Initializer failed is to be stopped.

        Raises
        ------
        InstanceDied: the instance ended before the hook did.

        """
        ...

    async def cancel(self, instance_id: str, request_id: str, grace_seconds: float) -> bool:
        """Ask an instance that serves several invocations to give one up; True when that one is over.

        False after `grace_seconds`, and at once where there is no such thing: then only `stop` helps.
        """
        ...

    async def freeze(self, instance_id: str, request_id: str, log: LogSink) -> HookOutcome | None:
        """Run PreFreeze when there is one, then take the CPU from the instance; returns what the hook came to.

        A hook that fails or takes too long does not keep the instance from being frozen.

        Raises
        ------
        InstanceDied: the instance ended.

        """
        ...

    def thaw(self, instance_id: str) -> None:
        """Let a frozen instance's processes run again; holds for everything asked of it afterwards."""
        ...

    async def usage(self, instance_id: str) -> Usage:
        """What an instance uses now; nothing when it is gone."""
        ...

    async def stop(self, instance_id: str, order: StopOrder, log: LogSink) -> Exit:
        """End an instance, also while it is busy or frozen: PreStop, SIGTERM, grace, SIGKILL of the whole tree, proof.

        Stopping an instance that is gone already returns how it went; one that is being stopped is waited for, and
        killed at once when the order is to `force` it.
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
