"""Access tokens in the native API: making one, whose text is shown this once, listing and revoking them."""

from __future__ import annotations

from sojourn.access import AccessToken, Scope
from sojourn.api import answer
from sojourn.api.answer import Answer
from sojourn.api.call import Call, only
from sojourn.api.operation import Handler
from sojourn.errors import AccessDenied, InvalidArgument
from sojourn.function import check_integer
from sojourn.times import rfc3339
from sojourn.tokens import SECONDS_BOUNDS

CREATED = 201
_SCOPES = {scope.value: scope for scope in Scope}


async def create(call: Call) -> Answer:
    """Make an access token of the caller's account; its text is shown this once."""
    body = only(call.json(), "scope", "name", "expiresInSeconds")
    wanted, name, seconds = body.get("scope"), body.get("name"), body.get("expiresInSeconds")
    scope = _SCOPES.get(wanted) if isinstance(wanted, str) else None
    if scope is None:
        raise InvalidArgument("scope", wanted, f"must be one of {', '.join(_SCOPES)}")
    if not isinstance(name, str | None):
        raise InvalidArgument("name", name, "must be text")
    if call.key.expires_at:
        raise AccessDenied("a key or a token for a time cannot make an access token")
    bounded = None if seconds is None else check_integer("expiresInSeconds", seconds, SECONDS_BOUNDS, "seconds")
    token, text = await call.backend.tokens.create(call.account_id, scope, name=name or "", seconds=bounded)
    return answer.of_json({**token_object(token), "token": text}, CREATED)


async def page(call: Call) -> Answer:
    """The access tokens of the caller's account, oldest first, without their texts."""
    return answer.of_json({"tokens": [token_object(each) for each in call.backend.tokens.of(call.account_id)]})


async def revoke(call: Call) -> Answer:
    """Revoke an access token: it is refused from now on."""
    await call.backend.tokens.revoke(call.account_id, call.path["token"])
    return answer.EMPTY


def token_object(token: AccessToken) -> dict[str, object]:
    """A token as callers see it; one without an end has no `expiration`."""
    return {
        "id": token.id,
        "name": token.name,
        "scope": token.scope.value,
        "createdTime": rfc3339(token.created_at),
        "expiration": rfc3339(token.expires_at) if token.expires_at else None,
    }


OPERATIONS: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/v1/tokens", create),
    ("GET", "/v1/tokens", page),
    ("DELETE", "/v1/tokens/{token}", revoke),
)
