"""What belongs to functions, as typed values: services, versions, aliases, triggers, what is kept warm; and keys.

As in `model`: field names on the wire are the camel-case form of these, and every field but a name has a default.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS")


class _Answer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The common form of answers: immutable, by keyword, camel case on the wire."""


class Service(_Answer, frozen=True, kw_only=True, rename="camel"):
    """What holds functions together that are named `service$function`; times in RFC 3339."""

    service_name: str
    service_id: str = ""
    description: str = ""
    internet_access: bool = True
    created_time: str = ""
    last_modified_time: str = ""


class FunctionVersion(_Answer, frozen=True, kw_only=True, rename="camel"):
    """A published version, of a function or of a service."""

    version_id: str
    description: str = ""
    created_time: str = ""
    last_modified_time: str = ""


class Alias(_Answer, frozen=True, kw_only=True, rename="camel"):
    """A name for a version; `additional_version_weight` is the share of calls that another version gets."""

    alias_name: str
    version_id: str = ""
    description: str = ""
    additional_version_weight: dict[str, float] | None = None
    created_time: str = ""
    last_modified_time: str = ""


class TimerConfig(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """When a timer fires: `@every 5m`, or a cron expression of 6 fields, after `CRON_TZ=Area/City` if need be."""

    cron_expression: str
    payload: str = ""
    enable: bool = True


class HttpConfig(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who may reach a function at its address: with `function` who signs, with `anonymous` everybody."""

    auth_type: str = "function"
    methods: Sequence[str] = METHODS
    disable_url_internet: bool = msgspec.field(default=False, name="disableURLInternet")


class HttpAddress(_Answer, frozen=True, kw_only=True, rename="camel"):
    """Where an HTTP trigger is reached."""

    url_internet: str = ""
    url_intranet: str = ""


class Trigger(_Answer, frozen=True, kw_only=True, rename="camel"):
    """What makes a function run by itself: a timer, or a request at its address. `trigger_config` is JSON text."""

    trigger_name: str
    trigger_type: str = ""
    trigger_id: str = ""
    trigger_config: str = "{}"
    qualifier: str = "LATEST"
    description: str = ""
    target_arn: str = ""
    http_trigger: HttpAddress | None = None
    created_time: str = ""
    last_modified_time: str = ""

    @property
    def config(self) -> TimerConfig | HttpConfig:
        """The configuration decoded, by the type of the trigger."""
        if self.trigger_type == "timer":
            return msgspec.json.decode(self.trigger_config, type=TimerConfig)
        return msgspec.json.decode(self.trigger_config, type=HttpConfig)

    @property
    def url(self) -> str:
        """Its address, "" when it has none."""
        return self.http_trigger.url_internet if self.http_trigger else ""


class Provision(_Answer, frozen=True, kw_only=True, rename="camel"):
    """How many instances are provisioned, and how many of them are there."""

    function_arn: str = ""
    target: int = 0
    current: int = 0
    current_error: str = ""
    always_allocate_cpu: bool = msgspec.field(default=True, name="alwaysAllocateCPU")


class Scaling(_Answer, frozen=True, kw_only=True, rename="camel"):
    """How many instances there are at least, and how many there are."""

    function_arn: str = ""
    min_instances: int = 0
    target_instances: int = 0
    current_instances: int = 0
    current_error: str = ""


class Code(_Answer, frozen=True, kw_only=True, rename="camel"):
    """Where the archive of a function can be had for some minutes, and its CRC-64."""

    url: str
    checksum: str = ""


class TemporaryKey(_Answer, frozen=True, kw_only=True, rename="camel"):
    """A key pair for a time; secret and token are shown this once, and the token goes along with every request."""

    access_key_id: str
    access_key_secret: str
    security_token: str
    expiration: str = ""


class AccessToken(_Answer, frozen=True, kw_only=True, rename="camel"):
    """A bearer token of the account, without its text; `expiration` is None for one without an end."""

    id: str
    name: str = ""
    scope: str = ""
    created_time: str = ""
    expiration: str | None = None


class NewToken(AccessToken, frozen=True, kw_only=True, rename="camel"):
    """An access token whose text, `token`, is shown this once."""

    token: str = ""
