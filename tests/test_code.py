"""Code on disk: what is kept, how, and that a refusal or a broken disk leaves nothing behind."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sojourn import code as code_module
from sojourn.code import CodeStore
from sojourn.errors import InvalidArgument
from zips import ACCOUNT, left_below, zipped


@pytest.fixture
def store(tmp_path: Path) -> CodeStore:
    """A store in which the account has been before."""
    made = CodeStore(tmp_path / "code")
    made.directory(ACCOUNT)
    return made


def test_an_archive_becomes_a_tree_named_by_its_digest(store: CodeStore) -> None:
    """Files, directories and empty directories are there; size, digest and CRC-64 describe the archive."""
    archive = zipped({"index.py": b"x = 1\n", "pkg/": b"", "pkg/a/b.txt": b"deep" * 9000, "empty/": b"", "zero": b""})
    code = store.put(ACCOUNT, archive)
    tree = store.directory(ACCOUNT) / code.digest

    assert code.digest == hashlib.sha256(archive).hexdigest()
    assert code.size == len(archive)
    assert (tree / "index.py").read_bytes() == b"x = 1\n"
    assert (tree / "pkg/a/b.txt").read_bytes() == b"deep" * 9000
    assert (tree / "empty").is_dir()
    assert (tree / "zero").read_bytes() == b""
    assert [path.name for path in store.directory(ACCOUNT).iterdir()] == [code.digest]


def test_the_checksum_is_the_crc_64_that_function_compute_reports(store: CodeStore) -> None:
    """CRC-64 (the one of xz), bit by bit here, as decimal text."""
    archive = zipped({"index.py": b""})
    crc = 0xFFFFFFFFFFFFFFFF
    for byte in archive:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xC96C5795D7870F42 if crc & 1 else 0)

    assert store.put(ACCOUNT, archive).checksum == str(crc ^ 0xFFFFFFFFFFFFFFFF)


def test_every_user_can_read_a_tree_and_its_programs_stay_programs(store: CodeStore) -> None:
    """Whatever the umask and whatever the archive says: 0755 and 0644, no set-uid, no world-writable file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, mode in {"run": 0o100700, "plain": 0o100600, "evil": 0o106777, "d/file": 0o100000}.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, b"")
    before = os.umask(0o077)
    try:
        code = store.put(ACCOUNT, out.getvalue())
    finally:
        os.umask(before)
    tree = store.directory(ACCOUNT) / code.digest
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode) for path in [store.directory(ACCOUNT), tree, *tree.rglob("*")]
    }

    assert modes == {
        ACCOUNT: 0o755, code.digest: 0o755, "run": 0o755, "plain": 0o644, "evil": 0o755, "d": 0o755, "file": 0o644
    }  # fmt: skip


def test_putting_again_changes_nothing(store: CodeStore) -> None:
    """The same archive is the same tree, and accounts do not share it."""
    archive = zipped({"index.py": b"1"})
    first = store.put(ACCOUNT, archive)
    inode = (store.directory(ACCOUNT) / first.digest).stat().st_ino

    assert store.put(ACCOUNT, archive) == first
    assert (store.directory(ACCOUNT) / first.digest).stat().st_ino == inode
    assert store.put("other", archive).digest == first.digest
    assert (store.directory("other") / first.digest).stat().st_ino != inode


def test_many_puts_of_one_archive_at_a_time_make_one_tree(store: CodeStore) -> None:
    """Whoever is second finds the work done; nobody fails and nothing is left over."""
    archive = zipped({f"m{number}.py": b"x" * 1000 for number in range(50)})
    barrier, failures = threading.Barrier(8), list[BaseException]()

    def put() -> None:
        barrier.wait()
        try:
            store.put(ACCOUNT, archive)
        except BaseException as error:  # noqa: BLE001 - a thread has nobody else to tell
            failures.append(error)

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not failures
    assert [path.name for path in store.directory(ACCOUNT).iterdir()] == [hashlib.sha256(archive).hexdigest()]


def broken(after: int) -> Callable[[int, bytes], None]:
    """A `_write` that fails as a full disk does, once `after` pieces are written."""
    real, left = code_module._write, [after]

    def write(file: int, piece: bytes) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        real(file, piece)

    return write


def test_a_full_disk_leaves_nothing_behind(store: CodeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error reaches the caller; the half-built tree does not stay."""
    before = left_below(tmp_path)
    monkeypatch.setattr(code_module, "_write", broken(after=2))
    with pytest.raises(OSError, match="No space left"):
        store.put(ACCOUNT, zipped({f"{number}.py": b"x" for number in range(5)}))

    assert left_below(tmp_path) == before


def test_nothing_has_its_name_before_everything_is_on_disk(store: CodeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file and directory is fsynced, then comes the rename, then the directory that holds the name."""
    archive = zipped({"index.py": b"1", "pkg/a.py": b"2"})
    digest = hashlib.sha256(archive).hexdigest()
    account = store.directory(ACCOUNT)
    synced: list[tuple[str, bool]] = []
    real = os.fsync

    def fsync(file: int) -> None:
        path = Path(f"/proc/self/fd/{file}").readlink()
        synced.append((path.name if path != account else "ACCOUNT", (account / digest).exists()))
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    store.put(ACCOUNT, archive)
    names = [name for name, _ in synced]

    assert sorted(names[:3]) == ["a.py", "index.py", "pkg"]
    assert names[3].startswith(".building-")
    assert not any(exists for _, exists in synced[:4])
    assert synced[4] == ("ACCOUNT", True)
    assert names[5].startswith(".building-")  # the archive, which is kept beside
    assert names[6:] == [ACCOUNT]
    assert store.archive(ACCOUNT, digest) == archive
    assert store.archive(ACCOUNT, "0" * 64) is None


def test_a_collection_keeps_what_is_named_and_removes_the_rest(store: CodeStore) -> None:
    """Trees of no function and what a crash left half-built go; other accounts are not touched."""
    kept = store.put(ACCOUNT, zipped({"a": b"1"}))
    store.put(ACCOUNT, zipped({"b": b"2", "d/e": b"3"}))
    others = store.put("other", zipped({"c": b"3"}))
    half = store.directory(ACCOUNT) / ".building-0123"
    (half / "pkg").mkdir(parents=True)
    (half / "pkg" / "a.py").write_text("half")
    store.collect(ACCOUNT, {kept.digest})

    assert [path.name for path in store.directory(ACCOUNT).iterdir()] == [kept.digest]
    assert [path.name for path in store._archives(ACCOUNT).iterdir()] == [kept.digest]
    assert (store.directory("other") / others.digest).is_dir()


def test_a_collection_spares_what_is_being_built(store: CodeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A put that is under way is not pulled from under its feet."""
    archive = zipped({"a.py": b"1"})
    real = code_module._sync_tree

    def sync_tree(root: Path) -> None:
        store.collect(ACCOUNT, set())
        real(root)

    monkeypatch.setattr(code_module, "_sync_tree", sync_tree)
    code = store.put(ACCOUNT, archive)

    assert (store.directory(ACCOUNT) / code.digest / "a.py").read_bytes() == b"1"


@pytest.mark.parametrize("account_id", ["..", "a/b", "", ".hidden"])
def test_an_account_cannot_be_a_path(store: CodeStore, account_id: str) -> None:
    """Its id is checked before it becomes a directory."""
    with pytest.raises(InvalidArgument, match="accountId"):
        store.directory(account_id)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 10_000), value=st.integers(0, 255), cut=st.integers(0, 400))
def test_a_damaged_archive_never_does_more_than_be_refused(
    tmp_path: Path, at: int, value: int, cut: int
) -> None:  # fmt: skip
    """One byte changed, the end cut off: it is kept whole or refused, and there is no third way."""
    store = CodeStore(tmp_path / "code")
    good = bytearray(zipped({"index.py": b"print()\n" * 40, "pkg/data": bytes(range(256))}))
    good[at % len(good)] = value
    damaged = bytes(good[: len(good) - cut if cut < 20 else len(good)])
    try:
        code = store.put(ACCOUNT, damaged)
    except InvalidArgument:
        return
    tree = store.directory(ACCOUNT) / code.digest

    assert [path.name for path in store.directory(ACCOUNT).iterdir() if path.name.startswith(".")] == []
    assert len([path for path in tree.rglob("*") if path.is_file()]) == 2
