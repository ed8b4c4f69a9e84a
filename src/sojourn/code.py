"""Functions' code on disk: a directory per account, in it a tree per uploaded archive, named by the archive's digest.

A tree exists whole or not at all: it is built under a name that nothing looks for, every file and directory is brought
to the disk, and only then it gets its name. Nothing is written until `archive` has checked everything that can be told
without decompressing; what is found out later removes the half-built tree. Trees are readable by every user, because
sandboxes run under other ones, and never written again. Which trees are still needed is the catalog's to say.

All of this blocks: call it in a thread.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import threading
from pathlib import Path
from typing import Self

import fastcrc

from . import archive as zip_archive
from .crashpoint import crashpoint
from .function import Code, check_account_id

_BUILDING, _ARCHIVES = ".building-", ".archives"
_DIRECTORY_MODE, _FILE_MODE, _PROGRAM_MODE = 0o755, 0o644, 0o755
_READ_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_WRITE_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class CodeStore:
    """The code trees below `root`; one per process."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._building: set[str] = set()
        self._lock = threading.Lock()

    def directory(self, account_id: str) -> Path:
        """Where the account's trees are; made when it is not there."""
        path = self._root / check_account_id(account_id)
        if not path.is_dir():
            self._root.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
            path.mkdir(exist_ok=True)
            path.chmod(_DIRECTORY_MODE)
            crashpoint("code.directory.made")
            _sync(self._root)
            _sync(self._root.parent)
        return path

    def put(self, account_id: str, archive: bytes) -> Code:
        """Keep the tree of a zip archive; on return it is durable. Putting it again changes nothing.

        Raises
        ------
        InvalidArgument: the archive is refused (field `code.zipFile`); nothing is left behind.
        OSError: the disk is full or broken; nothing is left behind.

        """
        code = Code(
            digest=hashlib.sha256(archive).hexdigest(),
            size=len(archive),
            checksum=checksum(archive),
        )
        entries = zip_archive.read(archive)
        account = self.directory(account_id)
        if (account / code.digest).is_dir():
            self._keep(account_id, code.digest, archive)
            return code
        name = f"{_BUILDING}{secrets.token_hex(8)}"
        with self._lock:
            self._building.add(name)
        try:
            self._build(account / name, archive, entries)
            crashpoint("code.tree.synced")
            _place(account / name, account / code.digest)
            crashpoint("code.tree.placed")
            self._keep(account_id, code.digest, archive)
        finally:
            shutil.rmtree(account / name, ignore_errors=True)
            with self._lock:
                self._building.discard(name)
        return code

    def archive(self, account_id: str, digest: str) -> bytes | None:
        """The archive that a tree was made of, byte for byte; None when it is not there."""
        path = self._archives(account_id) / digest
        return path.read_bytes() if path.is_file() else None

    def collect(self, account_id: str, keep: set[str]) -> None:
        """Remove every tree of the account whose digest is not in `keep`, and what a crash left half-built.

        The digest of a tree that was put and whose function is not stored yet belongs in `keep`: the caller must not
        let a put and a collect of one account run into each other.
        """
        account = self.directory(account_id)
        for path in list(self._archives(account_id).iterdir()):
            if path.name not in keep:
                path.unlink(missing_ok=True)
                crashpoint("code.collect.archive")
        for path in list(account.iterdir()):
            with self._lock:
                if path.name in keep or path.name in self._building:
                    continue
            if not path.name.startswith(_BUILDING):  # a tree that is half gone must not bear the name of a whole one
                doomed = account / f"{_BUILDING}{secrets.token_hex(8)}"
                path.rename(doomed)
                path = doomed  # noqa: PLW2901 - the same tree under its new name
                crashpoint("code.collect.renamed")
            shutil.rmtree(path, ignore_errors=True)
            crashpoint("code.collect.removed")

    def _archives(self, account_id: str) -> Path:
        """Where the account's archives are: beside the trees, out of the reach of sandboxes."""
        path = self._root / _ARCHIVES / check_account_id(account_id)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def _keep(self, account_id: str, digest: str, archive: bytes) -> None:
        """Keep an archive under its digest; it exists whole or not at all."""
        path = self._archives(account_id) / digest
        if path.is_file():
            return
        building = path.with_name(f"{_BUILDING}{secrets.token_hex(8)}")
        file = os.open(building, _WRITE_NEW, 0o600)
        try:
            with os.fdopen(file, "wb", buffering=0) as out:
                _write(out.fileno(), archive)
                os.fsync(out.fileno())
            crashpoint("code.archive.written")
            building.rename(path)
            crashpoint("code.archive.named")
        finally:
            building.unlink(missing_ok=True)
        _sync(path.parent)

    def _build(self, root: Path, archive: bytes, entries: list[zip_archive.Entry]) -> None:
        """Write the entries below `root` and bring all of it to the disk."""
        root.mkdir(mode=0o700)
        crashpoint("code.tree.begun")
        with _Walk(root) as walk:
            for entry in entries:
                if entry.directory:
                    walk.enter(entry.path)
                    continue
                parent = walk.enter(entry.path[:-1])
                file = os.open(entry.path[-1], _WRITE_NEW, 0o600, dir_fd=parent)
                with os.fdopen(file, "wb", buffering=0) as out:
                    for piece in zip_archive.content(archive, entry):
                        _write(out.fileno(), piece)
                    os.fchmod(file, _PROGRAM_MODE if entry.executable else _FILE_MODE)
        crashpoint("code.tree.written")
        _sync_tree(root)
        root.chmod(_DIRECTORY_MODE)


class _Walk:
    """Makes directories and holds the way down to the present one open; every step is taken from the one above.

    Entries come in the order of their paths, so each directory is entered once.
    """

    def __init__(self, root: Path) -> None:
        self._path: tuple[str, ...] = ()
        self._open = [os.open(root, _READ_DIRECTORY)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._open:
            os.close(self._open.pop())

    def enter(self, path: tuple[str, ...]) -> int:
        """The descriptor of the directory at `path`, made when it is not there."""
        shared = 0
        while shared < min(len(path), len(self._path)) and path[shared] == self._path[shared]:
            shared += 1
        while len(self._open) > shared + 1:
            os.close(self._open.pop())
        for part in path[shared:]:
            os.mkdir(part, 0o700, dir_fd=self._open[-1])
            self._open.append(os.open(part, _READ_DIRECTORY, dir_fd=self._open[-1]))
            os.fchmod(self._open[-1], _DIRECTORY_MODE)
        self._path = path
        return self._open[-1]


def checksum(archive: bytes) -> str:
    """The CRC-64 of `archive` as FC reports it: a decimal number."""
    return str(fastcrc.crc64.xz(archive))


def _write(file: int, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(file, view) :]


def _place(built: Path, tree: Path) -> None:
    """Give a finished tree its name, unless somebody else was first with the same one."""
    try:
        built.rename(tree)
    except OSError:
        if not tree.is_dir():
            raise
    crashpoint("code.tree.named")
    _sync(tree.parent)


def _sync(directory: Path) -> None:
    file = os.open(directory, _READ_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _sync_tree(root: Path) -> None:
    """Bring a tree to the disk once all of it is written: most of it then goes in one commit of the file system."""
    for _, _, files, directory in os.fwalk(root, topdown=False):
        for name in files:
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
            try:
                os.fsync(file)
            finally:
                os.close(file)
        os.fsync(directory)
