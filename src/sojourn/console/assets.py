"""The files that a browser gets: read once, compressed once, named by what is in them.

All scripts lie below one name that changes with any of them, so a browser may keep them for ever, and a module imports
its neighbours by their plain names. Only the page itself is asked for again.
"""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import NamedTuple

STATIC = Path(__file__).parent / "static"
PAGE = "index.html"
VERSION_MARK, MODULES_MARK = b"{version}", b"<!-- modules -->"
VERSION_CHARACTERS = 16
_TYPES = {
    ".html": b"text/html; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
}


class Asset(NamedTuple):
    """One file: its bytes, the same compressed, and its ETag."""

    content_type: bytes
    body: bytes
    gzipped: bytes
    etag: bytes


class Assets:
    """The files of `directory`; `version` is the name that all but the page lie below."""

    def __init__(self, directory: Path = STATIC) -> None:
        files = {path.name: path.read_bytes() for path in sorted(directory.iterdir()) if path.suffix in _TYPES}
        whole = hashlib.sha256()
        for name, body in files.items():
            whole.update(b"%s %d\n" % (name.encode(), len(body)) + body)
        self.version = whole.hexdigest()[:VERSION_CHARACTERS]
        modules = b"".join(_preload(name) for name in files if name.endswith(".js"))
        page = files.pop(PAGE).replace(MODULES_MARK, modules).replace(VERSION_MARK, self.version.encode())
        self.page = _asset(PAGE, page)
        self._assets = {name: _asset(name, body) for name, body in files.items()}

    def find(self, version: str, name: str) -> Asset | None:
        """The file of this name, None when there is none, or when it is asked for by a page of another version."""
        return self._assets.get(name) if version == self.version else None

    @property
    def gzipped_bytes(self) -> int:
        """How many bytes a browser is sent in all."""
        return len(self.page.gzipped) + sum(len(asset.gzipped) for asset in self._assets.values())


def _preload(name: str) -> bytes:
    """Lets a browser ask for a module at once, instead of when it has read who imports it."""
    return b'<link rel="modulepreload" href="/console/assets/%b/%b">' % (VERSION_MARK, name.encode())


def _asset(name: str, body: bytes) -> Asset:
    etag = b'"%s"' % hashlib.sha256(body).hexdigest()[:VERSION_CHARACTERS].encode()
    return Asset(_TYPES[Path(name).suffix], body, gzip.compress(body, 9, mtime=0), etag)
