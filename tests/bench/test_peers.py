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
from bench.failure import NotMeasured
from bench.machine import machine
from bench.page import text
from bench.peers import bodies, comparison, contest, figures, table
from bench.peers.__main__ import ADAPTERS
from bench.peers.figures import OWN
from bench.peers.peer import Facts, NotOffered, Peer
from bench.peers.worker import Worker, descendants, gone
from bench.row import Verdict

from bench import document

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


def round_of(single: float, batch: float | None, p50_ms: float = 1.0, **more: Any) -> dict[str, Any]:
    """What a peer did in a round."""
    rates = {"submits": single, "single": single, "batch": batch}
    return TURN | {"rates": rates, "latency": {"p50_ms": p50_ms, "p99_ms": p50_ms}} | more


PROVED = {"stopped": True, "ms": 30.0, "orphans": 0, "hooked": True, "past_hook_ms": 5.0}


def test_each_figure_is_held_against_the_best_of_those_that_are_named() -> None:
    """Within a round; a peer that is fast and syncs nothing is not among them, and one that failed is told."""
    stops = {"sleep": PROVED, "grandchild": PROVED | {"past_hook_ms": 7.0}, "loop": PROVED}
    turns = {
        OWN: [round_of(8_000, 30_000, 1.5, stops=stops), round_of(4_000, 20_000, 1.5, stops=stops)],
        "restate": [round_of(1_000, None), round_of(1_000, None)],
        "huey_sqlite": [round_of(500, None), round_of(2_000, None)],
        "procrastinate_postgres": [{"error": "it fell"}, {"error": "it fell"}],
        "pgqueuer_postgres": [round_of(100, 10_000), round_of(100, 10_000)],
        "saq_redis": [round_of(50_000, 90_000, 1.0), round_of(50_000, 90_000, 1.0)],
    }
    found = {row.key: row for row in figures.rows(turns)}

    assert found["peers.single"].runs == [8.0, 2.0]
    assert found["peers.single"].note == "best: huey_sqlite; without dbos_postgres, dbos_sqlite, procrastinate_postgres"
    assert found["peers.batch"].runs == [3.0, 2.0]
    assert found["peers.result"].runs == [1.5, 1.5]
    assert found["peers.again"].verdict is Verdict.AMBITIOUS
    assert found["peers.stops"].verdict is Verdict.KEPT
    assert found["peers.past_hook"].runs == [7.0, 7.0]
    assert found["peers.past_hook"].verdict is Verdict.AMBITIOUS


@pytest.mark.parametrize("flaw", [{"stopped": False}, {"hooked": False}, {"orphans": 1}])
def test_a_stop_counts_when_all_of_it_is_proved(flaw: dict[str, Any]) -> None:
    """That the task ended, that PreStop ran, that nothing is left."""
    stops = {"sleep": PROVED, "grandchild": PROVED | flaw, "loop": PROVED}
    (row,) = [row for row in figures.rows({OWN: [round_of(1, 1, stops=stops)]}) if row.key == "peers.stops"]

    assert row.runs == [2.0]
    assert row.verdict is Verdict.MISSED


def test_what_cannot_be_compared_says_why() -> None:
    """Without peers there are no ratios, without a run of ours nothing at all."""
    alone = {row.key: row.missing for row in figures.rows({OWN: [round_of(1, 1, again_seconds=None)]})}
    assert "none of restate" in alone["peers.single"]
    assert "did not run again" in alone["peers.again"]
    assert "not every stop" in alone["peers.past_hook"]

    assert {row.missing for row in figures.rows({OWN: [{"error": "it fell"}]})} == {"it fell"}


def test_a_comparison_is_kept_and_shown_on_the_page(tmp_path: Path) -> None:
    """As JSON that is read again; the page has the targets, why a figure is missing, and what each peer did."""
    turns = {OWN: [round_of(8_000, None)], "restate": [round_of(1_000, None)]}
    made = comparison.comparison(machine(tmp_path), {"singles": 10}, turns, quick=True)
    document.write(made, tmp_path / "peers.json")
    read = comparison.load(tmp_path / "peers.json")
    page = text(None, read)

    assert read == made
    assert "A smoke run" in page
    assert "Procrastinate, Huey | 8.00 ratio | ≥ 4 | ≥ 8 | ✔✔ |" in page
    assert "| none of restate" in page
    assert f"| {OWN} | 8,000 |" in page
    (tmp_path / "peers.json").write_text("{}")
    with pytest.raises(NotMeasured):
        comparison.load(tmp_path / "peers.json")


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
        assert asyncio.run(stops("c")) == {
            "stopped": False,
            "ms": None,
            "orphans": 0,
            "hooked": False,
            "past_hook_ms": None,
        }
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


def test_data_does_not_go_where_sandboxes_have_their_own() -> None:
    """A directory below /tmp is refused before anything runs."""
    command = [sys.executable, "-m", "bench.peers", "--dir", "/tmp/there"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "--dir: must not be below /tmp" in ran.stderr
