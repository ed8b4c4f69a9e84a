"""Accounts, keys for a time, what keeps accounts apart, and whether every promise held."""

from __future__ import annotations

from sojourn.accounts import TEMPORARY_SECONDS_BOUNDS, TEMPORARY_SECONDS_DEFAULT
from sojourn.api import answer
from sojourn.api.answer import Answer
from sojourn.api.call import Call, only
from sojourn.api.operation import Handler
from sojourn.errors import AccessDenied
from sojourn.function import check_account_id, check_integer
from sojourn.times import rfc3339


async def create_account(call: Call) -> Answer:
    """Create an account with a key pair, whose secret is shown this once."""
    _owner_only(call)
    account_id = check_account_id(only(call.json(), "accountId").get("accountId"))
    key = await call.backend.catalog.create_account(account_id)
    return answer.of_json(
        {"accountId": key.account_id, "accessKeyId": key.id, "accessKeySecret": key.secret}, status=201
    )


async def page_accounts(call: Call) -> Answer:
    """All accounts, oldest first."""
    _owner_only(call)
    accounts = [
        {"accountId": account.id, "owner": account.owner, "createdTime": rfc3339(account.created_at)}
        for account in call.backend.catalog.accounts()
    ]
    return answer.of_json({"accounts": accounts})


async def create_credentials(call: Call) -> Answer:
    """Create a key pair for a time, as STS does; its secret and its token are shown this once."""
    seconds = only(call.json(), "durationSeconds").get("durationSeconds")
    if seconds is None:
        seconds = TEMPORARY_SECONDS_DEFAULT
    if call.key.expires_at:
        raise AccessDenied("a key for a time cannot make another one")
    bounded = check_integer("durationSeconds", seconds, TEMPORARY_SECONDS_BOUNDS, "seconds")
    key = await call.backend.catalog.create_temporary_key(call.account_id, bounded)
    return answer.of_json(
        {
            "accessKeyId": key.id,
            "accessKeySecret": key.secret,
            "securityToken": key.token,
            "expiration": rfc3339(key.expires_at),
        },
        status=201,
    )


async def get_isolation(call: Call) -> Answer:
    """What keeps accounts apart on this server."""
    isolation, settings = call.backend.isolation, call.backend.settings
    owner = call.backend.catalog.account(call.account_id).owner
    return answer.of_json(
        {
            "driver": isolation.driver,
            "level": isolation.level,
            "text": isolation.text,
            "limits": isolation.limits,
            "multiAccount": isolation.multi_account,
            "network": settings.network if owner else settings.network_others,
        }
    )


async def get_integrity(call: Call) -> Answer:
    """Whether everything that the store holds could have come about without a broken promise."""
    _owner_only(call, "see the state of the store")
    report = await call.backend.auditor.audit()
    return answer.of_json(
        {
            "invariantViolations": report.violations_count,
            "violations": [str(violation) for violation in report.violations],
            "tasks": report.tasks,
            "events": report.events,
            "functions": report.functions,
        }
    )


def _owner_only(call: Call, what: str = "manage accounts") -> None:
    if not call.backend.catalog.account(call.account_id).owner:
        raise AccessDenied(f"only the account that operates this server may {what}")


OPERATIONS: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/v1/accounts", create_account),
    ("GET", "/v1/accounts", page_accounts),
    ("POST", "/v1/credentials", create_credentials),
    ("GET", "/v1/isolation", get_isolation),
    ("GET", "/v1/integrity", get_integrity),
)
