"""A visitor: what a browser sends for a page of the console, without the browser."""

from __future__ import annotations

from typing import Any, Self

import httpx

CSRF = "x-sojourn-csrf"
READS = ("GET", "HEAD")
WRITES = ("POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Visitor:
    """Keeps the cookie and the second secret of a session, and sends both with every request unless told otherwise."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, trust_env=False, timeout=30)
        self.csrf = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def sign_in(self, token: str) -> httpx.Response:
        """Sign in as the form does."""
        reply = self.http.post("/console/session", json={"token": token}, headers={"origin": self.url})
        if reply.status_code == httpx.codes.OK:
            self.csrf = reply.json()["csrfToken"]
        return reply

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request as a page of the console does."""
        headers = {"origin": self.url, CSRF: self.csrf} | options.pop("headers", {})
        given = {name: value for name, value in headers.items() if value}
        return self.http.request(method, path, headers=given, **options)
