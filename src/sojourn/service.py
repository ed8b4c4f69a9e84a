"""Services: what holds functions together in the API generations before 3.0, with versions and aliases of its own.

Pure. A published version of a service is one of each of its functions at that moment, so a service keeps only the list
of its versions; the snapshots are kept with the functions. A field that has no effect here is refused unless empty.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from .alias import check_description
from .errors import InvalidArgument
from .function import Alias


class ServiceVersion(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A published version of a service."""

    description: str = ""
    created_at: int = 0


class Service(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A service as it is stored; writes are compare-and-set on `revision`. Times are microseconds since 1970.

    `internet_access` holds for all of its functions, `published` counts versions, those that were deleted too.
    """

    account_id: str
    name: str
    revision: int = 1
    description: str = ""
    internet_access: bool = True
    tags: dict[str, str] = {}
    versions: dict[str, ServiceVersion] = {}
    published: int = 0
    aliases: dict[str, Alias] = {}
    created_at: int = 0
    modified_at: int = 0
    deleted: bool = False


def changed_service(service: Service, body: Mapping[str, object]) -> Service:
    """`service` with the fields that `body` gives (FC: CreateServiceInput, UpdateServiceInput).

    Raises
    ------
    InvalidArgument: a field is unknown, has no effect here, or is outside its bounds.

    """
    changes: dict[str, object] = {}
    for field, value in body.items():
        if value is None or field == "serviceName":
            continue
        match field:
            case "description":
                changes["description"] = check_description(value)
            case "internetAccess":
                if not isinstance(value, bool):
                    raise InvalidArgument(field, value, "must be true or false")
                changes["internet_access"] = value
            case _ if not _empty(value):
                raise InvalidArgument(field, value, "is not supported")
    return msgspec.structs.replace(service, **changes)


def _empty(value: object) -> bool:
    """Whether a field says nothing, at any depth; clients fill objects in with empty fields."""
    if isinstance(value, dict):
        return all(_empty(part) for part in value.values())
    return value in ("", [], None, False) or (isinstance(value, int) and value == -1)
