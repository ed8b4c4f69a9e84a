"""All checks, by what they are about."""

from __future__ import annotations

from types import ModuleType

from sojourn.conform.check import Check, Group

from . import (
    ages,
    answers,
    concurrency,
    configurations,
    delays,
    destinations,
    functions,
    histories,
    instances,
    invocations,
    lists,
    records,
    retries,
    services,
    settings,
    signatures,
    stops,
    submits,
    triggers,
    versions,
)

MODULES: tuple[ModuleType, ...] = (
    retries,
    ages,
    destinations,
    concurrency,
    delays,
    stops,
    instances,
    versions,
    settings,
    triggers,
    submits,
    records,
    histories,
    lists,
    configurations,
    signatures,
    answers,
    services,
    functions,
    invocations,
)
"""Those whose checks take long come first."""


def _gathered() -> tuple[Check, ...]:
    groups = [each for module in MODULES for each in vars(module).values() if isinstance(each, Group)]
    return tuple(check for group in groups for check in group.checks)


CHECKS = _gathered()

__all__ = ["CHECKS"]
