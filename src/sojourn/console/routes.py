"""What answers below `/console`: the page, its files, and signing in and out.

Every answer carries what keeps a browser strict: no script but the files of this console, no frame around it, no
guessing of types. The page is the same for everybody and holds nothing; all that is somebody's comes from the API, by
a session's cookie or not at all. Which Host and Origin are heard is `hosts`' to say, what a session is `sessions`'.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from sojourn.access import AccessToken
from sojourn.api import answer, errors
from sojourn.api.answer import Answer, Header
from sojourn.api.authentication import single_headers
from sojourn.api.backend import Backend
from sojourn.api.call import decode_object, only, read_body
from sojourn.api.request import Request
from sojourn.api.routing import Route
from sojourn.errors import AccessTokenInvalid, InvalidArgument, PathNotSupported, SojournError
from sojourn.refusals import SignInNeeded
from sojourn.sessions import COOKIE, CSRF_HEADER, Session, check_csrf
from sojourn.times import rfc3339
from sojourn.tokens import Tokens

from .assets import Asset, Assets

SIGN_IN_BYTES_MAX = 4096
PATH_CHARACTERS_MAX = 200
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
NOT_MODIFIED, METHOD_NOT_ALLOWED = 304, 405
POLICY = b"; ".join(
    (
        b"default-src 'none'",
        b"script-src 'self'",
        b"style-src 'self'",
        b"img-src 'self'",
        b"connect-src 'self'",
        b"base-uri 'none'",
        b"form-action 'none'",
        b"frame-ancestors 'none'",
        b"require-trusted-types-for 'script'",
        b"trusted-types 'none'",
    )
)
STRICT: tuple[Header, ...] = (
    (b"content-security-policy", POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
_KEPT = (b"cache-control", b"public, max-age=31536000, immutable")
_ASKED_AGAIN = (b"cache-control", b"no-cache")
_NOT_KEPT = (b"cache-control", b"no-store")
_VARIES = (b"vary", b"accept-encoding")


class Console:
    """All of `/console` as one endpoint."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @functools.cached_property
    def _assets(self) -> Assets:
        """Read with the first request, so that a server without visitors starts as quickly as before."""
        return Assets()

    async def __call__(self, request: Request) -> Answer:
        """Answer one request."""
        try:
            result = await self._answer(request)
        except SojournError as error:
            result = errors.of_error(error, request.request_id, problem=True, headers=(_NOT_KEPT,))
        return result._replace(headers=(*STRICT, *result.headers))

    async def _answer(self, request: Request) -> Answer:
        headers = single_headers(request.headers)
        self._backend.hosts.check(headers, request.server)
        path, method = request.path, request.method
        if path == "/console/session":
            return await self._session(request, headers)
        if method not in ("GET", "HEAD"):
            raise PathNotSupported(method, path[:PATH_CHARACTERS_MAX], METHOD_NOT_ALLOWED)
        if not path.startswith("/console/assets/"):
            return _sent(self._assets.page, headers, _ASKED_AGAIN)
        version, _, name = path.removeprefix("/console/assets/").partition("/")
        asset = self._assets.find(version, name)
        if asset is None:
            raise PathNotSupported(method, path[:PATH_CHARACTERS_MAX])
        return _sent(asset, headers, _KEPT)

    async def _session(self, request: Request, headers: Mapping[bytes, bytes]) -> Answer:
        sessions, cookies, method = self._backend.sessions, headers.get(b"cookie"), request.method
        if method == "POST":
            return await self._sign_in(request, headers)
        if method == "DELETE":
            check_csrf(sessions.find(cookies), method, headers.get(CSRF_HEADER))
            sessions.close(cookies)
            return answer.EMPTY._replace(headers=(_NOT_KEPT, _cookie("", 0, headers)))
        if method not in ("GET", "HEAD"):
            raise PathNotSupported(method, "/console/session", METHOD_NOT_ALLOWED)
        session = sessions.find(cookies)
        self._token(lambda tokens: tokens.counted(session.token.digest))
        return self._shown(session)

    async def _sign_in(self, request: Request, headers: Mapping[bytes, bytes]) -> Answer:
        body = decode_object(await read_body(headers, request, "the sign-in", SIGN_IN_BYTES_MAX, None))
        text = only(body, "token").get("token")
        if not isinstance(text, str) or not text:
            raise InvalidArgument("token", "" if text is None else "…", "must be the text of an access token")
        name, session = self._backend.sessions.open(self._token(lambda tokens: tokens.resolve(text)))
        shown = self._shown(session)
        seconds = (session.ends_at - session.used_at) // 1_000_000
        return shown._replace(headers=(*shown.headers, _cookie(name, seconds, headers)))

    def _token(self, find: Callable[[Tokens], AccessToken]) -> AccessToken:
        """The token that is found, or a request to sign in."""
        try:
            return find(self._backend.tokens)
        except AccessTokenInvalid:
            raise SignInNeeded("this is no access token of this server, or its time is over") from None

    def _shown(self, session: Session) -> Answer:
        account = self._backend.catalog.account(session.token.account_id)
        shown = answer.of_json(
            {
                "accountId": account.id,
                "owner": account.owner,
                "scope": session.token.scope.value,
                "csrfToken": session.csrf,
                "expiration": rfc3339(session.ends_at),
                "node": self._backend.settings.node,
                "region": self._backend.settings.region,
            }
        )
        return shown._replace(headers=(_NOT_KEPT,))


def routes(backend: Backend) -> list[Route]:
    """The routes; they take every method, so that what is refused is refused by the same rules."""
    console = Console(backend)
    return [Route(path, console, METHODS) for path in ("/console", "/console/{rest:path}")]


def _sent(asset: Asset, headers: Mapping[bytes, bytes], kept: Header) -> Answer:
    shared = (kept, _VARIES, (b"etag", asset.etag))
    if asset.etag in headers.get(b"if-none-match", b""):
        return Answer(NOT_MODIFIED, headers=shared)
    if b"gzip" in headers.get(b"accept-encoding", b""):
        return Answer(200, asset.gzipped, asset.content_type, (*shared, (b"content-encoding", b"gzip")))
    return Answer(200, asset.body, asset.content_type, shared)


def _cookie(name: str, seconds: int, headers: Mapping[bytes, bytes]) -> Header:
    """The cookie of a session; behind a TLS proxy, as the page's Origin tells, it never leaves TLS."""
    secure = "; Secure" if headers.get(b"origin", b"").startswith(b"https://") else ""
    text = f"{COOKIE}={name}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
    return (b"set-cookie", text.encode())
