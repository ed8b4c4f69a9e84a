"""Zip archives: what is in one, checked in full before anything is written, and its files' true content.

An archive is data from a stranger. This file reads the central directory itself, believes no number in it that another
number contradicts, and refuses whatever an honest tool would not have made: two entries that share bytes, an entry
whose name differs between its two headers, a name that leads out of the archive, a link. Sizes are promises until the
content has been read: `content` counts the bytes that come out and stops at one too many.

Zip64 is refused: an archive within the bounds does not need it. Where files go is left to `code`.
"""

from __future__ import annotations

import re
import stat
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from .errors import InvalidArgument

FIELD = "code.zipFile"
ARCHIVE_BYTES_MAX = 100 * 1024 * 1024
ENTRIES_MAX = 65_534
"""One less than the number by which a zip64 archive says that it is one; directories count, named or not."""
TOTAL_BYTES_MAX = 500 * 1024 * 1024
RATIO_MAX = 100
RATIO_FREE_BYTES = 16 * 1024 * 1024
"""Up to this size an archive may be packed as tightly as it likes: a table of zeros is no bomb."""
NAME_BYTES_MAX = 1024
COMPONENT_BYTES_MAX = 255
DEPTH_MAX = 32

_END = struct.Struct("<4s4H2LH")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_END_MARK, _CENTRAL_MARK, _LOCAL_MARK = b"PK\5\6", b"PK\1\2", b"PK\3\4"
_COMMENT_BYTES_MAX = 0xFFFF
_SATURATED_16, _SATURATED_32 = 0xFFFF, 0xFFFFFFFF
_ENCRYPTED, _UTF8 = 0x0001, 0x0800
_PATCHED, _STRONGLY_ENCRYPTED = 0x0020, 0x0040
_VERSION_MAX = 63
"""Of the format, times ten: 6.3 is the newest one that tools know (APPNOTE 4.4.3)."""
_STORED, _DEFLATED = 0, 8
_DRIVE = re.compile(r"[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PIECE_IN_BYTES, _PIECE_OUT_BYTES = 64 * 1024, 1024 * 1024


class Entry(NamedTuple):
    """One file or directory: where it belongs, and where its data lies in the archive."""

    path: tuple[str, ...]
    directory: bool
    executable: bool
    size: int
    crc: int
    method: int
    begin: int
    end: int


class _Record(NamedTuple):
    """One record of the central directory, as it stands there; `version` of the format is what reading it takes."""

    version: int
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    attributes: int
    header: int
    name: bytes


def read(archive: bytes) -> list[Entry]:
    """The entries of `archive` in the order of their paths; a directory comes before what is in it.

    Raises
    ------
    InvalidArgument: it is no zip archive, or not one that may be extracted; the message says what is wrong with it.

    """
    if len(archive) > ARCHIVE_BYTES_MAX:
        raise _refused(f"{len(archive)} bytes", f"must hold at most {ARCHIVE_BYTES_MAX} bytes")
    count, begin, end = _end(archive)
    records = _central(archive, count, begin, end)
    total = sum(record.size for record in records)
    if total > TOTAL_BYTES_MAX:
        raise _refused(f"{total} bytes", f"must hold at most {TOTAL_BYTES_MAX} bytes when it is extracted")
    if total > RATIO_FREE_BYTES and total > RATIO_MAX * len(archive):
        raise _refused(f"{total} bytes from {len(archive)}", f"must not grow more than {RATIO_MAX}-fold")
    entries = [_entry(archive, record) for record in records]
    _check_overlap(entries, records, begin)
    entries = [entry for entry in entries if entry.path]
    if all(entry.directory for entry in entries):
        raise _refused(f"{len(entries)} entries", "must hold at least one file")
    _check_names(entries)
    entries.sort(key=lambda entry: entry.path)
    return entries


def content(archive: bytes, entry: Entry) -> Iterator[bytes]:
    """The content of a file in pieces; never more than its size says, and all of it is right when this ends.

    Raises
    ------
    InvalidArgument: what comes out is not what the archive promised.

    """
    name, left, crc = "/".join(entry.path), entry.size, 0
    for piece in _pieces(archive, entry):
        left -= len(piece)
        if left < 0:
            raise _refused(name, f"must hold files of the sizes it promises, here {entry.size} bytes and not more")
        crc = zlib.crc32(piece, crc)
        yield piece
    if left or crc != entry.crc:
        raise _refused(name, "must hold files of the sizes and CRC-32 it promises")


def _pieces(archive: bytes, entry: Entry) -> Iterator[bytes]:
    data = memoryview(archive)[entry.begin : entry.end]
    if entry.method == _STORED:
        for at in range(0, len(data), _PIECE_OUT_BYTES):
            yield bytes(data[at : at + _PIECE_OUT_BYTES])
        return
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for at in range(0, len(data), _PIECE_IN_BYTES):
            waiting: bytes | memoryview = data[at : at + _PIECE_IN_BYTES]
            while waiting and not inflate.eof:
                yield inflate.decompress(waiting, _PIECE_OUT_BYTES)
                waiting = inflate.unconsumed_tail
    except zlib.error as error:
        raise _refused("/".join(entry.path), f"must hold files that can be decompressed ({error})") from None
    if not inflate.eof or inflate.unused_data:
        raise _refused("/".join(entry.path), "must hold whole files, each in as many bytes as it promises")


def _end(archive: bytes) -> tuple[int, int, int]:
    """The number of entries, and where the central directory begins and ends."""
    at = len(archive)
    first = max(0, len(archive) - _END.size - _COMMENT_BYTES_MAX)
    while (at := archive.rfind(_END_MARK, first, at)) >= 0:
        if at + _END.size <= len(archive):
            _, disk, central_disk, here, count, size, begin, comment = _END.unpack_from(archive, at)
            if at + _END.size + comment == len(archive):
                break
    else:
        raise _refused(f"{len(archive)} bytes", "must be a whole zip archive, it has no end record")
    if _SATURATED_16 in (here, count) or _SATURATED_32 in (size, begin):
        raise _refused("zip64", f"must be a plain zip archive of at most {ENTRIES_MAX} entries")
    if disk or central_disk or here != count:
        raise _refused(f"disk {disk}", "must be a zip archive in one part")
    if begin + size != at:
        raise _refused(f"{size} bytes at {begin}", f"must have its central directory right before its end, at {at}")
    return count, begin, at


def _central(archive: bytes, count: int, begin: int, end: int) -> list[_Record]:
    """The records of the central directory, which must be as many as promised and fill it."""
    broken = _refused(f"{count} entries", f"must hold the entries it promises, its directory has {end - begin} bytes")
    if count * _CENTRAL.size > end - begin:
        raise broken
    records: list[_Record] = []
    at = begin
    for _ in range(count):
        if at + _CENTRAL.size > end:
            raise broken
        mark, _, version, flags, method, _, _, crc, *sizes, _, _, attributes, header = _CENTRAL.unpack_from(archive, at)
        packed, size, name_size, extra_size, comment_size = sizes
        name = archive[at + _CENTRAL.size : at + _CENTRAL.size + name_size]
        at += _CENTRAL.size + name_size + extra_size + comment_size
        if mark != _CENTRAL_MARK or at > end:
            raise broken
        if _SATURATED_32 in (packed, size, header):
            raise _refused("zip64", "must be a plain zip archive, its sizes do not need more")
        records.append(_Record(version & 0xFF, flags, method, crc, packed, size, attributes, header, name))
    if at != end:
        raise broken
    return records


def _entry(archive: bytes, record: _Record) -> Entry:
    """A record as an entry, once its name, kind and local header are found to be in order."""
    name = _name(record)
    if record.flags & (_ENCRYPTED | _STRONGLY_ENCRYPTED):
        raise _refused(name, "must not hold encrypted files")
    if record.flags & _PATCHED:
        raise _refused(name, "must not hold patches of other files")
    if record.version > _VERSION_MAX:
        version = f"{record.version // 10}.{record.version % 10}"
        raise _refused(f"{name} (version {version})", "must hold files that version 6.3 of the format can read")
    if record.method not in (_STORED, _DEFLATED):
        raise _refused(f"{name} (method {record.method})", "must hold stored or deflated files (methods 0 and 8)")
    directory = name.endswith("/")
    mode = record.attributes >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFDIR if directory else stat.S_IFREG):
        raise _refused(name, "must hold files and directories only, no links or devices")
    begin = _data_begin(archive, record, name)
    if directory and record.size:
        raise _refused(name, "must not hold directories that have content")
    if record.method == _STORED and record.size != record.packed:
        raise _refused(name, "must hold stored files in as many bytes as they have")
    return Entry(
        path=_path(name),
        directory=directory,
        executable=bool(mode & 0o111),
        size=record.size,
        crc=record.crc,
        method=record.method,
        begin=begin,
        end=begin + record.packed,
    )


def _data_begin(archive: bytes, record: _Record, name: str) -> int:
    """Where an entry's data begins, behind a local header that must say the same as the central directory."""
    if record.header + _LOCAL.size > len(archive):
        raise _refused(name, "must hold every file it lists")
    mark, _, flags, method, _, _, _, _, _, name_size, extra = _LOCAL.unpack_from(archive, record.header)
    begin: int = record.header + _LOCAL.size + name_size + extra
    if mark != _LOCAL_MARK or begin > len(archive):
        raise _refused(name, "must hold every file it lists")
    local_name = archive[record.header + _LOCAL.size : record.header + _LOCAL.size + name_size]
    if local_name != record.name or method != record.method or (flags ^ record.flags) & _ENCRYPTED:
        raise _refused(name, "must describe each file in its two headers alike")
    return begin


def _check_overlap(entries: list[Entry], records: list[_Record], central: int) -> None:
    """No two entries may share bytes, and none may reach into the central directory."""
    taken = 0
    spans = [(record.header, entry.end, entry.path) for record, entry in zip(records, entries, strict=True)]
    for header, end, path in sorted(spans):
        if header < taken or end > central:
            raise _refused("/".join(path), "must not hold files that overlap or are cut off")
        taken = end


def _name(record: _Record) -> str:
    """An entry's name as text: UTF-8 when it is, else the code page of old tools."""
    try:
        return record.name.decode()
    except UnicodeDecodeError:
        if record.flags & _UTF8:
            raise _refused(record.name, "must have names in UTF-8 where it says so") from None
        return record.name.decode("cp437")


def _path(name: str) -> tuple[str, ...]:
    """The components of a name that leads nowhere but into the archive; `./` means nothing."""
    if len(name.encode()) > NAME_BYTES_MAX:
        raise _refused(name, f"must have names of at most {NAME_BYTES_MAX} bytes")
    if not name or name.startswith("/") or "\\" in name or _DRIVE.match(name):
        raise _refused(name, "must have relative names with '/' between their parts")
    if _CONTROL.search(name):
        raise _refused(name, "must have names without control characters")
    parts = tuple(part for part in name.removesuffix("/").split("/") if part != ".")
    for part in parts:
        if part in ("", ".."):
            raise _refused(name, "must have names without '..' and without empty parts")
        if len(part.encode()) > COMPONENT_BYTES_MAX:
            raise _refused(name, f"must have name parts of at most {COMPONENT_BYTES_MAX} bytes")
    if len(parts) > DEPTH_MAX:
        raise _refused(name, f"must be at most {DEPTH_MAX} directories deep")
    return parts


def _check_names(entries: list[Entry]) -> None:
    """No name twice, none that differs from another only in case, no file where another entry needs a directory."""
    known: dict[str, str] = {}
    files: set[str] = set()
    explicit: set[str] = set()
    for entry in entries:
        name = "/".join(entry.path)
        if name in explicit:
            raise _refused(name, "must not hold a name twice")
        explicit.add(name)
        if not entry.directory:
            files.add(name)
        here, folded = name, name.casefold()
        while here and (other := known.get(folded)) is None:
            known[folded] = here
            here, folded = here.rpartition("/")[0], folded.rpartition("/")[0]
        if here and other != here:
            raise _refused(name, f"must not hold names that differ only in case, such as that of {other!r}")
        if len(known) > ENTRIES_MAX:
            raise _refused(f"{len(known)} names", f"must hold at most {ENTRIES_MAX} files and directories")
    for name in known.values():
        if name.rpartition("/")[0] in files:
            raise _refused(name, "must not hold a file where a directory is needed")


def _refused(value: object, bound: str) -> InvalidArgument:
    return InvalidArgument(FIELD, value, bound)
