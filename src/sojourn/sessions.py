"""Sessions: who has signed in with a browser, until when, and what a request must carry to act for them.

A session stands for the access token it was opened with and can do no more than that. Its name travels in a
cookie that scripts cannot read; what changes something needs a second secret, which only a page of this server can
have read. Both are kept in memory, the name as a digest: a restart signs everybody out. How a cookie is spelled on the
wire is here as well, because two doors read it: the console's and the API's.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from .access import AccessToken
from .clock import MICROSECONDS_PER_SECOND, Clock
from .refusals import CsrfTokenMissing, SignInNeeded

COOKIE = "sojourn_session"
CSRF_HEADER = b"x-sojourn-csrf"
IDLE_SECONDS_MAX = 2 * 60 * 60
SESSION_SECONDS_MAX = 12 * 60 * 60
SESSIONS_MAX = 100
"""Of one account at a time; one more ends its oldest."""
_BYTES = 32
_READS = frozenset({"GET", "HEAD"})


@dataclass(slots=True)
class Session:
    """One sign-in.

    `token` is what it was opened with, `csrf` its second secret. Times are microseconds since 1970: it is over at
    `ends_at`, and earlier when it was not used for a while (`used_at`).
    """

    token: AccessToken
    csrf: str
    ends_at: int
    used_at: int

    def over(self, now: int) -> bool:
        """Whether its time has passed."""
        return now >= min(self.ends_at, self.used_at + IDLE_SECONDS_MAX * MICROSECONDS_PER_SECOND)


class Sessions:
    """All sessions of this server; `clock` is that of real time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sessions: dict[bytes, Session] = {}

    def open(self, token: AccessToken) -> tuple[str, Session]:
        """A session of `token`, and the name that its cookie holds."""
        now = self._clock.now()
        for name in [name for name, session in self._sessions.items() if session.over(now)]:
            del self._sessions[name]
        own = [name for name, session in self._sessions.items() if session.token.account_id == token.account_id]
        for name in own[: max(len(own) - SESSIONS_MAX + 1, 0)]:
            del self._sessions[name]
        ends_at = now + SESSION_SECONDS_MAX * MICROSECONDS_PER_SECOND
        if token.expires_at:
            ends_at = min(ends_at, token.expires_at)
        session = Session(token, secrets.token_urlsafe(_BYTES), ends_at, now)
        name_text = secrets.token_urlsafe(_BYTES)
        self._sessions[_digest(name_text)] = session
        return name_text, session

    def find(self, cookies: bytes | None) -> Session:
        """The session that a Cookie header names; it counts as used.

        Raises
        ------
        SignInNeeded: there is none, or its time has passed.

        """
        digest, now = _digest(name_in(cookies)), self._clock.now()
        session = self._sessions.get(digest)
        if session is not None and session.over(now):
            del self._sessions[digest]
            session = None
        if session is None:
            raise SignInNeeded("sign in at /console: there is no such session, or its time has passed")
        session.used_at = now
        return session

    def close(self, cookies: bytes | None) -> None:
        """End the session that a Cookie header names; one that is none is ended already."""
        self._sessions.pop(_digest(name_in(cookies)), None)


def check_csrf(session: Session, method: str, given: bytes | None) -> None:
    """Let a request through that only reads, or that carries the session's second secret.

    Raises
    ------
    CsrfTokenMissing: it does neither.

    """
    if method not in _READS and not hmac.compare_digest(given or b"", session.csrf.encode()):
        raise CsrfTokenMissing(CSRF_HEADER.decode())


def name_in(cookies: bytes | None) -> str:
    """The name of a session in a Cookie header, "" for none."""
    try:
        found = SimpleCookie((cookies or b"").decode("latin-1")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found is not None else ""


def without_name(cookies: str) -> str:
    """A Cookie header without the name of a session, "" when nothing else is in it."""
    kept = [each.strip() for each in cookies.split(";")]
    return "; ".join(each for each in kept if each and not names_session(each))


def names_session(cookie: str) -> bool:
    """Whether a cookie, as it is given or set, is that of a session."""
    return cookie.partition("=")[0].strip() == COOKIE


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
