"""What each command of the native API is called, takes, gives and refuses with."""

from __future__ import annotations

from sojourn.api import instances, tasklogs
from sojourn.api.commands import functions
from sojourn.api.operation import Handler
from sojourn.api.v1 import deliveries, own, tokens, watch

from . import parameters
from .operations import CHANGED, FOUND, GONE, OK, Described


def native() -> dict[Handler, Described]:
    """The operations of the native API."""
    return {
        own.create_account: Described("CreateAccount", {201: "Key"}, (409,), body="CreateAccountInput"),
        own.page_accounts: Described("ListAccounts", {OK: "Accounts"}),
        own.create_credentials: Described(
            "CreateCredentials", {201: "TemporaryKey"}, (429,), body="CreateCredentialsInput"
        ),
        functions.download: Described("GetCode", {OK: "application/zip"}, FOUND),
        tasklogs.get_logs: Described("GetTaskLogs", {OK: "Logs text/plain"}, (404, 429), parameters.LOGS),
        own.get_isolation: Described("GetIsolation", {OK: "Isolation"}),
        own.get_integrity: Described("GetIntegrity", {OK: "Integrity"}),
        instances.page: Described("ListInstances", {OK: "Instances"}, FOUND, (parameters.query("function"),)),
        instances.get: Described("GetInstance", {OK: "Instance"}, FOUND),
        instances.events: Described("GetInstanceEvents", {OK: "InstanceEvents"}, FOUND),
        deliveries.get_deliveries: Described("GetDeliveries", {OK: "Deliveries"}, FOUND),
        deliveries.resend: Described("ResendDelivery", {202: "Delivery"}, CHANGED),
        deliveries.get_secret: Described("GetWebhookSecret", {OK: "WebhookSecret"}),
        deliveries.rotate_secret: Described("RotateWebhookSecret", {OK: "WebhookSecret"}),
        tokens.create: Described("CreateToken", {201: "NewToken"}, (429,), body="CreateTokenInput"),
        tokens.page: Described("ListTokens", {OK: "Tokens"}),
        tokens.revoke: Described("RevokeToken", GONE, FOUND),
        watch.watch: Described("Watch", {OK: "text/event-stream"}, (404, 429), parameters.WATCH),
    }
