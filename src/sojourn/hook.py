"""The lifecycle hooks: the rules of each, as one table.

Pure. `configuration` takes names and bounds from here, `pool` and `attempt` the passages and what a failure means, the
docs print it (`docs/diagrams.py`) and `tests/test_hook.py` has a test for each row. How a hook is called is the
sandbox's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from .function import (
    HOOK_SECONDS_DEFAULT,
    INITIALIZER_SECONDS_BOUNDS,
    PRE_FREEZE_SECONDS_BOUNDS,
    PRE_STOP_SECONDS_BOUNDS,
)
from .instance import Status


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for one hook.

    `attribute` is its name in `function.Lifecycle`, `passage` the status in which it runs, `seconds` the bounds of its
    timeout and `seconds_default` what holds when none is given. `own_request_id` says whether it runs under a request
    id of its own, or that of the invocation that caused the start. `blocks` says whether a failure or a timeout keeps
    the instance from what follows. The rest is for people.
    """

    name: str
    attribute: str
    passage: Status
    seconds: tuple[int, int]
    seconds_default: int
    own_request_id: bool
    blocks: bool
    called: str
    once_per: str
    on_failure: str
    on_timeout: str


INITIALIZER, PRE_FREEZE, PRE_STOP = "initializer", "preFreeze", "preStop"

HOOKS: Mapping[str, Rule] = MappingProxyType(
    {
        INITIALIZER: Rule(
            name=INITIALIZER,
            attribute="initializer",
            passage=Status.INITIALIZING,
            seconds=INITIALIZER_SECONDS_BOUNDS,
            seconds_default=HOOK_SECONDS_DEFAULT,
            own_request_id=False,
            blocks=True,
            called="after the process is up, before the first handler; the task is Running already",
            once_per="instance",
            on_failure="the attempt fails with InitializationError; the instance is destroyed without PreStop",
            on_timeout="as a failure",
        ),
        PRE_FREEZE: Rule(
            name=PRE_FREEZE,
            attribute="pre_freeze",
            passage=Status.FREEZING,
            seconds=PRE_FREEZE_SECONDS_BOUNDS,
            seconds_default=HOOK_SECONDS_DEFAULT,
            own_request_id=True,
            blocks=False,
            called="before every freeze, after the last invocation in flight",
            once_per="freeze",
            on_failure="the freeze goes ahead; an event of the instance tells",
            on_timeout="as a failure; then the instance goes through PreStop, since the hook is still in there",
        ),
        PRE_STOP: Rule(
            name=PRE_STOP,
            attribute="pre_stop",
            passage=Status.STOPPING,
            seconds=PRE_STOP_SECONDS_BOUNDS,
            seconds_default=HOOK_SECONDS_DEFAULT,
            own_request_id=True,
            blocks=False,
            called="before an initialized instance is destroyed, whatever the reason, also while it is busy; "
            "a frozen one is thawed first; not after a crash",
            once_per="instance",
            on_failure="the stop goes ahead; the evidence of the stop tells",
            on_timeout="as a failure",
        ),
    }
)


def table() -> str:
    """The rules as a Markdown table, for the docs."""
    heads = ("hook", "runs in", "timeout", "default", "once per", "called", "request id", "on failure", "on timeout")
    lines = ["|".join(("", *heads, "")), "|".join(("", *("--" for _ in heads), ""))]
    for rule in HOOKS.values():
        low, high = rule.seconds
        cells = (
            rule.name,
            rule.passage.value,
            f"{low} to {high} s",
            f"{rule.seconds_default} s",
            rule.once_per,
            rule.called,
            "its own" if rule.own_request_id else "that of the invocation that caused the start",
            rule.on_failure,
            rule.on_timeout,
        )
        lines.append("|".join(("", *cells, "")))
    return "\n".join(lines) + "\n"
