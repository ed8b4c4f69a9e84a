"""What one peer does in one round, measured in one client process: `python -m bench.peers.contest NAME DIRECTORY`.

It runs in the venv of the peer, prints one JSON object, and ends every process that it has started. Rates are whole
lives: from the first submit to the moment at which the peer says of the last task that it is over. Whether a task is
stopped, or has run again, is seen from what its body leaves behind, not from what the peer says.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from . import servers
from .peer import NotOffered, Peer
from .worker import Worker, gone

READY_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 5.0
STILL_SECONDS = 0.5
"""A body that has given no sign of life for so long has stopped."""
POLL_SECONDS = 0.001
Figures = dict[str, Any]


async def main(name: str, directory: Path, options: dict[str, Any]) -> Figures:
    """All figures of one peer; one that could not be had says why."""
    adapter: type[Peer] = importlib.import_module(f"bench.peers.adapters.{name}").ADAPTER
    with servers.standing(adapter.facts.needs, directory) as url:
        peer = adapter(directory, url)
        await peer.open()
        worker = Worker(peer, directory / "worker.log")
        worker.start()
        try:
            await peer.ready()
            await asyncio.wait_for(peer.result(await peer.submit("noop", "")), READY_SECONDS_MAX)
            return {
                "rates": await _rates(peer, options),
                "latency": await _latency(peer, options["latencies"]),
                "again_seconds": await _again(peer, worker, directory, options["again_seconds_max"]),
                "stops": {
                    body: await _stop(peer, worker, _place(directory / f"stop-{body}"), body)
                    for body in ("sleep", "grandchild", "loop")
                },
            }
        finally:
            worker.kill()
            with suppress(Exception):
                await asyncio.wait_for(peer.close(), STOP_SECONDS_MAX)


async def _rates(peer: Peer, options: dict[str, Any]) -> Figures:
    """Tasks a second, from the first submit to the last result: by single calls, and as a batch."""
    count, width = options["singles"], options["width"]
    began = time.perf_counter()
    handles: list[Any] = []

    async def some(number: int) -> None:
        for _ in range(number):
            handles.append(await peer.submit("noop", ""))  # noqa: PERF401 - what is there is awaited at a failure too

    await asyncio.gather(*(some(count // width) for _ in range(width)))
    accepted = time.perf_counter()
    await peer.results(handles)
    over = time.perf_counter()
    found = {"submits": len(handles) / (accepted - began), "single": len(handles) / (over - began), "batch": None}
    with suppress(NotOffered):
        began = time.perf_counter()
        many = await peer.submit_many(options["batch"])
        await peer.results(many)
        found["batch"] = len(many) / (time.perf_counter() - began)
    return found


async def _latency(peer: Peer, count: int) -> Figures:
    """Milliseconds from a submit to its result, one task at a time."""
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        await peer.result(await peer.submit("noop", ""))
        taken.append((time.perf_counter() - began) * 1000)
    taken.sort()
    return {"p50_ms": statistics.median(taken), "p99_ms": taken[min(len(taken) - 1, int(len(taken) * 0.99))]}


async def _again(peer: Peer, worker: Worker, directory: Path, seconds_max: float) -> float | None:
    """Seconds from SIGKILL of the worker, which is started again at once, to the next start of the same task."""
    place = _place(directory / "once")
    await peer.submit("once", str(place))
    if not await _until(lambda: _starts(place) >= 1, READY_SECONDS_MAX):
        return None
    worker.kill()
    began = time.perf_counter()
    worker.start()
    await peer.ready()
    return time.perf_counter() - began if await _until(lambda: _starts(place) > 1, seconds_max) else None


async def _stop(peer: Peer, worker: Worker, place: Path, body: str) -> Figures:
    """Whether a running task can be stopped, in how many milliseconds, and how many processes it leaves behind."""
    handle = await peer.submit(body, str(place))
    if not await _until(lambda: _starts(place) >= 1, READY_SECONDS_MAX):
        return {"stopped": None, "why": "the task did not start"}
    pid = int((place / "started").read_text().split()[0])
    child = int((place / "child").read_text()) if body == "grandchild" else 0
    began = time.perf_counter()
    try:
        past_hook_ms = await asyncio.wait_for(peer.stop(handle), STOP_SECONDS_MAX)
    except NotOffered:
        found: Figures = {"stopped": None, "why": "not offered"}
    except Exception as error:  # noqa: BLE001 - whatever a peer raises, it has not stopped the task
        found = {"stopped": False, "why": f"{type(error).__name__}: {error}"[:200]}
    else:
        stopped = await _until(lambda: _still(pid, place, body), STOP_SECONDS_MAX)
        milliseconds = (time.perf_counter() - began) * 1000
        found = {"stopped": stopped, "ms": milliseconds if stopped else None}
        found |= {"orphans": int(bool(child) and not gone(child)), "hooked": (place / "hooked").exists()}
        found["past_hook_ms"] = past_hook_ms
    if found["stopped"] is not True:
        worker.kill()
        worker.start()
        await peer.ready()
    if child and not gone(child):
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    return found


def _place(path: Path) -> Path:
    """A directory that a body may write to whatever user it runs as."""
    path.mkdir()
    path.chmod(0o777)
    return path


def _still(pid: int, place: Path, body: str) -> bool:
    """Whether nothing of the body runs any more."""
    if gone(pid) or (place / "ended").exists():
        return True
    with suppress(OSError):
        return body == "loop" and time.time() - (place / "beat").stat().st_mtime > STILL_SECONDS
    return False


def _starts(place: Path) -> int:
    try:
        return len((place / "started").read_text().splitlines())
    except FileNotFoundError:
        return 0


async def _until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.perf_counter() + seconds
    while not condition():
        if time.perf_counter() > deadline:
            return False
        await asyncio.sleep(POLL_SECONDS)
    return True


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])))))
