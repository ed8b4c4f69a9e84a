"""The part `soak`: one server under a steady load for hours, looked at from outside every few seconds, and judged.

Only a run that is asked for by name is made: it says nothing in two minutes. `gc.garbage` of the server cannot be seen
from outside; what would be in there shows as memory that grows.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
from pathlib import Path

import httpx
from proof.chaos import processes
from proof.chaos.part import strongest
from proof.chaos.records import Writer
from proof.chaos.server import DATABASES, Supervisor
from proof.result import Result, Scale

from . import judge
from .load import Load
from .samples import Sample, sample

CACHED = re.compile(r"^sojourn_store_cached_bytes (\d+)$", re.MULTILINE)
MINUTES = 10.0
MINUTES_LEAST = 0.05
TASKS_PER_SECOND = 12.0
AUDIT_SECONDS = "300"
"""What a server does once an hour has its turn many times in a run, the first ones before growth is judged."""
SAMPLES = 240
SAMPLE_SECONDS = (0.2, 15.0)
"""Between two looks: as many as `SAMPLES` in a run, but not more and not less often than this."""


def run(scale: Scale) -> Result:
    """Soak for so many minutes."""
    minutes = scale.minutes or max(MINUTES * scale.share, MINUTES_LEAST)
    settings = {
        "SOJOURN_SANDBOX": scale.sandbox or strongest(),
        "SOJOURN_LOG_LEVEL": "warning",
        "SOJOURN_AUDIT_SECONDS": AUDIT_SECONDS,
    }
    return asyncio.run(_run(scale, minutes, settings))


async def _run(scale: Scale, minutes: float, settings: dict[str, str]) -> Result:
    data = scale.directory / "data"
    data.mkdir(mode=0o700)
    database = DATABASES[scale.store](data)
    lives = Writer(scale.directory / "lives.jsonl")
    token = secrets.token_hex(16)
    settings |= {**database.environment, "SOJOURN_METRICS_TOKEN": token}
    supervisor = Supervisor(data, settings, scale.directory / "server.log", lives)
    samples: list[Sample] = []
    try:
        await supervisor.start()
        load = Load(supervisor.client(), scale.seed)
        await load.set_up()
        working = asyncio.ensure_future(load.run(TASKS_PER_SECOND))
        await _look(supervisor, data, samples, minutes * 60.0, token)
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
        status = await supervisor.stop()
    finally:
        await supervisor.close()
        lives.close()
    wrong = judge.problems(samples)
    if status or supervisor.count != 1:
        wrong.append(f"the server went through {supervisor.count} starts and ended with status {status}")
    if not load.accepted or load.refused > load.accepted // 100:
        wrong.append(f"{load.accepted:,} tasks were accepted, {load.refused:,} requests refused")
    return Result(line=line(minutes, load.accepted, samples), ok=not wrong, details=(*wrong, *table(samples)))


async def _look(supervisor: Supervisor, data: Path, samples: list[Sample], seconds: float, token: str) -> None:
    """Take samples of the server, its agent and its zygotes until so many seconds are over."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + seconds
    shortest, longest = SAMPLE_SECONDS
    while loop.time() < ends:
        await asyncio.sleep(min(max(seconds / SAMPLES, shortest), longest))
        found = [sample("server", supervisor.pid, data, await _cached_bytes(data, token))]
        for role, pids in processes.roles(supervisor.mark, supervisor.pid).items():
            found += [sample(role, pid) for pid in pids]
        samples += [one for one in found if one is not None]


async def _cached_bytes(data: Path, token: str) -> int:
    """What the server says that it keeps of its database in memory."""
    endpoint = json.loads((data / "credentials.json").read_text(encoding="utf-8"))["endpoint"]
    async with httpx.AsyncClient(trust_env=False) as client:
        page = await client.get(f"{endpoint}/metrics", headers={"authorization": f"Bearer {token}"})
    found = CACHED.search(page.text)
    if found is None:
        raise RuntimeError(f"GET /metrics answers {page.status_code} without {CACHED.pattern}")
    return int(found[1])


def line(minutes: float, tasks: int, samples: list[Sample]) -> str:
    """The summary."""
    known = {(one.who, one.what): one for one in judge.growths(samples)}
    words = [f"soak: {minutes:g} min, {tasks:,} tasks"]
    if any(one.hours < judge.SHORT_HOURS for one in known.values()):
        words[0] += " (too short to judge 1 MiB an hour)"
    for what, unit in (("RSS", " MiB"), ("descriptors", ""), ("threads", "")):
        if (one := known.get(("server", what))) is not None:
            words.append(f"{what} {one.median:.0f}{unit} {one.per_hour:+.1f}/h")
    wal = max((sample.wal_bytes for sample in samples), default=0)
    size = max((sample.database_bytes for sample in samples), default=0)
    cached = max((sample.cached_bytes for sample in samples), default=0)
    words.append(f"cached {cached / (1 << 20):.1f} MiB")
    words.append(f"WAL {wal / (1 << 20):.1f} MiB")
    words.append(f"database {size / max(tasks, 1) / 1024:.1f} KiB a task")
    return ", ".join(words)


def table(samples: list[Sample]) -> list[str]:
    """Every growth that was looked at."""
    return [
        f"{one.who}: {one.what} {one.median:.1f}, {one.per_hour:+.2f} an hour, {one.over_run:+.2f} in this run"
        for one in judge.growths(samples)
    ]
