"""Starting a sandbox with an agent: a socket pair, a process, a hello.

Drivers say what is to be executed; this file makes the descriptors, goes through the launcher when the server is root,
waits for the agent's first word, and leaves nothing behind when it does not come.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from sojourn import agent
from sojourn.agent.main import bootstrap
from sojourn.channel import Channel
from sojourn.crashpoint import crashpoint
from sojourn.errors import SandboxUnavailable
from sojourn.runtime import Interpreter
from sojourn.sandbox import Exit, SandboxSpec

from . import records
from .agent_sandbox import AgentSandbox
from .enclosure import Enclosure
from .groups import Estate

HELLO_SECONDS_MAX = 20.0
AGENT_PACKAGE = Path(agent.__file__).resolve().parent


def own_interpreter() -> Interpreter:
    """The interpreter that the server itself runs on, as a real binary outside any virtual environment."""
    executable = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Interpreter(
        language="python", version=version, executable=executable, prefix=Path(sys.base_prefix).resolve()
    )


def check_user(spec: SandboxSpec) -> None:
    """Refuse to run functions as root, and to change the user without being root.

    Raises
    ------
    SandboxUnavailable: one of the two was asked for.

    """
    root = os.geteuid() == 0
    if root and not spec.uid:
        raise SandboxUnavailable(
            "the server runs as root and functions never do: a sandbox needs a user of its own (uid)"
        )
    if not root and spec.uid not in (None, os.geteuid()):
        raise SandboxUnavailable(f"only a server that runs as root can start a sandbox as user {spec.uid}")


def prepare_directory(spec: SandboxSpec) -> Path:
    """The sandbox's private directory for temporary files, empty and owned by its user."""
    temporary = spec.directory / "tmp"
    shutil.rmtree(temporary, ignore_errors=True)  # an agent that was killed may have left some
    temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() == 0 and spec.uid:
        os.chown(temporary, spec.uid, spec.uid)
    return temporary


def agent_command(interpreter: Interpreter, package: str, facts: dict[str, object]) -> list[str]:
    """What starts the agent whose package is seen at `package`."""
    return [str(interpreter.executable), "-I", "-S", "-c", bootstrap(package), "agent", json.dumps(facts)]


async def start(
    spec: SandboxSpec,
    on_exit: Callable[[str, Exit], None],
    on_lost: Callable[[], None],
    *,
    command: Callable[[int], list[str]],
    reach: Iterable[Path],
    descriptors: Sequence[int] = (),
    estate: Estate | None = None,
    namespaces: bool,
    kind: Callable[..., AgentSandbox] = AgentSandbox,
) -> AgentSandbox:
    """Start a sandbox and wait for its agent.

    Parameters
    ----------
    spec: the sandbox.
    on_exit: see the contract.
    on_lost: see the contract.
    command: what to execute, given the number of the channel's descriptor.
    reach: paths that the sandbox's user must be able to enter.
    descriptors: further descriptors to hand over.
    estate: its control groups, which are removed with it.
    kind: makes the sandbox.
    namespaces: whether the command's only child becomes the first process of a pid namespace.

    Raises
    ------
    SandboxUnavailable: it does not start; what it said is in the message.

    """
    ours, theirs = socket.socketpair()
    sandbox = kind(spec, on_exit, on_lost, zygotes_seen=not namespaces)
    try:
        argv = command(theirs.fileno())
        entrance = estate.entrance if estate is not None else None
        if os.geteuid() == 0 or entrance is not None:
            argv = _launched(argv, spec.uid, reach, entrance)
        # In this thread: with --die-with-parent a sandbox dies with the thread that started it.
        process = subprocess.Popen(  # noqa: ASYNC220 - the call returns after the fork, in a millisecond
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(theirs.fileno(), *descriptors),
            env={records.VARIABLE: spec.mark, records.ID_VARIABLE: spec.id, "LANG": "C.UTF-8", "PATH": os.defpath},
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        ours.close()
        if estate is not None:
            estate.remove()
        raise SandboxUnavailable(f"the sandbox does not start: {error}") from error
    finally:
        theirs.close()

    def mine(variables: dict[str, str]) -> bool:
        same = variables.get(records.VARIABLE) == spec.mark
        return same and (variables.get(records.ID_VARIABLE) == spec.id or sandbox.owns(variables))

    crashpoint("sandbox.start.spawned")
    enclosure = Enclosure(process, spec.directory, spec.mark, namespaces=namespaces, mine=mine, estate=estate)
    ours.setblocking(False)
    channel = await Channel.over(ours, sandbox.exited, sandbox.lost)
    try:
        async with asyncio.timeout(HELLO_SECONDS_MAX):
            await asyncio.shield(channel.hello)
        enclosure.settle()
    except BaseException as error:
        channel.close()
        await enclosure.end()
        if isinstance(error, TimeoutError) or channel.hello.cancelled():
            why = enclosure.words or sandbox.reason or f"no word from the agent in {HELLO_SECONDS_MAX:g} seconds"
            raise SandboxUnavailable(f"the sandbox does not start: {why}") from None
        raise
    crashpoint("sandbox.start.recorded")
    sandbox.attach(channel, enclosure)
    return sandbox


def _launched(argv: list[str], uid: int | None, reach: Iterable[Path], entrance: Path | None) -> list[str]:
    """`argv` behind the launcher, which walks into a control group, makes the way free and becomes the user."""
    interpreter = own_interpreter()
    wanted = {"uid": uid, "reach": sorted(str(path) for path in reach), "command": argv, "group": str(entrance or "")}
    program = bootstrap(str(AGENT_PACKAGE), "launcher")
    return [str(interpreter.executable), "-I", "-S", "-c", program, json.dumps(wanted)]
