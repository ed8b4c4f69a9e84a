"""Zip archives from strangers: what is refused, with which words, and that nothing of it is left on disk."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from sojourn import archive as zip_archive
from sojourn.code import CodeStore
from sojourn.errors import InvalidArgument
from zips import ACCOUNT, raw_zip, refuse, zipped


@pytest.fixture
def store(tmp_path: Path) -> CodeStore:
    """A store in which the account has been before."""
    made = CodeStore(tmp_path / "code")
    made.directory(ACCOUNT)
    return made


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../evil", "'..'"),
        ("a/../../evil", "'..'"),
        ("..", "'..'"),
        ("/etc/evil", "relative"),
        ("//evil", "relative"),
        ("C:/evil", "relative"),
        ("c:evil", "relative"),
        ("a\\..\\evil", "relative"),
        ("a//b", "empty parts"),
        ("a\nb", "control characters"),
        ("a\x7fb", "control characters"),
        ("n" * 256, "255 bytes"),
        ("é" * 128, "255 bytes"),
        ("/".join(["d" * 40] * 30), "1024 bytes"),
        ("/".join(["d"] * 33), "32 directories"),
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(store: CodeStore, tmp_path: Path, name: str, words: str) -> None:
    """Zip slip in all its spellings; the message shows the name and the rule."""
    archive = raw_zip([(b"index.py", b""), (name.encode(), b"evil")])
    refuse(store, tmp_path, archive, words)

    assert not (tmp_path / "evil").exists()


def test_a_nul_in_a_name_is_refused(store: CodeStore, tmp_path: Path) -> None:
    """It would end the name early for the system."""
    refuse(store, tmp_path, raw_zip([(b"index.py\0.txt", b"")]), "control characters")


def test_names_without_meaning_mean_nothing(store: CodeStore) -> None:
    """`./` in front, as some tools write it, is dropped."""
    code = store.put(ACCOUNT, raw_zip([(b"./", b""), (b"./index.py", b"1"), (b"./a/./b.py", b"2")]))

    assert (store.directory(ACCOUNT) / code.digest / "a/b.py").read_bytes() == b"2"


def test_names_in_old_code_pages_and_in_utf8_are_kept(store: CodeStore) -> None:
    """UTF-8 with or without the flag that says so; anything else is read as old tools meant it."""
    code = store.put(ACCOUNT, raw_zip([("ü.py".encode(), b""), (b"\x81.txt", b""), (b"index.py", b"")]))

    assert {path.name for path in (store.directory(ACCOUNT) / code.digest).iterdir()} == {"ü.py", "ü.txt", "index.py"}


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFDIR])
def test_what_is_no_file_is_refused(store: CodeStore, tmp_path: Path, kind: int) -> None:
    """Links first of all: a link and then a file through it would write anywhere."""
    refuse(store, tmp_path, raw_zip([(b"index.py", b"/etc/passwd")], mode=kind | 0o777), "no links or devices")


def test_a_link_and_a_file_through_it_write_nothing(store: CodeStore, tmp_path: Path) -> None:
    """The classic: `x -> target`, then `x/file`."""
    target = tmp_path / "target"
    target.mkdir()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("x")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, str(target))
        archive.writestr("x/file", b"evil")
    refuse(store, tmp_path, out.getvalue(), "no links")

    assert not list(target.iterdir())


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([b"a", b"a"], "a name twice"),
        ([b"a", b"./a"], "a name twice"),
        ([b"d/", b"d/", b"f"], "a name twice"),
        ([b"Read.me", b"read.ME"], "only in case, such as that of 'Read.me'"),
        ([b"D/a", b"d/b"], "only in case"),
        (["stra\u00dfe".encode(), b"STRASSE"], "only in case"),
        ([b"a", b"a/b"], "where a directory is needed"),
        ([b"a/b/c", b"a/b"], "where a directory is needed"),
        ([b"a/", b"a"], "a name twice"),
    ],
)
def test_names_that_clash_are_refused(store: CodeStore, tmp_path: Path, names: list[bytes], words: str) -> None:
    """Two entries for one place would make the tree depend on who comes last."""
    refuse(store, tmp_path, raw_zip([(name, b"") for name in names]), words)


def test_an_archive_over_its_size_is_refused_unread(
    store: CodeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound is named, with the size."""
    monkeypatch.setattr(zip_archive, "ARCHIVE_BYTES_MAX", 1000)
    refuse(store, tmp_path, b"\0" * 1001, "must hold at most 1000 bytes, got '1001 bytes'")


def test_a_bomb_is_refused_by_what_it_promises(store: CodeStore, tmp_path: Path) -> None:
    """60 MB of zeros in 60 KB grow too much; nothing is decompressed to find that out."""
    refuse(store, tmp_path, zipped({"index.py": b"", "bomb": b"\0" * 60_000_000}), "more than 100-fold")


def test_too_much_in_all_is_refused(store: CodeStore, tmp_path: Path) -> None:
    """The sum of promised sizes is bounded, whatever the ratio."""
    archive = raw_zip([(b"a", b""), (b"b", b"")], size=300_000_000, method=8)
    refuse(store, tmp_path, archive, f"at most {zip_archive.TOTAL_BYTES_MAX} bytes when it is extracted")


@pytest.mark.parametrize("promised", [0, 10, 999, 1001])
def test_a_size_that_lies_is_found_out_while_it_is_read(store: CodeStore, tmp_path: Path, promised: int) -> None:
    """One byte too many ends it; so does one too few."""
    data = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = data.compress(b"\0" * 1000) + data.flush()
    archive = raw_zip([(b"index.py", packed)], method=8, size=promised, crc=zlib.crc32(b"\0" * 1000))
    refuse(store, tmp_path, archive, "must hold files of the sizes")


def test_no_more_comes_out_than_was_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bomb that lies about its size is stopped at its first byte too many, not at its last."""
    monkeypatch.setattr(zip_archive, "_PIECE_OUT_BYTES", 64)
    packing = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packing.compress(b"\0" * 1_000_000) + packing.flush()
    archive = raw_zip([(b"index.py", packed)], method=8, size=200)
    (entry,) = zip_archive.read(archive)
    came: list[bytes] = []
    with pytest.raises(InvalidArgument, match="here 200 bytes and not more"):
        came.extend(zip_archive.content(archive, entry))

    assert sum(map(len, came)) <= 200


def test_a_wrong_crc_is_refused(store: CodeStore, tmp_path: Path) -> None:
    """Content that was damaged on its way is not kept."""
    refuse(store, tmp_path, raw_zip([(b"index.py", b"abc")], crc=1), "CRC-32")


def test_damaged_data_is_refused(store: CodeStore, tmp_path: Path) -> None:
    """What does not decompress, and what ends before or after its stream."""
    refuse(store, tmp_path, raw_zip([(b"index.py", b"\xff\xff\xff")], method=8, size=3), "can be decompressed")
    data = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = data.compress(b"abc") + data.flush()
    crc = zlib.crc32(b"abc")
    refuse(store, tmp_path, raw_zip([(b"f", packed[:-1])], method=8, size=3, crc=crc), "must hold whole files")
    refuse(store, tmp_path, raw_zip([(b"f", packed + b"x")], method=8, size=3, crc=crc), "must hold whole files")


@pytest.mark.parametrize(
    ("archive", "words"),
    [
        (b"", "no end record"),
        (b"not a zip", "no end record"),
        (raw_zip([(b"a", b"1")])[:-1], "no end record"),
        (raw_zip([(b"a", b"1")]) + b"x", "no end record"),
        (b"#!/bin/sh\n" + raw_zip([(b"a", b"1")]), "right before its end"),
        (raw_zip([]), "at least one file"),
        (raw_zip([(b"d/", b"")], mode=stat.S_IFDIR), "at least one file"),
        (raw_zip([(b"d/", b"x")], mode=stat.S_IFDIR), "directories that have content"),
        (raw_zip([(b"a", b"1")], count=2), "the entries it promises"),
        (raw_zip([(b"a", b"1"), (b"b", b"2")], count=1), "the entries it promises"),
        (raw_zip([(b"a", b"1")], count=60_000), "the entries it promises"),
        (raw_zip([(b"a", b"1")], count=0xFFFF), "plain zip archive"),
        (raw_zip([(b"a", b"1")], size=0xFFFFFFFF), "plain zip archive"),
        (raw_zip([(b"a", b"1")], flags=1), "encrypted"),
        (raw_zip([(b"a", b"1")], flags=0x20), "patches of other files"),
        (raw_zip([(b"a", b"1")], version=64), "must hold files that version 6.3"),
        (raw_zip([(b"a", b"1")], method=12), "stored or deflated"),
        (raw_zip([(b"a", b"1")], size=2), "stored files"),
        (raw_zip([(b"a", b"1")], local_name=b"b"), "two headers alike"),
        (raw_zip([(b"a", b"1")], local_name=b"../evil"), "two headers alike"),
        (raw_zip([(b"\xff", b"1")], flags=0x0800), "UTF-8"),
        (raw_zip([(b"a", b"1"), (b"a", b"1")], same_header=True), "overlap"),
        (raw_zip([(b"a", b"1"), (b"b", b"1")], same_header=True), "two headers alike"),
    ],
)
def test_an_archive_that_contradicts_itself_is_refused(
    store: CodeStore, tmp_path: Path, archive: bytes, words: str
) -> None:
    """Truncated, prefixed, lying about its entries, encrypted, overlapping: each is told what is wrong."""
    refuse(store, tmp_path, archive, words)


def test_overlapping_files_are_refused(store: CodeStore, tmp_path: Path) -> None:
    """A file whose data holds another file's header makes one byte count many times."""
    inner = raw_zip([(b"b", b"2")])
    local = inner[: inner.index(b"PK\1\2")]
    outer = raw_zip([(b"a", local)])
    begin = outer.index(b"PK\1\2")
    central = outer[begin : outer.index(b"PK\5\6")]
    second = inner[inner.index(b"PK\1\2") : inner.index(b"PK\5\6")]
    second = second[:-5] + struct.pack("<L", len(b"PK\3\4") + 26 + 1) + second[-1:]
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 2, 2, len(central + second), begin, 0)
    refuse(store, tmp_path, outer[:begin] + central + second + end, "overlap")


def test_a_hundred_thousand_entries_are_refused(store: CodeStore, tmp_path: Path) -> None:
    """An honest tool writes zip64 for so many; a lying count is a count that does not fit."""
    many = zipped({f"{number}": b"" for number in range(100_000)}, method=zipfile.ZIP_STORED)
    refuse(store, tmp_path, many, f"at most {zip_archive.ENTRIES_MAX} entries")


def test_directories_that_nobody_named_count_too(
    store: CodeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One deep name makes many directories: inodes are what is bounded."""
    monkeypatch.setattr(zip_archive, "ENTRIES_MAX", 100)
    names = [("/".join([f"{number}", *["d"] * 20, "f"])).encode() for number in range(5)]
    refuse(store, tmp_path, raw_zip([(name, b"") for name in names]), "at most 100 files and directories")
