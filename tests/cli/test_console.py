"""`sojourn console` against a real server: what it prints opens the console."""

from __future__ import annotations

import json

import httpx
import pytest

from cli.conftest import Run
from live import LiveServer


@pytest.mark.parametrize("scope", ["admin", "read"])
def test_it_prints_the_way_in(cli: Run, monkeypatch: pytest.MonkeyPatch, scope: str) -> None:
    """The address answers with the page, the token signs in there, as far as was asked for."""
    with LiveServer() as live:
        known = live.credentials
        monkeypatch.setenv("SOJOURN_ENDPOINT", known["endpoint"])
        monkeypatch.setenv("SOJOURN_ACCESS_KEY_ID", known["accessKeyId"])
        monkeypatch.setenv("SOJOURN_ACCESS_KEY_SECRET", known["accessKeySecret"])
        shown = cli("console", "--scope", scope).out
        made = json.loads(cli("console", "--scope", scope, "-o", "json").out)

        assert f"{known['endpoint']}/console" in shown
        assert "sjt_" in shown
        assert (
            httpx.get(f"{known['endpoint']}/console", trust_env=False).headers["content-type"].startswith("text/html")
        )
        signed_in = httpx.post(
            f"{known['endpoint']}/console/session", json={"token": made["token"]}, trust_env=False
        ).json()
        assert (signed_in["accountId"], signed_in["scope"]) == (known["accountId"], scope)
