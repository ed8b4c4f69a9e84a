"""Fuzzing code archives: what is accepted is what everybody else reads in it, and stays where it belongs.

Promises: an archive is read or refused, never anything else; the names of an accepted one lead nowhere outside and are
each there once; its content is exactly as long as it says, and the standard library reads the same files from it.
"""

from __future__ import annotations

import io
import zipfile
from contextlib import suppress

from hypothesis import strategies as st

import zips
from sojourn import archive
from sojourn.errors import InvalidArgument

from .target import Target

_names = st.one_of(
    st.sampled_from(
        [
            "index.py",
            "a/b.py",
            "a/",
            "a",
            "A",
            "../x",
            "/x",
            "a//b",
            "./a",
            "C:x",
            "a\\b",
            "ä",
            "con",
            "x" * 300,
            "a\0b",
        ]
    ),
    st.text(max_size=8),
)
_data = st.one_of(st.binary(max_size=60), st.integers(0, 2_000).map(bytes))
_entries = st.lists(st.tuples(_names.map(lambda name: name.encode("utf-8", "replace")), _data), max_size=4)


def _ordinary(files: dict[str, bytes], method: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return out.getvalue()


_honest = st.builds(
    _ordinary,
    st.dictionaries(st.text("abc/._", min_size=1, max_size=8), _data, min_size=1, max_size=4),
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
)
_lying = st.builds(
    zips.raw_zip,
    _entries,
    mode=st.sampled_from([None, 0o120777, 0o100755, 0o040755, 0o060600, 0]),
    flags=st.sampled_from([0, 0, 0x800, 1, 0x20, 0x40, 8]),
    method=st.sampled_from([0, 0, 0, 8, 99]),
    size=st.one_of(st.none(), st.integers(0, 2**32 - 1)),
    crc=st.one_of(st.none(), st.none(), st.just(0)),
    local_name=st.one_of(st.none(), st.none(), st.just(b"other")),
    count=st.one_of(st.none(), st.none(), st.integers(0, 0xFFFF)),
    same_header=st.booleans(),
    version=st.sampled_from([20, 20, 10, 63, 64, 84]),
)


def _spoiled(data: bytes, changes: list[tuple[int, int]], cut: int) -> bytes:
    spoiled = bytearray(data)
    for place, flip in changes:
        spoiled[place % len(spoiled)] ^= flip
    return bytes(spoiled[: len(spoiled) - cut] if cut else spoiled)


_changes = st.lists(st.tuples(st.integers(0, 5_000), st.integers(1, 255)), max_size=3)
_archives = st.one_of(
    _honest, _lying, st.builds(_spoiled, st.one_of(_honest, _lying), _changes, st.sampled_from([0, 0, 0, 1, 22]))
)


def check_archive(data: bytes) -> None:
    """Read it as the product does, then as the standard library does."""
    try:
        entries = archive.read(data)
        contents = {entry.path: b"".join(archive.content(data, entry)) for entry in entries if not entry.directory}
    except InvalidArgument as error:
        if error.field != archive.FIELD:
            raise AssertionError(f"refused as {error.field}") from error
        return
    paths = [entry.path for entry in entries]
    if len({tuple(part.casefold() for part in path) for path in paths}) != len(paths):
        raise AssertionError("two entries of one name")
    for path in paths:
        if not path or any(part in ("", ".", "..") or set(part) & set("/\\\0") for part in path):
            raise AssertionError(f"a name that leads elsewhere: {path}")
    theirs = _elsewhere(data)
    ours = {"/".join(path): content for path, content in contents.items()}
    if ours != theirs:
        raise AssertionError(f"{sorted(ours)} here, {sorted(theirs)} elsewhere")
    if any(len(contents[entry.path]) != entry.size for entry in entries if not entry.directory):
        raise AssertionError("a content of another size")


def _elsewhere(data: bytes) -> dict[str, bytes]:
    """The files as the standard library reads them, their names without what leads nowhere."""
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        files = [info for info in opened.infolist() if not info.is_dir()]
        return {_plain(info): opened.read(info) for info in files if _plain(info)}  # `.` is nothing


def _plain(info: zipfile.ZipInfo) -> str:
    """Its name; one that is UTF-8 and does not say so is taken for UTF-8 all the same, as `archive` has it."""
    name = info.filename
    if not info.flag_bits & 0x800:
        with suppress(UnicodeDecodeError):
            name = name.encode("cp437").decode()
    return "/".join(part for part in name.split("/") if part not in ("", "."))


TARGETS = (Target("archive", _archives, check_archive, bytes=True),)
