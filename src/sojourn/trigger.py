"""Triggers: what makes a function run without anybody calling it by its name: a clock, or a request at its own address.

Pure. A timer's next firing stands in its row, so that it survives a restart. What a request may make of a trigger, and
when a timer fires, is `triggering`'s; what a firing does, and how HTTP reaches a function, is left to `timers` and
`api`.
"""

from __future__ import annotations

import re

import msgspec

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")
TIMER, HTTP = "timer", "http"
ANONYMOUS, FUNCTION = "anonymous", "function"
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS")
PAYLOAD_CHARACTERS_MAX = 64 * 1024


class Timer(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=False):
    """The configuration of a timer (FC: timeTriggerConfig)."""

    cron_expression: str
    payload: str = ""
    enable: bool = True


class Http(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=False):
    """The configuration of an address (FC: httpTriggerConfig)."""

    auth_type: str = FUNCTION
    methods: list[str] = msgspec.field(default_factory=lambda: list(METHODS))
    disable_url_internet: bool = msgspec.field(default=False, name="disableURLInternet")


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger as it is stored; writes are compare-and-set on `epoch`. Times are microseconds since 1970.

    `config` is the JSON text of a `Timer` or an `Http`. `next_at` is when a timer fires next, 0 for never.
    """

    function_id: int
    name: str
    type: str
    config: str
    epoch: int = 1
    id: str = ""
    qualifier: str = ""
    description: str = ""
    next_at: int = 0
    created_at: int = 0
    modified_at: int = 0

    @property
    def timer(self) -> Timer:
        """Its configuration, when it is a timer."""
        return _decode_timer(self.config)

    @property
    def http(self) -> Http:
        """Its configuration, when it is an address."""
        return _decode_http(self.config)


_decode_timer = msgspec.json.Decoder(Timer).decode
_decode_http = msgspec.json.Decoder(Http).decode
