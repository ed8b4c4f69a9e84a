"""`sojourn conform` as a command: what it prints, its exit codes, and that an interrupt leaves nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from cli.conftest import PROGRAM
from conform.crooked import Crooked, Message, served
from live import until
from sojourn.cli import main
from sojourn.testing.deployer import HERE
from sojourn.testing.local import LocalServer


@pytest.fixture(autouse=True)
def _there(local: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment leads to the server."""
    for name in [name for name in os.environ if name.startswith(("SOJOURN_", "ALIBABA_CLOUD_"))]:
        monkeypatch.delenv(name)
    for name, value in local.environ.items():
        monkeypatch.setenv(name, value)


def test_without_differences_it_ends_with_0(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """One line for each generation, the newest first, and JUnit XML."""
    junit = tmp_path / "junit.xml"
    code = main(["conform", "--runtime", HERE, "--only", "task.submit.the-answer-*", "--junit", str(junit)])
    lines = capsys.readouterr().out.splitlines()

    assert (code, len(lines)) == (0, 3)
    assert re.fullmatch(
        r"2023-03-30: 2 assertions, 2 kept, 0 differ, 0 not applicable \(\d+ requests, \d+ s\)", lines[0]
    )
    assert [suite.get("name") for suite in ET.parse(junit).getroot()] == ["2023-03-30", "2021-04-06", "2016-08-15"]  # noqa: S314 - our own


def test_differences_are_a_table_and_end_with_1(local: LocalServer, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with its id, what was expected, what was seen, and how the expectation was established."""

    def bent(message: Message) -> None:
        if message.path.endswith("/invocations"):
            message.headers["x-fc-request-id"] = ""

    with served(local.connection, Crooked(answered=bent)) as connection:
        only = ["--only", "task.submit.the-answer-*", "--generation", "2023"]
        code = main(["conform", "--runtime", HERE, "--endpoint", connection.endpoint, *only])
    out = capsys.readouterr().out

    assert code == 1
    assert re.search(
        r"^2023-03-30 +task\.submit\.the-answer-names-the-request +a request id +.* documented$", out, re.MULTILINE
    )
    assert "2 assertions, 1 kept, 1 differ" in out


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """A document for each generation."""
    code = main(["conform", "--generation", "2016", "--only", "account.*", "-o", "json"])
    (document,) = json.loads(capsys.readouterr().out)

    assert (code, document["generation"], document["kept"], document["notApplicable"]) == (0, "2016-08-15", 3, 1)


def test_the_list_asks_nobody(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`--list` shows the checks without a server."""
    monkeypatch.setenv("SOJOURN_ENDPOINT", "http://127.0.0.1:1")
    code = main(["conform", "--list", "--only", "task.age.*"])
    out = capsys.readouterr().out

    assert code == 0
    assert re.search(
        r"^task\.age\.over-it-is-expired .* 2023-03-30, 2021-04-06, 2016-08-15 +documented$", out, re.MULTILINE
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--endpoint", "http://127.0.0.1:1"], "cannot be asked"),
        (["--only", "nothing.*"], "no check matches nothing.*"),
        (["--account-id", "1", "--generation", "2023"], "AccessDenied"),
    ],
)
def test_what_cannot_be_asked_ends_with_2(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence, and what to do."""
    assert main(["conform", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_an_interrupt_leaves_nothing(local: LocalServer) -> None:
    """What was made by then is taken away before the command ends."""
    arguments = ["conform", "--generation", "2023", "--runtime", HERE, "--only", "task.*"]
    process = subprocess.Popen(
        [*PROGRAM, *arguments],
        env={**os.environ, **local.environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with local.client() as client:
        until(lambda: len(client.list_functions().functions) > 3, 30, "some functions")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)

        assert process.returncode == 130, err
        assert client.list_functions().functions == []
    assert "could not be taken away" not in err
