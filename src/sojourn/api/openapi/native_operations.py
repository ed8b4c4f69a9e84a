"""What each command of the native API is called, takes, gives and refuses with."""

from __future__ import annotations

from sojourn.api import instances, tasklogs
from sojourn.api.commands import functions
from sojourn.api.operation import Handler
from sojourn.api.v1 import (
    audit,
    deliveries,
    explain,
    operations,
    own,
    progress,
    queue_control,
    statistics,
    steering,
    submission,
    tasks,
    tokens,
    watch,
)

from . import parameters
from .operations import CHANGED, FOUND, GONE, LINES, OK, Described

_BEGUN = {OK: "DryRun", 202: "Operation"}
_BULK = (404, 429)


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
        steering.stop: Described("StopTask", {202: "Stopped"}, (404, 412), body="StopInput"),
        steering.edit: Described("EditTask", {OK: "FoundTask"}, (404, 412), body="EditInput"),
        steering.rerun: Described("RerunTask", {202: "Rerun"}, (404, 409, 412, 429), body="RerunInput"),
        queue_control.pause: Described("PauseQueue", {OK: "Queue"}, CHANGED, body="NoInput"),
        queue_control.resume: Described("ResumeQueue", {OK: "Queue"}, CHANGED, body="NoInput"),
        progress.get: Described("GetProgress", {OK: "Progress"}, FOUND),
        progress.report: Described("ReportProgress", {202: "Progress"}, (404, 412), body="ReportInput"),
        operations.stop: Described("StopTasks", _BEGUN, _BULK, body="BulkInput"),
        operations.rerun: Described("RerunTasks", _BEGUN, _BULK, body="BulkInput"),
        operations.expire: Described("ExpireTasks", _BEGUN, _BULK, body="BulkInput"),
        operations.delete: Described("DeleteTasks", _BEGUN, _BULK, body="BulkInput"),
        operations.page: Described("ListOperations", {OK: "Operations"}),
        operations.get: Described("GetOperation", {OK: "Operation"}, FOUND),
        operations.cancel: Described("CancelOperation", {OK: "Operation"}, (404, 412)),
        deliveries.rotate_secret: Described("RotateWebhookSecret", {OK: "WebhookSecret"}),
        submission.submit: Described("SubmitTask", {202: "SubmittedTask"}, (*CHANGED, 429), body="SubmitTaskInput"),
        submission.submit_batch: Described("SubmitTasks", {OK: "SubmittedTasks"}, (*FOUND, 429), body=LINES),
        tokens.create: Described("CreateToken", {201: "NewToken"}, (429,), body="CreateTokenInput"),
        tokens.page: Described("ListTokens", {OK: "Tokens"}),
        tokens.revoke: Described("RevokeToken", GONE, FOUND),
        tasks.page: Described("FindTasks", {OK: "TaskPage"}, FOUND, parameters.find_tasks()),
        tasks.get: Described("GetTask", {OK: "Task"}, FOUND),
        explain.explain: Described("ExplainTask", {OK: "Explanation"}, FOUND),
        statistics.get: Described("GetStatistics", {OK: "Statistics"}, FOUND, parameters.STATISTICS),
        statistics.nodes: Described("ListNodes", {OK: "Nodes"}),
        audit.page: Described("ListAudit", {OK: "AuditPage"}, FOUND, (*parameters.PAGE, parameters.query("account"))),
        tasks.events: Described("GetTaskEvents", {OK: "TaskEvents"}, FOUND),
        watch.watch: Described("Watch", {OK: "text/event-stream"}, (404, 429), parameters.WATCH),
    }
