"""API 2016-08-15 (2.0, "classic"): as 2021-04-06, with qualifiers in the path and Function Compute's own signature."""

from __future__ import annotations

from collections.abc import Mapping

from sojourn.conform import signing
from sojourn.conform.wire import Key, Request

from .generation import Function, Operation
from .open import SHARED, Open


class Classic(Open):
    """API 2016-08-15."""

    version = "2016-08-15"
    traits = frozenset({"services", "preFreeze", "unsigned query", "qualifier in the path"})
    operations: Mapping[str, Operation] = {
        **SHARED,
        "tag.delete": Operation("UntagResource", "DELETE", "/tag"),
        "reserved.list": Operation("ListReservedCapacities", "GET", "/reservedCapacities"),
    }
    tasks_limit = 50

    def sign(self, request: Request, key: Key, now_seconds: float) -> None:
        """FC."""
        signing.fc(request, key, now_seconds)

    def sign_proxied(self, request: Request, key: Key, now_seconds: float) -> None:
        """FC, with the query."""
        signing.fc(request, key, now_seconds, proxied=True)

    def address(self, path: str, function: Function | None, qualifier: str) -> tuple[str, dict[str, str]]:
        """The qualifier follows the service in the path."""
        if function is not None and qualifier:
            function = Function(f"{function.service}.{qualifier}", function.name)
        return super().address(path, function, "")
