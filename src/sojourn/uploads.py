"""Code that comes with a request: decoded, compared with its checksum, and kept, off the loop."""

from __future__ import annotations

import asyncio
import base64
import binascii

from .code import CodeStore
from .code import checksum as crc_64
from .errors import InvalidArgument
from .function import Code
from .own_program import IGNORED_WHEN_EMPTY


async def upload(store: CodeStore, account_id: str, code: object, *, needed: bool = True) -> Code:
    """Keep the archive that a request's `code` holds (FC: InputCodeLocation); none is an empty one unless `needed`.

    Raises
    ------
    InvalidArgument: it holds none, or one that is refused.

    """
    if not needed and code in IGNORED_WHEN_EMPTY:
        return Code(digest="", size=0, checksum="")
    if not isinstance(code, dict) or not isinstance(code.get("zipFile"), str):
        raise InvalidArgument("code", code, "must be an object with zipFile, a base64 zip archive")
    if any(value is not None and field not in ("zipFile", "checksum") for field, value in code.items()):
        raise InvalidArgument("code", sorted(code), "must hold zipFile and at most checksum")
    return await asyncio.to_thread(_unpack, store, account_id, code["zipFile"], code.get("checksum"))


def _unpack(store: CodeStore, account_id: str, text: str, checksum: object) -> Code:
    """Decode, compare, keep: off the loop, because 100 MB take their time."""
    try:
        archive = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidArgument("code.zipFile", text, "must be base64") from None
    if checksum not in (None, "") and checksum != (expected := crc_64(archive)):
        raise InvalidArgument("code.checksum", checksum, f"must be the archive's CRC-64, {expected}")
    return store.put(account_id, archive)
