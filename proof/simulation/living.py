"""What lives in a simulated sandbox: instances, and the user code that runs in them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .behaviour import Behaviour

if TYPE_CHECKING:
    from .agents import Agent


class Execution:
    """User code that runs."""

    __slots__ = ("attempt", "began", "behaviour", "instance", "over", "request", "request_id", "timer")

    def __init__(  # noqa: PLR0917 - in the order of its fields
        self, instance: Living, request: int, request_id: str, attempt: int, began: float, behaviour: Behaviour
    ) -> None:
        self.instance, self.request, self.request_id, self.attempt = instance, request, request_id, attempt
        self.began, self.behaviour = began, behaviour
        self.timer: asyncio.TimerHandle | None = None
        self.over = False


class Living:
    """An instance that is there."""

    def __init__(self, agent: Agent, number: int, spec: dict[str, Any]) -> None:
        self.agent, self.number, self.spec = agent, number, spec
        self.id = str(spec["id"])
        self.name = str(spec["context"]["name"])
        self.account_id = str(spec["context"]["account_id"])
        self.memory_mb = int(spec["memory_mb"])
        self.concurrency = int(spec["concurrency"])
        self.hooks: dict[str, dict[str, Any]] = spec.get("lifecycle") or {}
        self.ran: dict[str, int] = {}
        self.executions: dict[int, Execution] = {}
        self.hook: tuple[str, int, asyncio.TimerHandle] | None = None
        self.frozen = self.stopping = self.gone = False
        self.known_frozen_at = self.known_created_at = self.known_initialized_at = float("inf")
        self.initialized = "initializer" not in self.hooks
