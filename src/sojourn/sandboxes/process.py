"""Level 0: ordinary processes of one user, for machines where nothing better works and for one's own code.

Clean environment, closed descriptors, own directory, resource limits, a tree that is ended completely. No protection of
one account's files or processes from another's functions beyond what the user's own rights give.
"""

from __future__ import annotations

import asyncio
import os
import pwd
from collections.abc import Callable
from pathlib import Path

from sojourn.errors import SandboxUnavailable
from sojourn.sandbox import Capabilities, Exit, Sandbox, SandboxSpec

from . import records
from .probe import try_out
from .start import AGENT_PACKAGE, agent_command, check_user, own_interpreter, prepare_directory, start

_LIMITS = (
    "Limits: memory is held by a guard that looks at running instances; processes are bounded per user; cpu is not "
    "held (no control groups: a function could change its own)."
)
_TEXT = (
    "Isolation: NONE. Functions run as ordinary processes of {user}; they can read that user's files and reach other "
    "accounts' functions. Use for your own code only."
)


class ProcessDriver:
    """Starts sandboxes that are just processes."""

    name = "process"
    level = 0

    async def probe(self) -> Capabilities:
        """Run a function in a sandbox and see."""
        reason = await try_out(self, network="host")
        return Capabilities(
            driver=self.name,
            level=self.level,
            works=not reason,
            reason=reason,
            text=_TEXT.format(user=_user()),
            limits=_LIMITS,
            networks=("host",),
            multi_account=False,
        )

    async def start(
        self, spec: SandboxSpec, on_exit: Callable[[str, Exit], None], on_lost: Callable[[], None]
    ) -> Sandbox:
        """See the contract."""
        check_user(spec)
        if spec.network != "host":
            raise SandboxUnavailable(
                f"sandbox driver process cannot withhold the network (account {spec.account_id} is to have "
                f"network '{spec.network}'): choose another driver, or allow the account the host's network"
            )
        temporary = await asyncio.to_thread(prepare_directory, spec)
        interpreter = own_interpreter()
        facts: dict[str, object] = {
            "namespaces": False,
            "own_user": spec.uid is not None,
            "code": str(spec.code.resolve()),
            "temporary": str(temporary.resolve()),
        }
        prefixes = [one.prefix for one in (interpreter, *spec.interpreters)]
        return await start(
            spec,
            on_exit,
            on_lost,
            command=lambda fd: agent_command(interpreter, str(AGENT_PACKAGE), {**facts, "channel_fd": fd}),
            reach=[AGENT_PACKAGE, spec.code, temporary, *prefixes],
            namespaces=False,
        )

    async def reap(self, directory: Path, mark: str) -> int:
        """See the contract."""
        return await asyncio.to_thread(records.reap, directory, mark)


def _user() -> str:
    if os.geteuid() == 0:
        return "an unprivileged user"
    try:
        return f"user {pwd.getpwuid(os.geteuid()).pw_name}"
    except KeyError:
        return f"user {os.geteuid()}"
