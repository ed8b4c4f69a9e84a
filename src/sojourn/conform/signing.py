"""The two signatures of the three generations, from the caller's side."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from email.utils import formatdate
from urllib.parse import parse_qsl, unquote

from sojourn import signature

from .wire import Key, Request


def acs3(version: str, request: Request, key: Key, now_seconds: float) -> None:
    """ACS3-HMAC-SHA256 over all headers, as the official Python clients do it."""
    headers = {**request.headers, "x-acs-action": request.action, "x-acs-version": version}
    request.headers = signature.sign(
        request.method,
        request.path,
        request.query,
        headers,
        body_sha256=hashlib.sha256(request.body).hexdigest(),
        access_key_id=key.id,
        access_key_secret=key.secret,
        now_seconds=now_seconds,
        nonce=secrets.token_hex(16),
    )


def fc(request: Request, key: Key, now_seconds: float, *, proxied: bool = False) -> None:
    """`FC key:signature` over method, type, date, `x-fc-*` headers and the unescaped path.

    Parameters
    ----------
    request, key, now_seconds: what is signed, by whom, when.
    proxied: whether it goes to an HTTP trigger, whose query is signed.

    """
    request.headers["date"] = formatdate(now_seconds, usegmt=True)
    resource = unquote(request.path)
    if proxied:
        pairs = parse_qsl(request.query, keep_blank_values=True)
        resource += "\n" + "\n".join(sorted(f"{name}={value}" for name, value in pairs))
    own = [f"{name}:{request.headers[name]}\n" for name in sorted(request.headers) if name.startswith("x-fc-")]
    head = [request.method, *(request.headers.get(name, "") for name in ("content-md5", "content-type", "date"))]
    text = "\n".join(head) + "\n" + "".join(own) + resource
    digest = hmac.new(key.secret.encode(), text.encode(), "sha256").digest()
    request.headers["authorization"] = f"FC {key.id}:{base64.b64encode(digest).decode()}"
