"""The nemesis: kills servers and agents, sets clocks, stops time for one of them, fills the disk. And the supervisor.

A supervisor starts a server again when it is gone, as an init system does. Both belong to the world.
"""

from __future__ import annotations

import asyncio

from sojourn import identity
from sojourn.task import Status

from .agents import Agent
from .chance import Chance
from .clients import Cluster
from .node import Node, Surroundings

HOUR = 3_600_000_000
HUNT_SECONDS, HUNT_LOOKS_MAX = 0.01, 3000


class Supervisor:
    """Keeps one server up until `enough`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._around = cluster, cluster.around
        self.enough = False

    async def run(self) -> None:
        """Start a server, and another one when it is gone."""
        while not self.enough:
            over = asyncio.Event()
            node = Node(self._around)
            node.when_over(over.set)
            self._cluster.node = node
            node.begin()
            await over.wait()
            await asyncio.sleep(self._around.chance.spread("start again after", 0.01, 3.0))


class Nemesis:
    """Does what the style says somebody does, at moments that chance draws."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._around = cluster, cluster.around
        self._chance: Chance = cluster.around.chance

    async def run(self) -> None:
        """Go on until the chaos is over."""
        around, chance, style = self._around, self._chance, self._around.style
        while style.acts and around.loop.time() < style.chaos_seconds:
            await asyncio.sleep(chance.spread("act after", 0.1, 2.5) * style.act_seconds)
            act = chance.weighted("act", style.acts)
            if chance.coin("wait for a moment", 0.5):
                await self._moment()
            if around.loop.time() < style.chaos_seconds:
                await self._act(act)

    async def _moment(self) -> None:
        """Wait until a task is in a status that is rare, for a while."""
        status = self._chance.one_of("moment", ("Dequeued", "Running", "Retrying", "Stopping", "Stopping"))
        for _ in range(400):
            if any(each.value == status and count for each, count in self._around.observer.open.items()):
                return
            await asyncio.sleep(0.05)

    async def _act(self, act: str) -> None:
        node = self._cluster.node
        if node is None or node.over:
            return
        if act.startswith("agent:"):
            agents = [agent for agent in self._around.driver.agents if not agent.dead]
            if agents:
                await self._to_agent(act, self._chance.one_of("which agent", agents))
        elif act.startswith("server:"):
            await self._to_server(act, node)
        elif act == "task: hunted":
            await self._hunt()
        elif self._chance.happens(act):
            self._to_the_world(act)

    async def _hunt(self) -> None:
        """Take one task, and the ground from under each of its attempts: as often as nobody else would come by."""
        rows, chance = self._around.observer.rows, self._chance
        running = [number for number, row in rows.items() if row.status is Status.RUNNING]
        if not running or not chance.happens("task: hunted"):
            return
        prey = chance.one_of("which task", running)
        for _ in range(HUNT_LOOKS_MAX):
            if rows[prey].over:
                return
            for agent in list(self._around.driver.agents):
                if not agent.dead and agent.runs(identity.request_id(prey)):
                    self._kill(agent, everything=True)
            await asyncio.sleep(HUNT_SECONDS)

    def _to_the_world(self, act: str) -> None:
        chance, around = self._chance, self._around
        if act == "disk: full":
            around.disk_full_until = around.loop.time() + chance.spread("full for", 0.1, 20.0)
        elif act == "idle instance: crashed":
            here = [one for agent in around.driver.agents if not agent.dead for one in agent.living.values()]
            if here:
                one = chance.one_of("which instance", here)
                one.agent.crash(one)
        else:
            step = chance.one_of("clock by", (1_000_000, 60_000_000, HOUR, 24 * HOUR))
            around.observer.set_back = around.observer.set_back or act == "clock: back"
            around.clock.step(step if act == "clock: forward" else -step)

    async def _to_server(self, act: str, node: Node) -> None:
        if act == "server: restarted" and not node.ready:
            return
        if not self._chance.happens(act):
            return
        if act == "server: killed":
            node.kill()
        elif act == "server: stands still":
            await self._stand_still(node)
        else:
            node.end(self._chance.one_of("drain", (0.0, 0.5, 10.0)))
            await self._patience(node)

    async def _to_agent(self, act: str, agent: Agent) -> None:
        chance, observer = self._chance, self._around.observer
        if not chance.happens(act):
            return
        if act == "agent: killed":
            self._kill(agent, everything=chance.coin("its instances die with it"))
            return
        observer.lost(f"{act} of {agent.account_id}")
        if act == "agent: garbage":
            agent.hang_up(garbage=b"\xff" * 40)
        else:
            agent.mute = True
            await asyncio.sleep(chance.spread("mute for", 0.05, 8.0))
            agent.unmute()

    def _kill(self, agent: Agent, *, everything: bool) -> None:
        """SIGKILL of an agent, and of all its instances when `everything` says so."""
        self._around.observer.lost(f"agent: killed of {agent.account_id}")
        for one in list(agent.living.values()) if everything else ():
            agent._gone(one)  # noqa: SLF001 - this is what a SIGKILL does
        agent.hang_up()

    async def _stand_still(self, node: Node) -> None:
        node.domain.still = True
        await asyncio.sleep(self._chance.spread("still for", 0.05, 60.0))
        self._around.loop.resume(node.domain)

    async def _patience(self, node: Node) -> None:
        """An init system kills what does not end in time."""
        for _ in range(60):
            if node.over:
                return
            await asyncio.sleep(1.0)
        node.kill()


def calm(around: Surroundings) -> None:
    """End all faults: what was done to the world is undone."""
    around.chance.active = False
    around.disk_full_until = 0.0
    around.clock.heal()
    for agent in list(around.driver.agents):
        if agent.mute:
            agent.unmute()
