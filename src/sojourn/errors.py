"""Every error Sojourn raises on purpose, below one root.

What the caller did wrong is one of these, with a stable `code` (the wire's error code) and `status` (the HTTP status
it becomes). What a user's function did is never an error here: that is an outcome, see `task.judge`. This file decides
names, codes and messages; how they are put on the wire is left to `api`.
"""

from __future__ import annotations


class SojournError(Exception):
    """Something in Sojourn went wrong."""

    code = "InternalServerError"
    status = 500

    @property
    def message(self) -> str:
        """The sentence shown to the caller."""
        return str(self) or (type(self).__doc__ or "").strip()


class InvalidArgument(SojournError):
    """An argument is outside its bounds.

    Parameters
    ----------
    field: the name of the field as the caller spelled it (`memorySize`, `x-fc-async-delay`).
    value: what was given; shown shortened.
    bound: the rule in words, such as `must be between 1 and 86400 seconds`.

    """

    code = "InvalidArgument"
    status = 400
    shown_characters_max = 80

    def __init__(self, field: str, value: object, bound: str) -> None:
        self.field, self.value, self.bound = field, value, bound
        try:
            shown = repr(value[: self.shown_characters_max + 1] if isinstance(value, str | bytes) else value)
        except RecursionError:
            shown = "something that is nested too deeply to be shown"
        if len(shown) > self.shown_characters_max:
            shown = shown[: self.shown_characters_max] + "…"
        self.shown = shown
        super().__init__(f"{field} {bound}, got {shown}")


class MissingHeader(SojournError):
    """A required HTTP header is missing."""

    code = "MissingRequiredHeader"
    status = 400

    def __init__(self, header: str) -> None:
        self.header = header
        super().__init__(f"required HTTP header {header} was not specified")


class PathNotSupported(SojournError):
    """No operation answers at this path."""

    code = "PathNotSupported"
    status = 404

    def __init__(self, method: str, path: str, status: int = 404) -> None:
        self.status = status
        super().__init__(f"'{method}' against '{path}' is not supported")


class PayloadTooLarge(SojournError):
    """A body is over its limit."""

    code = "EntityTooLarge"
    status = 400

    def __init__(self, what: str, size_bytes: int, limit_bytes: int) -> None:
        self.what, self.size_bytes, self.limit_bytes = what, size_bytes, limit_bytes
        super().__init__(
            f"payload size exceeds maximum allowed size ({limit_bytes} bytes): {what} has {size_bytes} bytes"
        )


class AccessDenied(SojournError):
    """The account may not do this."""

    code = "AccessDenied"
    status = 403


class SignatureMismatch(AccessDenied):
    """The request signature does not match."""

    code = "SignatureNotMatch"

    def __init__(self, why: str = "") -> None:
        text = (
            "The request signature we calculated does not match the signature you provided. "
            "Check your access key and signing method"
        )
        super().__init__(f"{text}: {why}" if why else text)


class SecurityTokenInvalid(AccessDenied):
    """A key for a time needs its token, and another key has none."""

    code = "SecurityTokenInvalid"


class SecurityTokenExpired(AccessDenied):
    """The time of a key is over."""

    code = "SecurityTokenExpired"


class UnknownAccessKey(AccessDenied):
    """No account holds this access key."""

    code = "InvalidAccessKeyID"

    def __init__(self, access_key_id: str) -> None:
        super().__init__(f"invalid access key ID '{access_key_id[:64]}'")


class AccessTokenInvalid(AccessDenied):
    """No account has this access token, or it was revoked."""

    code = "InvalidAccessToken"


class ScopeTooSmall(AccessDenied):
    """The access token does not reach so far."""

    code = "InsufficientScope"

    def __init__(self, needed: str, held: str) -> None:
        super().__init__(f"this needs an access token with the scope '{needed}', the one that was sent has '{held}'")


class NotFound(SojournError):
    """There is no such thing."""

    status = 404


class FunctionNotFound(NotFound):
    """The function does not exist."""

    code = "FunctionNotFound"

    def __init__(self, name: str) -> None:
        super().__init__(f"{named(name)} does not exist{within(name)}")


class QualifierNotFound(NotFound):
    """The function has no such version or alias."""

    code = "VersionNotFound"

    def __init__(self, function: str, qualifier: str) -> None:
        super().__init__(f"version or alias '{qualifier}' of function '{function}' does not exist")


class TaskNotFound(NotFound):
    """The task does not exist."""

    code = "AsyncTaskNotFound"

    def __init__(self, name: str) -> None:
        super().__init__(f"async task '{name}' does not exist")


class DeliveryNotFound(NotFound):
    """The task sends no record anywhere."""

    code = "DeliveryNotFound"

    def __init__(self, name: str) -> None:
        super().__init__(f"async task '{name}' is not over, or had no destination when it ended")


class AsyncConfigNotFound(NotFound):
    """The function has no asynchronous invocation configuration."""

    code = "AsyncConfigNotExists"

    def __init__(self, function: str) -> None:
        super().__init__(f"function '{function}' has no async invoke config")


class ConcurrencyConfigNotFound(NotFound):
    """The function has no concurrency configuration."""

    code = "ConcurrencyConfigNotExists"

    def __init__(self, function: str) -> None:
        super().__init__(f"function '{function}' has no concurrency config")


class ProvisionConfigNotFound(NotFound):
    """The function has no provision configuration."""

    code = "ProvisionConfigNotExists"

    def __init__(self, function: str) -> None:
        super().__init__(f"function '{function}' has no provision config")


class ScalingConfigNotFound(NotFound):
    """The function has no scaling configuration."""

    code = "ScalingConfigNotExists"

    def __init__(self, function: str) -> None:
        super().__init__(f"function '{function}' has no scaling config")


class InstanceNotFound(NotFound):
    """The instance does not exist, or is forgotten."""

    code = "InstanceNotFound"

    def __init__(self, name: str) -> None:
        super().__init__(f"instance '{name}' does not exist")


class AccountNotFound(NotFound):
    """The account does not exist."""

    code = "AccountNotFound"

    def __init__(self, name: str) -> None:
        super().__init__(f"account '{name}' does not exist")


class AccessTokenNotFound(NotFound):
    """The account has no such access token."""

    code = "AccessTokenNotFound"

    def __init__(self, token_id: str) -> None:
        super().__init__(f"access token '{token_id}' does not exist")


class Conflict(SojournError):
    """The thing is already there, or was changed meanwhile."""

    status = 409
    code = "ConcurrentUpdateError"


class FunctionAlreadyExists(Conflict):
    """A function of this name exists."""

    code = "FunctionAlreadyExists"

    def __init__(self, name: str) -> None:
        super().__init__(f"{named(name)} already exists{within(name)}")


class TaskAlreadyExists(Conflict):
    """A task with this id exists; the earlier submit had succeeded."""

    code = "AsyncTaskAlreadyExists"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"async task '{name}' already exists")


class AccountAlreadyExists(Conflict):
    """An account with this id exists."""

    code = "AccountAlreadyExists"

    def __init__(self, name: str) -> None:
        super().__init__(f"account '{name}' already exists")


class TaskAlreadyCompleted(SojournError):
    """The task is over; stopping it changes nothing."""

    code = "AsyncTaskAlreadyCompleted"
    status = 412

    def __init__(self, name: str, status: str) -> None:
        self.task_status = status
        super().__init__(f"async task '{name}' is already completed with status {status}")


class ResourceExhausted(SojournError):
    """A limit is reached; come back later."""

    code = "ResourceExhausted"
    status = 429

    def __init__(self, what: str, retry_after_seconds: int = 1) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(what)


class ServiceUnavailable(SojournError):
    """The server is starting, draining, or cannot reach its store."""

    code = "ServiceUnavailable"
    status = 503

    def __init__(self, what: str, retry_after_seconds: int = 1) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(what)


class IllegalFact(SojournError):
    """A fact does not apply to this status: the table has no such row."""

    def __init__(self, status: object, fact: object) -> None:
        self.status_was, self.fact = status, fact
        super().__init__(f"no transition from {status} on {type(fact).__name__}")


class StoreFailed(SojournError):
    """The store could not make a change durable."""

    code = "ServiceUnavailable"
    status = 503
    retry_after_seconds = 1


class SchemaTooNew(SojournError):
    """The data was written by a newer Sojourn."""

    def __init__(self, found: int, known: int) -> None:
        self.found, self.known = found, known
        super().__init__(
            f"the data directory has schema {found}, this version knows up to {known}: start the newer version, "
            "or restore a backup made before the upgrade"
        )


class DataDirectoryLocked(SojournError):
    """Another server works on this data directory."""

    def __init__(self, path: str) -> None:
        super().__init__(f"another server holds the data directory {path}: stop it first, or choose another --data-dir")


class SandboxUnavailable(SojournError):
    """No sandbox can be started here."""


class InstanceStartFailed(SojournError):
    """An instance could not be created.

    Parameters
    ----------
    cause: a short code such as `SandboxLost`, `CodeMissing`, `RuntimeMissing`, `HealthCheckFailed`.
    lost: True when the sandbox or agent went away, which is ours to retry; False when creating it cannot work.

    """

    code = "FunctionNotStarted"
    status = 412

    def __init__(self, cause: str, message: str, *, lost: bool = False) -> None:
        self.cause, self.lost = cause, lost
        super().__init__(message)


def named(function: str) -> str:
    """A function as messages call it, by its name within its service."""
    return f"function '{function.rpartition('$')[2]}'"


def within(function: str) -> str:
    """Where it is, when it is in a service."""
    service = function.rpartition("$")[0]
    return f" in service '{service}'" if service else ""
