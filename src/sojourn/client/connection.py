"""Where the server is and which key opens it.

A connection is an endpoint and, for all but `version`, an access key. It comes from arguments, from the environment,
from a profile (`profiles`), or from the credentials file that a local server keeps in its data directory, in this
order, each part on its own; the last key to be taken is that of Alibaba Cloud's command line. Opening
sockets is left to `blocking` and `asynchronous`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from sojourn.config import default_data_dir, is_loopback

from . import profiles
from .errors import NoCredentials, refused

DEFAULT_ENDPOINT = "http://127.0.0.1:9000"
CREDENTIALS_FILE = "credentials.json"
KEY_VARIABLES = (
    ("SOJOURN_ACCESS_KEY_ID", "SOJOURN_ACCESS_KEY_SECRET", "SOJOURN_SECURITY_TOKEN"),
    ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN"),
)
"""Key id, secret, and the token that a key for a time has."""
TOKEN_VARIABLE = "SOJOURN_TOKEN"  # noqa: S105 - the name of one
"""An access token; one that is set goes before every key."""


class Connection(msgspec.Struct, frozen=True):
    """A server's `endpoint` (scheme, host and port, no path) and the key pair to sign with; an empty id: no key.

    A key for a time has a `security_token`. With a `token`, an access token, nothing is signed: it opens the native API
    and that of 2023-03-30, within its scope.
    """

    endpoint: str = DEFAULT_ENDPOINT
    access_key_id: str = ""
    access_key_secret: str = ""
    security_token: str = ""
    token: str = ""

    def __repr__(self) -> str:
        return f"Connection(endpoint={self.endpoint!r}, access_key_id={self.access_key_id!r})"

    @property
    def host(self) -> str:
        """The Host header of every request: host, and port unless it is the scheme's own."""
        parts = urlsplit(self.endpoint)
        return parts.netloc.removesuffix(":80" if parts.scheme == "http" else ":443")

    @property
    def local(self) -> bool:
        """Whether the server is on this machine, so that no proxy may come between."""
        host = urlsplit(self.endpoint).hostname or ""
        return is_loopback(host) or host in ("0.0.0.0", "::")  # what a server that listens everywhere calls itself


class _File(msgspec.Struct, rename="camel"):
    endpoint: str
    access_key_id: str
    access_key_secret: str
    account_id: str = ""


def checked_endpoint(text: str) -> str:
    """`text` as scheme, host and port; a bare host means http.

    Raises
    ------
    Refused: it is not such a thing.

    """
    bound = "must be http://HOST:PORT or https://HOST:PORT"
    whole = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(whole)
        known = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        raise refused("endpoint", text, bound) from None
    if not known or parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise refused("endpoint", text, bound)
    return f"{parts.scheme}://{parts.netloc.lower()}"


def from_environment(
    environ: Mapping[str, str] | None = None,
    *,
    endpoint: str | None = None,
    profile: str | None = None,
    key_needed: bool = True,
) -> Connection:
    """The connection that the environment describes.

    Parameters
    ----------
    environ: the environment, `os.environ` when it is None.
    endpoint: the server, when the caller names it; else SOJOURN_ENDPOINT, else the profile's, else the credentials
        file's, else `http://127.0.0.1:9000`.
    profile: the name of a profile; else SOJOURN_PROFILE, else the default one. One that is named goes before keys of
        the environment.
    key_needed: whether a connection without an access key is an error.

    Raises
    ------
    NoCredentials: neither the environment nor a credentials file holds a key.
    Refused: what they hold is not usable.

    """
    environ = os.environ if environ is None else environ
    path = Path(environ.get("SOJOURN_DATA_DIR") or default_data_dir(environ)) / CREDENTIALS_FILE
    asked = profile or environ.get(profiles.VARIABLE, "")
    known = profiles.named(environ, asked)
    token = "" if asked else environ.get(TOKEN_VARIABLE, "")
    key = ("", "", "", token) if token else (_of(known) if asked else None) or _key(environ) or _of(known)
    named = endpoint or environ.get("SOJOURN_ENDPOINT", "") or known.endpoint
    file = None if key and named else _file(path)
    if key is None and file is not None:
        key = (file.access_key_id, file.access_key_secret, "")
    if key is None:
        key = _of(profiles.of_cloud(environ))
    if key is None and key_needed:
        raise NoCredentials(
            f"no access key is configured: {KEY_VARIABLES[0][0]} and {KEY_VARIABLES[0][1]} are not set, "
            f"and no local server has left {path}"
        )
    where = named or (file.endpoint if file is not None else DEFAULT_ENDPOINT)
    return Connection(checked_endpoint(where), *(key or ()))


def account_id(environ: Mapping[str, str]) -> str:
    """The id of the account that the environment describes; "" when neither it nor a credentials file tells."""
    for name in ("SOJOURN_ACCOUNT_ID", "ALIBABA_CLOUD_ACCOUNT_ID"):
        if environ.get(name):
            return environ[name]
    path = Path(environ.get("SOJOURN_DATA_DIR") or default_data_dir(environ)) / CREDENTIALS_FILE
    file = _file(path)
    return file.account_id if file is not None else ""


def _of(profile: profiles.Profile) -> tuple[str, str, str] | None:
    """The key of a profile, None when it has none."""
    if not (profile.access_key_id and profile.access_key_secret):
        return None
    return profile.access_key_id, profile.access_key_secret, profile.security_token


def _key(environ: Mapping[str, str]) -> tuple[str, ...] | None:
    for id_name, secret_name, token_name in KEY_VARIABLES:
        key_id, secret = environ.get(id_name, ""), environ.get(secret_name, "")
        if key_id and secret:
            return key_id, secret, environ.get(token_name, "")
        if key_id or secret:
            missing = secret_name if key_id else id_name
            raise refused(missing, "", f"must be set, because {id_name if key_id else secret_name} is")
    return None


def _file(path: Path) -> _File | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_File)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        raise NoCredentials(
            f"the credentials file {path} belongs to somebody else: run as the user of the server, "
            f"or set {KEY_VARIABLES[0][0]} and {KEY_VARIABLES[0][1]}"
        ) from None
    except (msgspec.DecodeError, OSError) as error:
        raise refused("credentials file", str(path), f"cannot be used ({error})") from None
