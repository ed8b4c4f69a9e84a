"""The comparison with other task queues: its table, what it takes for a stopped task, and a peer in a turn."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from bench.peers import bodies, contest, table
from bench.peers.__main__ import ADAPTERS, OWN
from bench.peers.peer import Facts, NotOffered, Peer
from bench.peers.worker import Worker, descendants, gone

TURN = {
    "rates": {"submits": 4000.4, "single": 2000.0, "batch": None},
    "latency": {"p50_ms": 1.04, "p99_ms": 2.0},
    "again_seconds": 0.5,
    "stops": {
        "sleep": {"stopped": True, "ms": 3.0, "orphans": 0},
        "grandchild": {"stopped": True, "ms": 4.0, "orphans": 1},
        "loop": {"stopped": None, "why": "not offered"},
    },
}


def test_the_table_shows_medians_and_what_is_promised() -> None:
    """A dash where a round has no figure, and a row also for a peer without any."""
    other = TURN | {"rates": {"submits": 6000.0, "single": 4000.0, "batch": None}, "again_seconds": None}
    text = table.of({OWN: [TURN, other], "saq_redis": [{"error": "no"}]}).splitlines()
    cells = [cell.strip() for cell in text[2].split("|")[1:-1]]

    assert len(cells) == len(table.HEADS)
    assert cells[:6] == [OWN, "5,000", "3,000", "–", "1.0 / 2.0", "–"]
    assert cells[6] == "3.0 ms · 4.0 ms, 2 left · –"
    assert "synced to disk before the answer" in cells[7]
    assert [cell.strip() for cell in text[3].split("|")[2:8]] == ["–"] * 6


def test_every_adapter_says_what_it_promises() -> None:
    """In words that the table can read without the peer's packages."""
    assert OWN in ADAPTERS
    for name in ADAPTERS:
        assert all(table._promises(name)), name


class Threads(Peer):
    """A peer that runs its tasks in threads of a worker that is a mere process; nothing of it is durable."""

    facts = Facts("", "nothing", "no")

    def worker(self) -> list[str]:
        """Something that is there."""
        return [sys.executable, "-c", "import time; time.sleep(60)"]

    async def submit(self, body: str, place: str) -> Any:
        """Start a thread."""
        thread = threading.Thread(target=bodies.perform, args=(body, place), daemon=True)
        thread.start()
        return thread

    async def result(self, handle: Any) -> None:
        """Wait for it."""
        await asyncio.to_thread(handle.join)

    async def results(self, handles: Sequence[Any]) -> None:
        """Wait for all."""
        for handle in handles:
            handle.join()


def test_rates_and_results_are_measured(tmp_path: Path) -> None:
    """And a batch that is not offered has no rate."""
    peer = Threads(tmp_path, "")

    rates = asyncio.run(contest._rates(peer, {"singles": 10, "width": 5, "batch": 10}))
    assert rates["single"] > 0
    assert rates["batch"] is None
    latency = asyncio.run(contest._latency(peer, 3))
    assert 0 < latency["p50_ms"] <= latency["p99_ms"]


def test_a_stop_that_is_claimed_is_looked_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not offered, refused, or said to be done while the body goes on: none of these is a stop."""
    monkeypatch.setattr(contest, "STOP_SECONDS_MAX", 0.1)
    monkeypatch.setattr(bodies, "LIFE_SECONDS", 1.0)
    peer = Threads(tmp_path, "")
    worker = Worker(peer, tmp_path / "log")

    async def claimed(_: Any) -> None:
        """It does nothing."""

    async def refused(_: Any) -> None:
        raise RuntimeError("no")

    async def stops(name: str) -> Any:
        return await contest._stop(peer, worker, contest._place(tmp_path / name), "sleep")

    try:
        assert asyncio.run(stops("a")) == {"stopped": None, "why": "not offered"}
        monkeypatch.setattr(peer, "stop", refused)
        assert asyncio.run(stops("b")) == {"stopped": False, "why": "RuntimeError: no"}
        monkeypatch.setattr(peer, "stop", claimed)
        assert asyncio.run(stops("c")) == {"stopped": False, "ms": None, "orphans": 0}
        monkeypatch.setattr(bodies, "LIFE_SECONDS", 0.05)
        monkeypatch.setattr(contest, "STOP_SECONDS_MAX", 5)
        assert asyncio.run(stops("d"))["stopped"] is True
    finally:
        worker.kill()


def test_a_worker_is_killed_with_all_below_it(tmp_path: Path) -> None:
    """Also what has left its session."""
    code = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], "
    code += "start_new_session=True); print('there', flush=True); time.sleep(60)"

    class Parent(Threads):
        def worker(self) -> list[str]:
            return [sys.executable, "-c", code]

    worker = Worker(Parent(tmp_path, ""), tmp_path / "log")
    worker.start()
    assert worker._process is not None
    pid = worker._process.pid
    while not descendants(pid):
        os.sched_yield()
    below = descendants(pid)
    worker.kill()
    while not all(gone(each) for each in (pid, *below)):
        os.sched_yield()
    assert not worker.alive


def test_what_a_peer_has_not_is_not_offered(tmp_path: Path) -> None:
    """By default there is neither a batch nor a stop."""
    for verb in (Threads(tmp_path, "").submit_many(1), Threads(tmp_path, "").stop(None)):
        with pytest.raises(NotOffered):
            asyncio.run(verb)


def test_only_known_peers_compete() -> None:
    """A name that is none is refused with those that are."""
    command = [sys.executable, "-m", "bench.peers", "--peers", "nobody"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "there is no nobody; there are celery_redis, " in ran.stderr
