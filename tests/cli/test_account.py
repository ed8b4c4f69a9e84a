from __future__ import annotations

import json

from cli.conftest import Run
from client.fake_server import FakeServer, error


def test_create(sojourn: Run) -> None:
    """JSON holds exactly what another tool needs to use the account."""
    assert json.loads(sojourn("account", "create", "b", "-o", "json").out) == {
        "accountId": "b",
        "accessKeyId": "new-key",
        "accessKeySecret": "new-secret",
    }
    table = sojourn("account", "create", "c").lines
    assert table[:2] == ["Account c", "Access key id new-key"]
    assert table[2].startswith("Access key secret new-secret (keep it")


def test_create_twice(sojourn: Run) -> None:
    """A taken name is a conflict."""
    ran = sojourn("account", "create", "owner")

    assert ran.code == 4
    assert "sojourn account list" in ran.err


def test_list(sojourn: Run, server: FakeServer) -> None:
    """All accounts, the owner marked, in each form."""
    server.accounts.append({"accountId": "b", "createdTime": "2026-11-24T01:51:00.5Z", "owner": False})

    assert sojourn("account", "list").lines == [
        "ACCOUNT CREATED ROLE",
        "owner 2026-11-24 01:50:00.000 owner",
        "b 2026-11-24 01:51:00.500",
    ]
    assert json.loads(sojourn("account", "list", "-o", "json").out) == server.accounts
    lines = sojourn("account", "list", "-o", "jsonl").out.splitlines()
    assert [json.loads(line) for line in lines] == server.accounts


def test_only_the_owner(sojourn: Run, server: FakeServer) -> None:
    """A refusal of the server is told."""
    server.faults["ListAccounts"].append(error(403, "AccessDenied", "only the owner may"))

    assert sojourn("account", "list").code == 1
