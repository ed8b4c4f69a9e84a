"""`sojourn verify` beside a server that works, and after its end."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys

import httpx

from end_to_end.functions import HANDLER, RUNTIME
from live import LiveServer, archive, until

TOKEN = "a-token-of-this-test"
ECHO = "def handler(event, context): return event\n"
PROGRAM = [sys.executable, "-c", "import sys; from sojourn.cli import main; sys.exit(main())"]


def verified_tasks(server: LiveServer) -> int:
    """How many tasks the command counts, which finds nothing wrong."""
    done = subprocess.run(
        [*PROGRAM, "verify", "--data-dir", str(server.data), "-o", "json"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["violations"] == []
    return int(found["tasks"])


def test_a_database_is_verified_while_its_server_works(sandbox: str) -> None:
    """The command sees what was just accepted, and the server goes on as if nobody had looked."""
    with LiveServer(sandbox=sandbox) as server:
        client = server.client()
        client.deploy("echo", archive(ECHO), handler=HANDLER, runtime=RUNTIME, memory=128)
        for number in range(1, 6):
            client.submit("echo", b"x", task_id=f"t{number}")
            assert verified_tasks(server) == number
        assert client.wait("echo", "t5").return_payload == "x"
        assert server.terminate() == 0
        assert verified_tasks(server) == 5
        server.start()
        assert server.client().wait("echo", "t1").return_payload == "x"


def test_an_illegal_row_beside_a_live_server_shows_in_its_metrics(sandbox: str) -> None:
    """The server looks by itself every now and then; until somebody breaks something it counts nothing."""
    settings = {"SOJOURN_AUDIT_SECONDS": "0.05", "SOJOURN_METRICS_TOKEN": TOKEN}
    with LiveServer(sandbox=sandbox, settings=settings) as server:
        client = server.client()
        client.deploy("echo", archive(ECHO), handler=HANDLER, runtime=RUNTIME, memory=128)
        client.submit("echo", b"x", task_id="t1")
        client.wait("echo", "t1")
        seen = metric(server, "sojourn_invariant_audits_total")
        until(lambda: metric(server, "sojourn_invariant_audits_total") > seen + 1, 30, "two more audits")
        assert metric(server, "sojourn_invariant_violations_total") == 0

        with contextlib.closing(sqlite3.connect(server.data / "sojourn.db", timeout=30)) as connection, connection:
            connection.execute("UPDATE task SET attempts = attempts + 5")
        until(lambda: metric(server, "sojourn_invariant_violations_total") > 0, 30, "a violation")
        assert metric(server, "sojourn_invariant_audited_tasks") == 1
    assert "an invariant does not hold: I8 task " in server.log()


def metric(server: LiveServer, name: str) -> float:
    """What a server says of itself."""
    text = httpx.get(f"{server.endpoint}/metrics", headers={"authorization": f"Bearer {TOKEN}"}).text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))
