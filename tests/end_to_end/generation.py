"""What the tests of generations ask of an official client, in the words of those with services."""

from __future__ import annotations

from typing import Any, Protocol

from end_to_end.functions import RUNTIME
from live import LiveServer

Document = dict[str, Any]
Hooks = dict[str, tuple[str, int]]
"""Hooks by their names in 3.0, each with its handler and its seconds."""


class Generation(Protocol):
    """What the tests ask of a client; every answer is the document as the client gives it.

    Names of its functions begin with `letter`.
    """

    letter: str

    def other(self, server: LiveServer, **keys: str) -> Generation:
        """The same client with other keys (`key_id`, `secret`)."""

    def close(self) -> None:
        """Nothing more is asked of it."""

    def create_service(self, name: str) -> None:
        """CreateService."""

    def create(
        self, name: str, source: str, *, runtime: str = RUNTIME, hooks: Hooks | None = None, **settings: Any
    ) -> Document:
        """CreateFunction; a custom runtime has `source` as its program."""

    def hooks_of(self, name: str) -> dict[str, tuple[str, int]]:
        """GetFunction: its hooks, each with its handler and its seconds."""

    def delete(self, name: str) -> None:
        """DeleteFunction."""

    def configure(self, name: str, **settings: Any) -> Document:
        """PutFunctionAsyncInvokeConfig, with its names on the wire."""

    def config_of(self, name: str) -> Document:
        """GetFunctionAsyncInvokeConfig."""

    def configs_of(self, name: str) -> list[Document]:
        """ListFunctionAsyncInvokeConfigs."""

    def unconfigure(self, name: str) -> None:
        """DeleteFunctionAsyncInvokeConfig."""

    def bound(self, name: str, count: int) -> None:
        """PutFunctionOnDemandConfig."""

    def bound_of(self, name: str) -> int:
        """GetFunctionOnDemandConfig."""

    def unbound(self, name: str) -> None:
        """DeleteFunctionOnDemandConfig."""

    def submit(
        self, name: str, payload: bytes = b"", task_id: str = "", qualifier: str = "LATEST", **headers: str
    ) -> str:
        """InvokeFunction, asynchronously; the task id."""

    def call(self, name: str, payload: bytes = b"") -> bytes:
        """InvokeFunction."""

    def get(self, name: str, task_id: str) -> Document:
        """GetStatefulAsyncInvocation."""

    def page(self, name: str, **wanted: Any) -> Document:
        """ListStatefulAsyncInvocations, with the names of its parameters on the wire."""

    def stop(self, name: str, task_id: str) -> None:
        """StopStatefulAsyncInvocation."""
