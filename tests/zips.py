"""Zip archives for tests: ordinary ones, and ones written field by field, so that any field can lie."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import pytest

from sojourn.code import CodeStore
from sojourn.errors import InvalidArgument

ACCOUNT = "acme"


def zipped(files: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An ordinary archive of `files`."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def raw_zip(
    entries: Iterable[tuple[bytes, bytes]],
    *,
    mode: int | None = None,
    flags: int = 0,
    method: int = 0,
    size: int | None = None,
    crc: int | None = None,
    local_name: bytes | None = None,
    count: int | None = None,
    same_header: bool = False,
    version: int = 20,
) -> bytes:
    """An archive written field by field, so that any of them can lie."""
    body, central, headers = b"", b"", 0
    for name, data in entries:
        packed = data
        real_crc = zlib.crc32(data) if crc is None else crc
        real_size = len(data) if size is None else size
        local = local_name if local_name is not None else name
        at = 0 if same_header else len(body)
        kind = (0o040755 if name.endswith(b"/") else 0o100644) if mode is None else mode
        numbers = (20, flags, method, 0, 0, real_crc, len(packed), real_size, len(local), 0)
        body += struct.pack("<4s5H3L2H", b"PK\3\4", *numbers) + local + packed
        central += struct.pack(
            "<4s6H3L5H2L", b"PK\1\2", 0x031E, version, flags, method, 0, 0, real_crc, len(packed), real_size,
            len(name), 0, 0, 0, 0, kind << 16, at,
        ) + name  # fmt: skip
        headers += 1
    told = headers if count is None else count
    return body + central + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, told, told, len(central), len(body), 0)


def left_below(path: Path) -> list[str]:
    """Everything below `path` but the account's own directory."""
    return sorted(str(one.relative_to(path)) for one in path.rglob("*") if one.name != ACCOUNT)


def refuse(store: CodeStore, tmp_path: Path, archive: bytes, words: str) -> None:
    """`archive` is refused with a message about `code.zipFile` that holds `words`, and nothing is there afterwards."""
    before = left_below(tmp_path)
    with pytest.raises(InvalidArgument) as raised:
        store.put(ACCOUNT, archive)

    assert raised.value.field == "code.zipFile"
    assert words in raised.value.message
    assert left_below(tmp_path) == before
