"""`publish`, `versions` and `unpublish`, for functions and for services: what is kept as it stood, under a number."""

from __future__ import annotations

import cyclopts

from sojourn.client import FunctionVersion

from .display import moment_of_text, print_many, print_one
from .options import COMMON, Common

HEADS = ("VERSION", "DESCRIPTION", "CREATED")


def add_to(app: cyclopts.App, kind: str) -> None:
    """Give `app` the three commands; `kind` is `function` or `service`."""
    service = kind == "service"

    def publish(name: str, /, *, description: str | None = None, common: Common = COMMON) -> None:
        with common.client() as client:
            made = client.publish_version(name, description=description, service=service)
        print_one(common.output, made, lambda: print(f"Published version {made.version_id} of {kind} {name}."))

    def versions(name: str, /, *, common: Common = COMMON) -> None:
        with common.client() as client:
            found = client.list_versions(name, service=service)
        print_many(common.output, found, HEADS, _row)

    def unpublish(name: str, version: str, /, *, common: Common = COMMON) -> None:
        with common.client() as client:
            client.delete_version(name, version, service=service)
        if common.output == "table":
            print(f"Deleted version {version} of {kind} {name}.")

    owner = f"Parameters\n----------\nname\n    The {kind}.\n"
    publish.__doc__ = (
        f"Keep a {kind} as it stands now, under the next number.\n\nFor example:\n\n"
        f"    sojourn {kind} publish hello --description first\n\n{owner}description\n    Free text.\n"
    )
    versions.__doc__ = (
        "List the published versions, the newest first.\n\nFor example:\n\n"
        f"    sojourn {kind} versions hello\n\n{owner}"
    )
    unpublish.__doc__ = (
        "Delete a published version; its tasks that wait become Invalid.\n\nFor example:\n\n"
        f"    sojourn {kind} unpublish hello 1\n\n{owner}version\n    Its number.\n"
    )
    for command in (publish, versions, unpublish):
        app.command(command)


def _row(version: FunctionVersion) -> tuple[str, ...]:
    return version.version_id, version.description, moment_of_text(version.created_time)
