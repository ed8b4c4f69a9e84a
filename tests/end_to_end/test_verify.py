"""`sojourn verify` beside a server that works, and after its end."""

from __future__ import annotations

import json
import subprocess
import sys

from end_to_end.functions import HANDLER, RUNTIME
from live import LiveServer, archive

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
