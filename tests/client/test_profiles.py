"""Profiles: which server and which key a name stands for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sojourn.client import Connection, NoCredentials, Refused, from_environment

OWN = """
default = "work"

[profiles.work]
endpoint = "https://tasks.example"
access_key_id = "work-key"
access_key_secret = "work-secret"

[profiles.place]
endpoint = "http://127.0.0.1:9999"
"""
CLOUD = {
    "current": "main",
    "profiles": [
        {"name": "main", "mode": "AK", "access_key_id": "cloud-key", "access_key_secret": "cloud-secret"},
        {"name": "sts", "access_key_id": "k", "access_key_secret": "s", "sts_token": "t"},
        {"name": "role", "mode": "EcsRamRole"},
    ],
}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A home with nothing in it."""
    return {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}


def own(environ: dict[str, str], text: str = OWN) -> None:
    path = Path(environ["XDG_CONFIG_HOME"]) / "sojourn"
    path.mkdir(parents=True)
    (path / "config.toml").write_text(text)


def cloud(environ: dict[str, str], document: object = CLOUD) -> None:
    path = Path(environ["HOME"]) / ".aliyun"
    path.mkdir()
    (path / "config.json").write_text(json.dumps(document))


def test_the_default_profile(environ: dict[str, str]) -> None:
    """Server and key."""
    own(environ)
    assert from_environment(environ) == Connection("https://tasks.example", "work-key", "work-secret")


def test_the_environment_goes_before_the_default_and_behind_a_name(environ: dict[str, str]) -> None:
    """What is asked for by name is meant."""
    own(environ)
    environ |= {"ALIBABA_CLOUD_ACCESS_KEY_ID": "env", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "s"}
    assert from_environment(environ).access_key_id == "env"
    assert from_environment(environ, profile="work").access_key_id == "work-key"
    assert from_environment(environ | {"SOJOURN_PROFILE": "work"}).access_key_id == "work-key"
    assert from_environment(environ, profile="work", endpoint="http://h:1").endpoint == "http://h:1"


def test_a_profile_may_be_a_place_only(environ: dict[str, str]) -> None:
    """The key comes from elsewhere, in the end from the cloud's file."""
    own(environ)
    with pytest.raises(NoCredentials):
        from_environment(environ, profile="place")
    cloud(environ)
    found = from_environment(environ, profile="place")
    assert (found.endpoint, found.access_key_id) == ("http://127.0.0.1:9999", "cloud-key")


def test_the_clouds_own_file_is_read(environ: dict[str, str]) -> None:
    """Its current profile last of all, any of them by name, with its token."""
    cloud(environ)
    assert from_environment(environ).access_key_id == "cloud-key"
    assert from_environment(environ, profile="sts").security_token == "t"
    with pytest.raises(Refused, match="role"):
        from_environment(environ, profile="role")


@pytest.mark.parametrize("text", ["default = 1", "[profiles.a]\nkey = 'x'", "[[", "default = 'gone'"])
def test_a_file_that_cannot_be_used_is_told(environ: dict[str, str], text: str) -> None:
    """With its path, or with the names that there are."""
    own(environ, text)
    with pytest.raises(Refused, match=r"config\.toml"):
        from_environment(environ)


def test_somebody_elses_file_breaks_nothing(environ: dict[str, str]) -> None:
    """Whatever it holds."""
    cloud(environ, {"profiles": 7})
    with pytest.raises(NoCredentials):
        from_environment(environ)
