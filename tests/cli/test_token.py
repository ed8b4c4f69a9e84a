"""`sojourn token` against a real server: what it makes opens it, as far as it should, until it is revoked."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from cli.conftest import Run
from live import LiveServer


@pytest.fixture(scope="module")
def live() -> Iterator[LiveServer]:
    """The server."""
    with LiveServer() as running:
        yield running


@pytest.fixture(autouse=True)
def signed(live: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands find it, and sign with its owner's key."""
    known = live.credentials
    monkeypatch.setenv("SOJOURN_ENDPOINT", known["endpoint"])
    monkeypatch.setenv("SOJOURN_ACCESS_KEY_ID", known["accessKeyId"])
    monkeypatch.setenv("SOJOURN_ACCESS_KEY_SECRET", known["accessKeySecret"])


def test_a_life(cli: Run, live: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made, used instead of a key, listed without its text, revoked; a restart changes nothing."""
    made = json.loads(cli("token", "create", "--name", "ci", "--ttl", "1h", "-o", "json").out)
    assert (made["scope"], made["name"]) == ("read", "ci")
    live.terminate()
    live.start()
    monkeypatch.setenv("SOJOURN_ENDPOINT", live.endpoint)
    monkeypatch.setenv("SOJOURN_TOKEN", made["token"])
    monkeypatch.delenv("SOJOURN_ACCESS_KEY_ID")
    monkeypatch.delenv("SOJOURN_ACCESS_KEY_SECRET")
    assert cli("function", "list").code == 0
    refused = cli("token", "create")
    assert refused.code == 1
    assert "'admin', the one that was sent has 'read'" in refused.err
    assert "sojourn token create --scope" in refused.err
    monkeypatch.delenv("SOJOURN_TOKEN")
    monkeypatch.setenv("SOJOURN_ACCESS_KEY_ID", live.credentials["accessKeyId"])
    monkeypatch.setenv("SOJOURN_ACCESS_KEY_SECRET", live.credentials["accessKeySecret"])
    listed = cli("token", "list")
    assert made["token"] not in listed.out
    assert listed.lines[0] == "ID NAME SCOPE CREATED UNTIL"
    assert [line.split()[:3] for line in listed.lines[1:]] == [[made["id"], "ci", "read"]]
    assert cli("token", "revoke", made["id"]).code == 0
    assert len(cli("token", "list").lines) == 1
    monkeypatch.setenv("SOJOURN_TOKEN", made["token"])
    refused = cli("function", "list")
    assert refused.code == 1
    assert "unset it to sign with a key" in refused.err


def test_the_table(cli: Run) -> None:
    """For people: the text with a warning; one without an end says so."""
    lines = cli("token", "create", "--scope", "admin").lines
    assert [line.split()[0] for line in lines] == ["Id", "Scope", "Until", "Token"]
    assert lines[1:3] == ["Scope admin", "Until revoked"]
    assert "keep it" in lines[3]


def test_what_is_not_there_or_cannot_be(cli: Run) -> None:
    """Exit codes and next steps."""
    gone = cli("token", "revoke", "tok-0")
    assert (gone.code, "sojourn token list" in gone.err) == (3, True)
    assert cli("token", "create", "--scope", "root").code == 2
    short = cli("token", "create", "--ttl", "5s")
    assert (short.code, "expiresInSeconds" in short.err) == (2, True)
