"""Code archives: how a directory becomes a zip, the same bytes for the same tree.

Files are taken in the order of their names, with a fixed date and one of two modes (executable or not), so that a
deploy of unchanged code is recognisably unchanged. What the archive may hold is the server's to check; what cannot be
meant as code (links, devices) or never is (caches, repositories, virtual environments) is decided here.
"""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

from .errors import refused

IGNORED = frozenset({"__pycache__", ".git", ".venv"})
DATE = (1980, 1, 1, 0, 0, 0)
"""The first date that a zip can hold."""
LEVEL = 6
_UNIX = 3


def code_archive(code: str | os.PathLike[str] | bytes) -> bytes:
    """The zip to deploy: of a directory, of a zip file, or the bytes given.

    Raises
    ------
    Refused: there is nothing at `code`, it is neither a directory nor a zip, or it holds what cannot be deployed.

    """
    if isinstance(code, bytes):
        return _checked(code, "these bytes")
    path = Path(code)
    if path.is_dir():
        return zip_directory(path)
    if not path.is_file():
        raise refused("code", str(code), "must be a directory or a zip file")
    try:
        archive = path.read_bytes()
    except OSError as error:
        raise refused("code", str(code), f"must be readable ({error.strerror})") from None
    return _checked(archive, str(code))


def zip_directory(root: Path) -> bytes:
    """The zip of everything below `root` but what is `IGNORED`.

    Raises
    ------
    Refused: `root` holds no file, a symbolic link, a special file, an unreadable one, or a name that is not Unicode.

    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive:
        for name, path in sorted(_files(root, root)):
            try:
                archive.writestr(_entry(name, path), path.read_bytes(), zipfile.ZIP_DEFLATED, LEVEL)
            except OSError as error:
                raise refused("code", str(path), f"must be readable ({error.strerror})") from None
            except UnicodeEncodeError:
                raise refused("code", str(path), "must have a name in valid Unicode") from None
        if not archive.namelist():
            raise refused("code", str(root), "must hold at least one file")
    return buffer.getvalue()


def merged(base: bytes, over: bytes) -> bytes:
    """One zip of two; where both hold a name, `over` has it."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(base)) as below,
        zipfile.ZipFile(io.BytesIO(over)) as above,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as whole,
    ):
        owners = dict.fromkeys(below.namelist(), below) | dict.fromkeys(above.namelist(), above)
        for name, owner in sorted(owners.items()):
            entry = owner.getinfo(name)
            entry.date_time = DATE
            whole.writestr(entry, owner.read(name), zipfile.ZIP_DEFLATED, LEVEL)
    return buffer.getvalue()


def _files(root: Path, directory: Path) -> Iterator[tuple[str, Path]]:
    try:
        entries = list(os.scandir(directory))
    except OSError as error:
        raise refused("code", str(directory), f"must be readable ({error.strerror})") from None
    for entry in entries:
        path = Path(entry.path)
        if entry.name in IGNORED:
            continue
        if entry.is_symlink():
            raise refused("code", str(path), "must not hold symbolic links: put the file itself there")
        if entry.is_dir():
            yield from _files(root, path)
        elif entry.is_file():
            yield path.relative_to(root).as_posix(), path
        else:
            raise refused("code", str(path), "must hold only files and directories")


def _entry(name: str, path: Path) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, DATE)
    entry.create_system = _UNIX
    mode = 0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644
    entry.external_attr = (stat.S_IFREG | mode) << 16
    return entry


def _checked(archive: bytes, shown: str) -> bytes:
    try:
        zipfile.ZipFile(io.BytesIO(archive)).close()
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        raise refused("code", shown, "must be a directory or a zip file") from None
    return archive
