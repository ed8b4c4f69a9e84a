"""Errors about services, versions, aliases, triggers and switches: what is there, what is not, what holds another.

As all errors below `errors.SojournError`, each with a stable code and a status.
"""

from __future__ import annotations

from .errors import AccessDenied, Conflict, NotFound, SojournError, named


class ServiceNotFound(NotFound):
    """The service does not exist."""

    code = "ServiceNotFound"

    def __init__(self, name: str) -> None:
        super().__init__(f"service '{name}' does not exist")


class AliasNotFound(NotFound):
    """The function or service has no such alias."""

    code = "AliasNotFound"

    def __init__(self, owner: str, name: str) -> None:
        super().__init__(f"alias '{name}' of '{owner}' does not exist")


class TriggerNotFound(NotFound):
    """The function has no such trigger."""

    code = "TriggerNotFound"

    def __init__(self, function: str, name: str) -> None:
        super().__init__(f"trigger '{name}' does not exist in {named(function)}")


class ServiceAlreadyExists(Conflict):
    """A service of this name exists."""

    code = "ServiceAlreadyExists"

    def __init__(self, name: str) -> None:
        super().__init__(f"service '{name}' already exists")


class AliasAlreadyExists(Conflict):
    """An alias of this name exists."""

    code = "AliasAlreadyExists"

    def __init__(self, owner: str, name: str) -> None:
        super().__init__(f"alias '{name}' of '{owner}' already exists")


class TriggerAlreadyExists(Conflict):
    """A trigger of this name exists."""

    code = "TriggerAlreadyExists"

    def __init__(self, function: str, name: str) -> None:
        super().__init__(f"trigger '{name}' already exists in {named(function)}")


class VersionInUse(Conflict):
    """An alias names the version."""

    code = "VersionInUse"

    def __init__(self, version: str, alias: str) -> None:
        super().__init__(f"version {version} cannot be deleted while alias '{alias}' names it")


class ServiceNotEmpty(Conflict):
    """The service has functions, or versions and aliases."""

    code = "ServiceNotEmpty"

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"service '{name}' cannot be deleted while it has {what}")


class FunctionNotEmpty(Conflict):
    """The function has triggers."""

    code = "FunctionNotEmpty"

    def __init__(self, name: str, trigger: str) -> None:
        super().__init__(f"{named(name)} cannot be deleted while it has triggers, such as '{trigger}'")


class PreconditionFailed(SojournError):
    """The resource being modified has been changed."""

    code = "PreconditionFailed"
    status = 412


class FunctionDisabled(SojournError):
    """The function takes no invocations."""

    code = "FunctionInvocationDisabled"
    status = 403

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"invocations of {named(name)} are disabled{': ' + reason if reason else ''}")


class SignInNeeded(AccessDenied):
    """A browser has to sign in first."""

    code = "SignInNeeded"
    status = 401


class CsrfTokenMissing(AccessDenied):
    """A browser's request changes something, and does not show that a page of this console sent it."""

    code = "CsrfTokenMissing"

    def __init__(self, header: str) -> None:
        super().__init__(f"a change that is made with a session needs its token in the header {header}")


class HostNotAllowed(AccessDenied):
    """The console is not reached under this name, or not from this page."""

    code = "HostNotAllowed"

    def __init__(self, header: str, value: str) -> None:
        super().__init__(
            f"the console does not answer to {header} {value[:100]!r}; the operator allows names by "
            "SOJOURN_CONSOLE_HOSTS"
        )


class OperationNotFound(NotFound):
    """The account has no such operation."""

    code = "OperationNotFound"

    def __init__(self, name: str) -> None:
        super().__init__(f"operation '{name}' does not exist")


class OperationOver(SojournError):
    """The operation does nothing any more, so that it cannot be cancelled."""

    code = "OperationAlreadyCompleted"
    status = 412

    def __init__(self, name: str, status: str) -> None:
        super().__init__(f"operation '{name}' is already completed with status {status}")


class TaskNotOver(SojournError):
    """The task is not over, so that it cannot be repeated."""

    code = "AsyncTaskNotCompleted"
    status = 412

    def __init__(self, name: str, status: str) -> None:
        super().__init__(f"async task '{name}' is {status}: only a task that is over can be run again, stop it first")


class TaskNotRunning(SojournError):
    """The task does not run, so that it has nothing to report."""

    code = "AsyncTaskNotRunning"
    status = 412

    def __init__(self, name: str, status: str) -> None:
        super().__init__(f"async task '{name}' is {status}: only a task that is Running reports progress")
