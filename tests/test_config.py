"""The server's settings: flag before environment before default, each with its bounds."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from sojourn.config import Settings, default_data_dir, is_loopback, load, parse_listen
from sojourn.errors import InvalidArgument

HOME = {"HOME": "/somebody"}


def test_nothing_given_means_the_defaults(tmp_path: Path) -> None:
    """Loopback, port 9000, the XDG data directory, memory and instances by the size of the machine."""
    settings = load({}, HOME)

    assert (settings.host, settings.port) == ("127.0.0.1", 9000)
    assert settings.data_dir == Path("/somebody/.local/share/sojourn")
    assert (settings.network, settings.network_others, settings.allow_unisolated) == ("host", "none", False)
    assert settings.memory_mb >= 128
    assert settings.instances_max >= 32
    assert load({}, HOME | {"XDG_DATA_HOME": str(tmp_path)}).data_dir == tmp_path / "sojourn"


def test_a_relative_xdg_directory_does_not_count() -> None:
    """The specification says that it must be ignored."""
    assert default_data_dir(HOME | {"XDG_DATA_HOME": "relative"}) == Path("/somebody/.local/share/sojourn")


def test_a_flag_beats_the_environment_and_that_beats_the_default() -> None:
    """None is a flag that was not given."""
    environ = HOME | {"SOJOURN_PORT": "9001", "SOJOURN_HOST": "::1", "SOJOURN_ALLOW_UNISOLATED": "yes"}
    settings = load({"port": 9002, "host": None}, environ)

    assert (settings.port, settings.host, settings.allow_unisolated) == (9002, "::1", True)


def test_every_setting_can_come_from_the_environment() -> None:
    """Names are the fields' in capitals; each kind of value is understood."""
    texts = {"data_dir": "/data", "idle_seconds": "1.5", "memory_mb": "256", "sandbox": "process", "drain_seconds": "0"}
    texts |= {"account_id": "acme", "access_key_id": "k", "access_key_secret": "s", "region": "here"}
    settings = load({}, {f"SOJOURN_{name.upper()}": text for name, text in texts.items()})

    assert {name: str(getattr(settings, name)) for name in texts} == texts | {"drain_seconds": "0.0"}


@pytest.mark.parametrize(("text", "seconds"), [("0", 0.0), ("forever", 0.0), ("86400", 86_400.0)])
def test_retention_can_be_without_end(text: str, seconds: float) -> None:
    """A week is the default, and 0 has a name."""
    assert load({}, HOME | {"SOJOURN_RETENTION_SECONDS": text}).retention_seconds == seconds
    assert load({}, HOME).retention_seconds == 7 * 86_400


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("PORT", "65536", "between 0 and 65535"),
        ("PORT", "-1", "between 0 and 65535"),
        ("PORT", "http", "must be a number"),
        ("PORT", "9000.5", "must be a number"),
        ("MEMORY_MB", "127", "between 128"),
        ("INSTANCES_MAX", "10001", "between 1 and 10000"),
        ("IDLE_SECONDS", "nan", "between 0 and 86400"),
        ("GRACE_SECONDS", "91", "between 0 and 90"),
        ("DRAIN_SECONDS", "-0.1", "between 0 and 86400"),
        ("SUBMITS_PENDING_MAX", "0", "between 1 and 1000000"),
        ("TASKS_OPEN_MAX", "0", "between 1 and 100000000"),
        ("RETRY_BASE_SECONDS", "x", "must be a number"),
        ("SANDBOX", "docker", "one of ('auto', 'bubblewrap', 'process')"),
        ("NETWORK", "bridge", "one of ('host', 'none')"),
        ("NETWORK_OTHERS", "", "one of ('host', 'none')"),
        ("LOG_LEVEL", "loud", "one of ('debug'"),
        ("ALLOW_UNISOLATED", "maybe", "true or false"),
        ("RETENTION_SECONDS", "-1", "between 0 and 315360000"),
        ("RETENTION_SECONDS", "315360001", "between 0 and 315360000"),
        ("RETENTION_SECONDS", "a week", "must be a number"),
        ("CONSOLE_HOSTS", "http://a", "names without scheme and port"),
    ],
)
def test_a_value_outside_its_bounds_is_refused(name: str, text: str, words: str) -> None:
    """The error names the variable, the value and the bound."""
    with pytest.raises(InvalidArgument) as raised:
        load({}, HOME | {f"SOJOURN_{name}": text})

    assert raised.value.field == f"SOJOURN_{name}"
    assert words in raised.value.message


def test_settings_do_not_change() -> None:
    """What was checked at the start holds until the end."""
    settings = Settings(data_dir=Path("/data"))
    with pytest.raises(AttributeError):
        settings.port = 1  # type: ignore[misc]  # which is the point

    assert msgspec.structs.replace(settings, port=1).port == 1


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:9000", "127.0.0.1", 9000), ("[::1]:80", "::1", 80), ("localhost:0", "localhost", 0)],
)
def test_an_address_has_a_host_and_a_port(text: str, host: str, port: int) -> None:
    """IPv6 stands in brackets."""
    assert parse_listen(text) == (host, port)


@pytest.mark.parametrize("text", ["", "9000", ":9000", "host:", "host:http", "host:65536", "host:-1", "[]:1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """With the form it must have."""
    with pytest.raises(InvalidArgument, match="listen must be HOST:PORT"):
        parse_listen(text)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *((host, True) for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost")),
        *((host, False) for host in ("0.0.0.0", "::", "example.test", "192.168.0.1", "")),
    ],
)
def test_loopback_is_told_from_the_rest(host: str, *, expected: bool) -> None:
    """A name that is not an address could be anything."""
    assert is_loopback(host) is expected
