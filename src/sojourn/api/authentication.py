"""Who is calling: every request but the three health questions is signed, and this is where that is checked.

The whole signature is checked before a byte of the body is asked for: the body's digest is signed as a header, and
compared with the body once that has been read (`call`). An unknown key costs the same work as a known one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sojourn.catalog import Catalog
from sojourn.clock import MICROSECONDS_PER_SECOND, Clock
from sojourn.errors import AccessDenied, InvalidArgument, SignatureMismatch, UnknownAccessKey
from sojourn.function import AccessKey
from sojourn.signature import Nonces, check_window, parse_authorization, verify

_ONCE = (b"authorization", b"host", b"content-", b"transfer-encoding", b"x-acs-", b"x-fc-")
"""Headers that must not come twice: two readers could believe two different ones."""


class Authentication:
    """Tells callers from strangers.

    Nonces are remembered in memory, so a request that was sent before a restart could be sent once more after it.
    """

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog, self._clock = catalog, clock
        self._nonces: dict[str, Nonces] = {}

    def check(self, scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> AccessKey:
        """The key that signed the request of `scope`.

        Raises
        ------
        AccessDenied: it is not signed by a key of ours, not signed now, or was sent before.
        InvalidArgument, MissingHeader: what should say so is not as it must be.

        """
        credential = parse_authorization(headers)
        now_seconds = self._clock.now() / MICROSECONDS_PER_SECOND
        stamp = check_window(headers, now_seconds)
        key = self._catalog.key(credential.access_key_id)
        try:
            verify(
                credential,
                key.secret if key is not None else None,
                headers,
                method=scope["method"].encode(),
                raw_path=scope["raw_path"],
                query=scope["query_string"],
            )
        except SignatureMismatch:
            if key is None:
                raise UnknownAccessKey(credential.access_key_id) from None
            raise
        if key is None:
            raise UnknownAccessKey(credential.access_key_id)
        nonces = self._nonces.get(key.id)
        if nonces is None:
            nonces = self._nonces[key.id] = Nonces()
        nonces.check(headers[b"x-acs-signature-nonce"], stamp, now_seconds)
        hint = headers.get(b"x-fc-account-id")
        if hint and hint.decode("latin-1") != key.account_id:
            raise AccessDenied("x-fc-account-id names another account than that of the access key")
        return key


def single_headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The headers by name; those that come twice are joined as HTTP says, where nobody is misled by it.

    Raises
    ------
    InvalidArgument: one that must come once does not.

    """
    pairs = list(pairs)
    headers = dict(pairs)
    if len(headers) == len(pairs):
        return headers
    headers.clear()
    for name, value in pairs:
        if name not in headers:
            headers[name] = value
        elif name.startswith(_ONCE):
            raise InvalidArgument(name.decode("latin-1"), value.decode("latin-1"), "must be given once")
        else:
            headers[name] += b", " + value
    return headers
