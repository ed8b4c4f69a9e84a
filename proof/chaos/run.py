"""One run from the empty directory to the evidence: load and faults, then quiet, then everything is read.

Order of the end: the nemesis is through, callers stop, all that is open comes to its end (or patience does), the lists
are read over HTTP, the server is drained, and only then are store, journal and /proc looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
import time
from pathlib import Path

import msgspec
from proof.crash.machine import groups_of
from proof.soak.samples import Sample, sample

from sojourn.audit import audit
from sojourn.client import AsyncClient, ClientError, TaskFilter

from . import functions, nemesis, processes, records
from .aims import Aims, Watch
from .clients import STOP_SHARE, Churn, Clients
from .demands import TASKS_PER_MINUTE
from .evidence import Body, Evidence
from .functions import DESIGNS
from .journal import Journal, words_of
from .nemesis import Nemesis
from .place import Disk
from .receiver import Receiver
from .records import Call, Fault, Life, Receipt, Writer
from .server import DATABASES, Database, Supervisor

TASKS_PER_SECOND = 21.0
CATCH_UP_SECONDS = 90
GONE_SECONDS = 5.0
"""How long a process may outlive its server: until a sandbox without namespaces has cleared up."""
SAMPLE_SECONDS = 2.0
PLANTED_STOP_SHARE = 0.6
"""A run with a planted mistake is short, and has to meet it."""
SETTINGS = {
    "SOJOURN_DRAIN_SECONDS": "1",
    "SOJOURN_GRACE_SECONDS": "0.3",
    "SOJOURN_LINGER_SECONDS": "0.05",
    "SOJOURN_RETRY_BASE_SECONDS": "0.3",
    "SOJOURN_RETRY_CAP_SECONDS": "1",
    "SOJOURN_WEBHOOK_PRIVATE_ADDRESSES": "true",
    "SOJOURN_INSTANCES_MAX": "24",
    "SOJOURN_LOG_LEVEL": "warning",
}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to run: for how many minutes, from which seed, on which store and isolation.

    `quiet_seconds` is how long everything may take to end after the last fault. With `only` no other kinds of faults
    come, and the verdict asks for no others. `plant` is the mistake of `plants` that the server is to have.
    """

    minutes: float
    seed: int
    store: str = "sqlite"
    sandbox: str = "bubblewrap"
    only: tuple[str, ...] = ()
    plant: str = ""
    quiet_seconds: float = 90.0


class Chaos:
    """A run in `directory`; `disk` is where the data goes, with a way to fill it, None when there is no such place."""

    def __init__(self, plan: Plan, directory: Path, disk: Disk | None) -> None:
        self._plan, self._directory, self._disk = plan, directory, disk
        self._chance = random.Random(plan.seed)
        self.data = (disk.path if disk else directory) / "data"
        self.data.mkdir(mode=0o700)
        self._database: Database = DATABASES[plan.store](self.data)
        self._sleep = f"600.{os.getpid()}{plan.seed % 1000}"
        self._writers = {name: Writer(directory / f"{name}.jsonl") for name in ("calls", "faults", "lives", "receipts")}
        settings = {**SETTINGS, "SOJOURN_SANDBOX": plan.sandbox, **self._database.environment}
        self._supervisor = Supervisor(
            self.data, settings, directory / "server.log", self._writers["lives"], plant=plan.plant
        )
        self._samples: list[Sample] = []
        self._orphans: list[str] = []
        self._errors: list[str] = []
        self._checks: set[asyncio.Task[None]] = set()
        self._bodies: dict[str, Body] = {}

    async def run(self) -> Evidence:
        """Do it all."""
        offset = time.time_ns() // 1_000 - records.now()
        journal = Journal(self._directory / "journal")
        self._supervisor.on_ready = self._supervisor.on_death = self._look_for_orphans
        try:
            with journal:
                async with Receiver(self._writers["receipts"], self._child()) as receiver:
                    await self._live(journal, receiver)
                status = await self._supervisor.stop()
                if status:
                    self._errors.append(f"the last drain ended with status {status}")
                await asyncio.gather(*self._checks)
                await self._nobody_left()
        finally:
            await self._supervisor.close()
            await self._end_strangers()
        return self._evidence(offset)

    async def _live(self, journal: Journal, receiver: Receiver) -> None:
        supervisor, plan = self._supervisor, self._plan
        await supervisor.start()
        share = PLANTED_STOP_SHARE if plan.plant else STOP_SHARE
        clients = Clients(supervisor, self._writers["calls"], self._child(), f"seed{plan.seed}", stop_share=share)
        environment = functions.environment(journal.name, self._sleep)
        churn = Churn(clients, environment, receiver.url)
        await churn.set_up()
        watch = Watch(journal)
        aims = Aims(clients, churn, watch, self._child())
        villain = Nemesis(
            supervisor=supervisor,
            journal=journal,
            watch=watch,
            aims=aims,
            churn=churn,
            disk=self._disk,
            written=self._writers["faults"],
            chance=self._child(),
        )
        outer = plan.sandbox == "bubblewrap"
        faults = nemesis.planned(plan.minutes, self._child(), outer=outer, only=plan.only)
        load = asyncio.ensure_future(clients.load(TASKS_PER_SECOND))
        sampling = asyncio.ensure_future(self._take_samples())
        try:
            await villain.carry_out(faults, plan.minutes * 60.0)
            await self._enough(clients)
        finally:
            clients.ending = True
            sampling.cancel()
            await load
        receiver.patient = True
        await self._quiet()

    async def _enough(self, clients: Clients) -> None:
        """On a slow machine the load may have stayed behind: let it catch up."""
        for _ in range(CATCH_UP_SECONDS):
            if clients.submitted > TASKS_PER_MINUTE * self._plan.minutes:
                return
            await asyncio.sleep(1.0)

    async def _quiet(self) -> None:
        """Wait until everything is over and every list is read."""
        deadline = time.monotonic() + self._plan.quiet_seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(ClientError, OSError, TimeoutError):
                async with asyncio.timeout(self._plan.quiet_seconds):
                    await self._supervisor.up.wait()
                    if await self._read_lists(self._supervisor.client()):
                        return
            await asyncio.sleep(0.5)
        self._errors.append(f"after {self._plan.quiet_seconds:g} s of quiet something was open still")

    async def _read_lists(self, client: AsyncClient) -> bool:
        """Read all tasks with their bodies; whether all are over, and all records delivered."""
        done, found = True, {}
        for name, design in DESIGNS.items():
            async for task in client.iterate_tasks(name, TaskFilter(limit=100, include_payload=True)):
                digest = hashlib.sha256(task.payload).hexdigest()[:16]
                found[task.request_id] = Body(digest, task.return_payload)
                done = done and task.over and not (design.told and task.destination_status == "Pending")
        self._bodies = found
        return done

    async def _take_samples(self) -> None:
        while True:
            await asyncio.sleep(SAMPLE_SECONDS)
            pid = self._supervisor.pid
            one = sample("server", pid, self.data) if pid else None
            if one is not None:
                self._samples.append(one)

    # Who is left ------------------------------------------------------------------------------------------------------

    def _look_for_orphans(self) -> None:
        """A server died, or another one is ready: whoever belongs to none now must soon be gone."""
        check = asyncio.ensure_future(self._see_them_go())
        self._checks.add(check)
        check.add_done_callback(self._checks.discard)

    async def _see_them_go(self) -> None:
        left = self._strangers()
        deadline = time.monotonic() + GONE_SECONDS
        while left and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
            left = {pid: one for pid, one in left.items() if processes.alive(pid, one.started)}
        self._orphans += [f"process {one.pid} outlived its server: {one.command[:120]}" for one in left.values()]

    async def _nobody_left(self) -> None:
        await self._see_them_go()
        left = self._strangers()
        self._orphans += [f"process {one.pid} is left in the end: {one.command[:120]}" for one in left.values()]

    async def _end_strangers(self) -> None:
        """Whatever went wrong, nothing of ours stays."""
        for pid, one in self._strangers().items():
            if processes.alive(pid, one.started):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)

    def _strangers(self) -> dict[int, processes.Process]:
        mark = self._supervisor.mark
        return processes.strangers(mark, self._sleep, self._supervisor.pid) if mark else {}

    # What is known ----------------------------------------------------------------------------------------------------

    def _evidence(self, offset: int) -> Evidence:
        with self._database.records() as held:
            report = audit(held)
            tasks = list(held.tasks())
            names = {function.id: function.name for function in held.functions()}
        directory = self._directory
        log = (directory / "server.log").read_text("utf-8", "replace")
        if "Traceback" in log:
            place = log.index("Traceback")
            self._errors.append("the server told of an error it had not foreseen: " + log[place - 300 : place + 2_000])
        return Evidence(
            minutes=self._plan.minutes,
            tasks=tasks,
            functions=names,
            bodies=self._bodies,
            violations=[str(violation) for violation in report.violations],
            calls=records.read(directory / "calls.jsonl", Call),
            words=list(words_of((directory / "journal").read_text())),
            faults=records.read(directory / "faults.jsonl", Fault),
            lives=records.read(directory / "lives.jsonl", Life),
            receipts=records.read(directory / "receipts.jsonl", Receipt),
            samples=self._samples,
            orphans=self._orphans,
            leaks=leaks(self._supervisor.mark),
            errors=self._errors,
            offset=offset,
            ended=records.now(),
            outer=self._plan.sandbox == "bubblewrap",
            only=self._plan.only,
        )

    def _child(self) -> random.Random:
        """A source of chance of its own, so that one who draws more does not change what others draw."""
        return random.Random(self._chance.randrange(1 << 62))


def leaks(mark: str) -> list[str]:
    """Control groups of these sandboxes that are left, and what of them is mounted here."""
    found = [f"control group {path}" for path in groups_of(mark)]
    mounts = Path("/proc/self/mountinfo").read_text()
    return found + [f"mounted: {line}" for line in mounts.splitlines() if mark and mark in line]
