from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sojourn.client import Connection, NoCredentials, Refused, from_environment
from sojourn.client.connection import checked_endpoint


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory as a local server leaves it."""
    (tmp_path / "credentials.json").write_text(
        json.dumps(
            {
                "endpoint": "http://127.0.0.1:9911",
                "accountId": "7",
                "accessKeyId": "file-key",
                "accessKeySecret": "file-secret",
            }
        )
    )
    return tmp_path


def test_a_local_server_is_found_by_its_file(data_dir: Path) -> None:
    """Without any variable but the data directory, endpoint and key come from the file."""
    found = from_environment({"SOJOURN_DATA_DIR": str(data_dir)})

    assert found == Connection("http://127.0.0.1:9911", "file-key", "file-secret")


def test_the_data_directory_has_a_default(data_dir: Path) -> None:
    """The file is looked for where a server keeps its data unless told otherwise."""
    (data_dir / "sojourn").mkdir()
    (data_dir / "credentials.json").rename(data_dir / "sojourn" / "credentials.json")

    assert from_environment({"XDG_DATA_HOME": str(data_dir)}).access_key_id == "file-key"


def test_arguments_beat_variables_beat_the_file(data_dir: Path) -> None:
    """Endpoint and key are each taken from the nearest place that names them."""
    environ = {"SOJOURN_DATA_DIR": str(data_dir)}
    own = {"SOJOURN_ACCESS_KEY_ID": "own", "SOJOURN_ACCESS_KEY_SECRET": "own-secret"}
    cloud = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "cloud", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "cloud-secret"}
    named = {"SOJOURN_ENDPOINT": "http://10.0.0.1:80"}

    assert from_environment(environ | cloud) == Connection("http://127.0.0.1:9911", "cloud", "cloud-secret")
    assert from_environment(environ | cloud | own).access_key_id == "own"
    assert from_environment(environ | named) == Connection("http://10.0.0.1:80", "file-key", "file-secret")
    assert from_environment(environ | named, endpoint="https://example.test").endpoint == "https://example.test"
    assert from_environment(own | {"SOJOURN_DATA_DIR": str(data_dir / "none")}).endpoint == "http://127.0.0.1:9000"


def test_no_key_anywhere_is_said_with_the_places(tmp_path: Path) -> None:
    """The message names the variables and the file; a call that needs no key goes on."""
    environ = {"SOJOURN_DATA_DIR": str(tmp_path)}

    with pytest.raises(NoCredentials, match=r"SOJOURN_ACCESS_KEY_ID .*credentials\.json"):
        from_environment(environ)
    assert from_environment(environ, key_needed=False) == Connection("http://127.0.0.1:9000", "", "")


@pytest.mark.parametrize("half", ["SOJOURN_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"])
def test_half_a_key_is_refused(data_dir: Path, half: str) -> None:
    """A forgotten half is said instead of silently using another key."""
    with pytest.raises(Refused, match=f"must be set, because {half} is"):
        from_environment({"SOJOURN_DATA_DIR": str(data_dir), half: "x"})


@pytest.mark.parametrize("content", ["", "{", "[]", '{"endpoint": "http://127.0.0.1:1"}', "\xff"])
def test_a_broken_file_is_named(tmp_path: Path, content: str) -> None:
    """A file that is no credentials file is refused by its path."""
    (tmp_path / "credentials.json").write_text(content, encoding="latin-1")

    with pytest.raises(Refused, match=r"credentials\.json"):
        from_environment({"SOJOURN_DATA_DIR": str(tmp_path)})


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser reads every file")
def test_somebody_elses_file_is_said_so(data_dir: Path) -> None:
    """A file that may not be read is no crash."""
    (data_dir / "credentials.json").chmod(0)

    with pytest.raises(NoCredentials, match="somebody else"):
        from_environment({"SOJOURN_DATA_DIR": str(data_dir)})


@pytest.mark.parametrize(
    ("text", "endpoint", "host", "local"),
    [
        ("127.0.0.1:9000", "http://127.0.0.1:9000", "127.0.0.1:9000", True),
        ("http://LOCALHOST:80/", "http://localhost:80", "localhost", True),
        ("https://fc.example.test", "https://fc.example.test", "fc.example.test", False),
        ("https://fc.example.test:443", "https://fc.example.test:443", "fc.example.test", False),
        ("http://[::1]:9000", "http://[::1]:9000", "[::1]:9000", True),
        ("http://0.0.0.0:9000", "http://0.0.0.0:9000", "0.0.0.0:9000", True),
    ],
)
def test_endpoints(text: str, endpoint: str, host: str, local: bool) -> None:  # noqa: FBT001 - a table's column
    """A bare host means http, and the Host header leaves out the scheme's own port."""
    connection = Connection(checked_endpoint(text))

    assert (connection.endpoint, connection.host, connection.local) == (endpoint, host, local)


@pytest.mark.parametrize(
    "text",
    [
        "ftp://host",
        "http://",
        "http://host:0",
        "http://host:99999",
        "http://host:x",
        "http://host/path",
        "http://u@host",
    ],
)
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    """A path, a user, another scheme or an impossible port is told, not tried."""
    with pytest.raises(Refused, match="endpoint must be http://HOST:PORT"):
        checked_endpoint(text)


def test_a_secret_is_not_shown() -> None:
    """Logging a connection gives nothing away."""
    assert "hush" not in repr(Connection("http://127.0.0.1:9000", "key", "hush"))
