"""Who is calling: every request but the three health questions is signed or brings an access token; checked here.

The whole signature is checked before a byte of the body is asked for: the body's digest is signed as a header, and
compared with the body once that has been read (`call`); the older signatures do not cover it. An unknown key costs the
same work as a known one.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl

from sojourn import older_signature
from sojourn.access import AccessToken
from sojourn.catalog import Catalog
from sojourn.clock import MICROSECONDS_PER_SECOND, Clock
from sojourn.errors import (
    AccessDenied,
    AccessTokenInvalid,
    InvalidArgument,
    MissingHeader,
    SecurityTokenExpired,
    SecurityTokenInvalid,
    SignatureMismatch,
    UnknownAccessKey,
)
from sojourn.function import AccessKey
from sojourn.hosts import Hosts
from sojourn.refusals import SignInNeeded
from sojourn.sessions import CSRF_HEADER, Sessions, check_csrf, name_in
from sojourn.signature import Nonces, check_window, parse_authorization, verify
from sojourn.tokens import Tokens

from .request import Request

_ONCE = (b"authorization", b"host", b"content-", b"transfer-encoding", b"x-acs-", b"x-fc-")
"""Headers that must not come twice: two readers could believe two different ones."""
_PROXIED = ("/2016-08-15/proxy/", "/http/")
"""Calls through HTTP triggers."""
_OLDER = ("/2016-08-15/", "/http/")
_ROA = ("/2021-04-06/", "/2023-03-30/")
_BY_URL = (*_PROXIED, "/v1/code/")
"""What may be asked for by a signed URL."""
_BEARER = b"bearer"
_BY_TOKEN = ("/v1/", "/2023-03-30/", "/openapi.json", "/metrics")
"""What may be asked for with an access token; elsewhere a bearer token is a function's own."""
_BY_SESSION = ("/v1/", "/2023-03-30/", "/openapi.json")
"""What the console asks for, by the cookie of a session."""


class Proof(NamedTuple):
    """The key that signed a request, and the SHA-256 that its body must have; None when the body was not signed."""

    key: AccessKey
    digest: bytes | None


class Authentication:
    """Tells callers from strangers.

    Which signature is taken depends on the path: Function Compute's older one, which covers neither body nor query,
    only where its clients call. Nonces are remembered in memory, so a request that was sent before a restart could be
    sent once more after it.
    """

    def __init__(self, catalog: Catalog, tokens: Tokens, clock: Clock, sessions: Sessions, hosts: Hosts) -> None:
        self._catalog, self._tokens, self._clock = catalog, tokens, clock
        self._sessions, self._hosts = sessions, hosts
        self._nonces: dict[str, Nonces] = {}

    def check(self, request: Request, headers: Mapping[bytes, bytes]) -> Proof:
        """The key that signed the request of `request`, or what stands for it when it came with an access token.

        Raises
        ------
        AccessDenied: it is not signed by a key of ours, not signed now, or was sent before; its token is not ours.
        InvalidArgument, MissingHeader: what should say so is not as it must be.

        """
        proof = self._checked(request, headers)
        hint = headers.get(b"x-fc-account-id")
        if hint and hint.decode("latin-1") != proof.key.account_id:
            raise AccessDenied("x-fc-account-id names another account than that of the access key")
        return proof

    def _checked(self, request: Request, headers: Mapping[bytes, bytes]) -> Proof:
        path: str = request.path
        scheme = headers.get(b"authorization", b"").partition(b" ")[0]
        if scheme == older_signature.FC and path.startswith(_OLDER):
            return Proof(self._fc(request, headers), None)
        if scheme == older_signature.ACS and path.startswith(_ROA):
            return Proof(self._acs(request, headers), None)
        if scheme.lower() == _BEARER and path.startswith(_BY_TOKEN):
            return Proof(self._bearer(headers), None)
        if not scheme and path.startswith(_BY_URL) and b"x-fc-signature=" in request.query:
            return Proof(self._url(request, headers), None)
        if not scheme and path.startswith(_BY_SESSION) and name_in(headers.get(b"cookie")):
            return Proof(self._session(request, headers), None)
        return Proof(self._acs3(request, headers), headers[b"x-acs-content-sha256"].strip())

    def _acs3(self, request: Request, headers: Mapping[bytes, bytes]) -> AccessKey:
        credential = parse_authorization(headers)
        now_seconds = self._clock.now() / MICROSECONDS_PER_SECOND
        stamp = check_window(headers, now_seconds)
        key = self._catalog.key(credential.access_key_id)
        try:
            verify(
                credential,
                key.secret if key is not None else None,
                headers,
                method=request.method.encode(),
                raw_path=request.raw_path,
                query=request.query,
            )
        except SignatureMismatch:
            if key is None:
                raise UnknownAccessKey(credential.access_key_id) from None
            raise
        key = self._current(key, credential.access_key_id, headers.get(b"x-acs-security-token"))
        self._once(key, headers[b"x-acs-signature-nonce"], stamp, now_seconds)
        return key

    def _fc(self, request: Request, headers: Mapping[bytes, bytes]) -> AccessKey:
        older_signature.check_date(headers, self._clock.now() / MICROSECONDS_PER_SECOND)
        claim = older_signature.parse_fc(
            headers,
            method=request.method.encode(),
            path=request.raw_path,
            query=request.query,
            proxied=request.path.startswith(_PROXIED),
        )
        return self._claimed(claim, headers.get(b"x-fc-security-token"))

    def _acs(self, request: Request, headers: Mapping[bytes, bytes]) -> AccessKey:
        now_seconds = self._clock.now() / MICROSECONDS_PER_SECOND
        stamp = older_signature.check_date(headers, now_seconds)
        claim = older_signature.parse_acs(
            headers, method=request.method.encode(), path=request.raw_path, query=request.query
        )
        key = self._claimed(claim, headers.get(b"x-acs-security-token"))
        nonce = headers.get(b"x-acs-signature-nonce")
        if not nonce:
            raise MissingHeader("x-acs-signature-nonce")
        self._once(key, nonce, stamp, now_seconds)
        return key

    def _url(self, request: Request, headers: Mapping[bytes, bytes]) -> AccessKey:
        claim = older_signature.parse_url(
            headers,
            method=request.method.encode(),
            path=request.raw_path,
            query=request.query,
            now_seconds=self._clock.now() / MICROSECONDS_PER_SECOND,
        )
        token = dict(parse_qsl(request.query.decode("latin-1"))).get(older_signature.TOKEN)
        return self._claimed(claim, token.encode() if token else None)

    def _bearer(self, headers: Mapping[bytes, bytes]) -> AccessKey:
        return _as_key(self._tokens.resolve(headers[b"authorization"].partition(b" ")[2].strip().decode("latin-1")))

    def _session(self, request: Request, headers: Mapping[bytes, bytes]) -> AccessKey:
        """The token that a browser's session was opened with, as long as it counts."""
        self._hosts.check(headers, request.server)
        session = self._sessions.find(headers[b"cookie"])
        check_csrf(session, request.method, headers.get(CSRF_HEADER))
        try:
            return _as_key(self._tokens.counted(session.token.digest))
        except AccessTokenInvalid:
            raise SignInNeeded("the access token that this session was opened with counts no longer") from None

    def _claimed(self, claim: older_signature.Claim, token: bytes | None) -> AccessKey:
        key = self._catalog.key(claim.access_key_id)
        try:
            claim.check(key.secret if key is not None else None)
        except SignatureMismatch:
            if key is None:
                raise UnknownAccessKey(claim.access_key_id) from None
            raise
        return self._current(key, claim.access_key_id, token)

    def _current(self, key: AccessKey | None, access_key_id: str, token: bytes | None) -> AccessKey:
        """`key` when it is one, its time is not over, and its token came with it."""
        if key is None:
            raise UnknownAccessKey(access_key_id)
        if not hmac.compare_digest((token or b"").strip(), key.token.encode()):
            raise SecurityTokenInvalid("the security token is not that of the access key")
        if key.expires_at and key.expires_at <= self._clock.now():
            raise SecurityTokenExpired("the time of this access key is over, ask for another one")
        return key

    def _once(self, key: AccessKey, nonce: bytes, stamp: int, now_seconds: float) -> None:
        nonces = self._nonces.get(key.id)
        if nonces is None:
            for gone in [each for each in self._nonces if self._catalog.key(each) is None]:
                del self._nonces[gone]  # keys for a time come and go
            nonces = self._nonces[key.id] = Nonces()
        nonces.check(nonce, stamp, now_seconds)


def _as_key(token: AccessToken) -> AccessKey:
    """What stands for an access key when a request came with a token."""
    return AccessKey(
        id=token.id,
        secret="",
        account_id=token.account_id,
        created_at=token.created_at,
        expires_at=token.expires_at,
        scope=token.scope,
    )


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
