"""ACS3-HMAC-SHA256 a second time, from the description alone and the standard library: what a foreign server checks."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote

AUTHORIZATION = re.compile(r"ACS3-HMAC-SHA256 Credential=([^,]+),SignedHeaders=([^,]+),Signature=([0-9a-f]{64})")


def signer(line: tuple[str, str, str], headers: Mapping[str, str], body: bytes, secrets: Mapping[str, str]) -> str:
    """The key id that signed this request: `line` is method, path and query, headers are named in lower case.

    Raises
    ------
    ValueError: it is not signed, or not by the holder of that key.

    """
    claim = AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if claim is None:
        raise ValueError("no ACS3 authorization")
    key, names, given = claim.groups()
    digest = hashlib.sha256(body).hexdigest()
    if headers["x-acs-content-sha256"] != digest:
        raise ValueError("the body is not the one that was signed")
    if not hmac.compare_digest(signature(line, headers, names, digest, secrets[key]), given):
        raise ValueError("the signature does not fit")
    return key


def signature(line: tuple[str, str, str], headers: Mapping[str, str], names: str, digest: str, secret: str) -> str:
    """The signature of a request: `names` are the signed headers with `;` between them, `digest` is the body's."""
    method, path, query = line
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    canonical = "\n".join(
        (
            method,
            path,
            "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in pairs),
            "".join(f"{name}:{headers[name].strip()}\n" for name in names.split(";")),
            names,
            digest,
        )
    )
    text = "ACS3-HMAC-SHA256\n" + hashlib.sha256(canonical.encode()).hexdigest()
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
