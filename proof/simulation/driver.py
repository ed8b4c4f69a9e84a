"""The driver of simulated sandboxes: it starts agents, and ends what earlier servers left behind.

It is the world's and outlives servers. The sandbox it hands out is the product's own, on a simulated agent.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from pathlib import Path

from sojourn.channel import Channel
from sojourn.errors import SandboxUnavailable
from sojourn.runtime import Interpreter, Resolved
from sojourn.sandbox import Capabilities, Exit, SandboxSpec
from sojourn.sandboxes.agent_sandbox import AgentSandbox

from .agents import Agent
from .chance import Chance
from .loop import SimLoop
from .observer import Observer

HELLO_SECONDS_MAX = 5.0


class SimEnclosure:
    """The processes of a sandbox as their host sees them."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    async def end(self, *, deaf: bool = False) -> None:
        """End everything; on return no process is left."""
        del deaf
        await asyncio.sleep(self._agent.chance.spread("collapse takes", 0.005, 8.0))
        self._agent.end()

    def hold(self, _pid: int) -> bool:
        """Nothing is to be held."""
        return False

    def record(self) -> None:
        """Nothing is to be written down."""


class SimDriver:
    """Starts simulated agents. It is the world's, and outlives servers; `server()` hands out one for each."""

    name, level = "simulated", 2

    def __init__(self, loop: SimLoop, chance: Chance, observer: Observer) -> None:
        self.loop, self.chance, self.observer = loop, chance, observer
        self.world = contextvars.copy_context()
        self.agents: dict[Agent, None] = {}
        self.creating = 0
        self.create_seconds = 0.2
        self.cancels = True

    async def probe(self) -> Capabilities:
        """It always works."""
        return Capabilities(driver=self.name, level=self.level, works=True, multi_account=True)

    async def start(
        self, spec: SandboxSpec, on_exit: Callable[[str, Exit], None], on_lost: Callable[[], None]
    ) -> AgentSandbox:
        """Start an agent and wait for its hello, as the product does."""
        if self.chance.fault("agent: unstartable"):
            raise SandboxUnavailable("the sandbox does not start: simulated")
        sandbox = AgentSandbox(spec, on_exit, on_lost, zygotes_seen=False)
        agent = Agent(self, spec.account_id)
        self.agents[agent] = None
        channel = agent.channel = Channel(sandbox.exited, sandbox.lost)
        channel.connection_made(agent)  # type: ignore[arg-type]  # all that is asked of a transport
        enclosure = SimEnclosure(agent)
        self.loop.call_later(self.chance.spread("hello takes", 0.001, 0.3), agent.hello, context=self.world)
        try:
            async with asyncio.timeout(HELLO_SECONDS_MAX):
                await asyncio.shield(channel.hello)
        except BaseException as error:
            channel.close()
            await enclosure.end()
            if isinstance(error, TimeoutError) or channel.hello.cancelled():
                raise SandboxUnavailable("the sandbox does not start: simulated silence") from None
            raise
        sandbox.attach(channel, enclosure)  # type: ignore[arg-type]  # all that is asked of an enclosure
        return sandbox

    async def reap(self, directory: Path, mark: str) -> int:
        """End what earlier servers left behind."""
        del directory, mark
        left = list(self.agents)
        for agent in left:
            agent.end()
        await asyncio.sleep(0.001)
        return len(left)


class SimRuntime:
    """A runtime family that knows every name. It is a `Runtime`."""

    language = "python"

    def __init__(self) -> None:
        self.interpreter = Interpreter(
            language="python", version="3.12.1", executable=Path("/usr/bin/python"), prefix=Path("/usr")
        )

    def interpreters(self) -> tuple[Interpreter, ...]:
        """One."""
        return (self.interpreter,)

    def resolve(self, runtime: str) -> Resolved | None:
        """The one."""
        del runtime
        return Resolved(interpreter=self.interpreter)
