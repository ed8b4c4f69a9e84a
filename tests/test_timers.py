"""Timer triggers in virtual time: when they fire, what a firing is, and what becomes of those that were missed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reference_data import Data
from reference_store import ReferenceStore
from sojourn import identity
from sojourn.catalog import Catalog
from sojourn.code import CodeStore
from sojourn.errors import InvalidArgument
from sojourn.function import Function
from sojourn.queue import Queue
from sojourn.refusals import FunctionNotEmpty, TriggerAlreadyExists, TriggerNotFound
from sojourn.services import Services
from sojourn.task import Task
from sojourn.timers import Timers
from test_catalog import ACCOUNT, body
from virtual_time import START, VirtualClock, run

SECOND = 1_000_000
CRON = '{"cronExpression": "@every 60s", "payload": "p"}'


class Desk:
    """Timers on a store, with a function `f`; another desk on the same data is a restart."""

    def __init__(self, root: Path, data: Data | None = None) -> None:
        self.store, self.clock = ReferenceStore(data), VirtualClock()
        self.catalog = Catalog(
            self.store, CodeStore(root), self.clock, check_runtime=lambda _: None, multi_account=True
        )
        self.services = Services(self.store, self.clock, self.catalog)
        numbers = identity.Numbers(last=max(self.store.data.tasks, default=0))
        self.queue = Queue(self.store, self.clock, numbers, submits_pending_max=100, tasks_open_max=100_000)
        self.timers = Timers(self.store, self.clock, self.catalog, self.queue)

    async def open(self) -> Function:
        """Load everything and start; the function, made when it is not there."""
        await self.store.open()
        await self.catalog.load()
        await self.services.load()
        await self.timers.load()
        if not self.catalog.accounts():
            await self.catalog.create_account(ACCOUNT)
            await self.catalog.create_function(ACCOUNT, body())
        self.timers.start()
        return self.catalog.function(ACCOUNT, "f")

    def tasks(self) -> list[Task]:
        """All of them, oldest first."""
        return [task for _, task in sorted(self.store.data.tasks.items())]

    def fired(self) -> list[dict[str, Any]]:
        """The events of all firings."""
        return [msgspec.json.decode(task.payload) for task in self.tasks()]

    async def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)


def trigger(**fields: object) -> dict[str, object]:
    """The body of a CreateTrigger."""
    return {"triggerName": "tick", "triggerType": "timer", "triggerConfig": CRON} | fields


def test_each_firing_is_a_task_with_the_documented_event(tmp_path: Path) -> None:
    """Every minute one, with its time, its trigger and the payload."""

    async def work() -> None:
        desk = Desk(tmp_path)
        function = await desk.open()
        await desk.timers.create(function, trigger())
        await desk.pass_by(185)
        times = [event["triggerTime"] for event in desk.fired()]
        assert times == ["2027-01-15T08:01:00Z", "2027-01-15T08:02:00Z", "2027-01-15T08:03:00Z"]
        assert {(event["triggerName"], event["payload"]) for event in desk.fired()} == {("tick", "p")}
        assert {task.function_id for task in desk.tasks()} == {function.id}
        await desk.timers.close()

    run(work())


def test_what_was_missed_becomes_one(tmp_path: Path) -> None:
    """At once after the restart, with the time of the last that was missed; then the schedule goes on."""

    async def work() -> None:
        first = Desk(tmp_path)
        await first.timers.create(await first.open(), trigger())
        await first.pass_by(65)
        await first.timers.close()
        assert len(first.tasks()) == 1
        later = Desk(tmp_path, first.store.data)
        later.clock.ahead_us = 3600 * SECOND
        await later.open()
        await later.pass_by(1)
        assert [event["triggerTime"] for event in later.fired()][1:] == ["2027-01-15T09:01:00Z"]
        await later.pass_by(60)
        assert [event["triggerTime"] for event in later.fired()][2:] == ["2027-01-15T09:02:00Z"]
        await later.timers.close()

    run(work())


def test_a_crash_between_task_and_next_time_makes_no_second_task(tmp_path: Path) -> None:
    """The firing is submitted again under the same id, and refused."""

    async def work() -> None:
        desk = Desk(tmp_path)
        made = await desk.timers.create(await desk.open(), trigger())
        await desk.pass_by(61)
        await desk.timers.close()
        desk.store.data.triggers[made.function_id, made.name] = made  # as before the firing was written down
        again = Desk(tmp_path, desk.store.data)
        await again.open()
        await again.pass_by(1)
        assert len(again.tasks()) == 1
        assert again.timers.trigger(again.catalog.function(ACCOUNT, "f"), "tick").next_at > START + 60 * SECOND
        await again.timers.close()

    run(work())


def test_a_store_that_fails_delays_a_firing(tmp_path: Path) -> None:
    """It comes when the store takes it."""

    async def work() -> None:
        desk = Desk(tmp_path)
        await desk.timers.create(await desk.open(), trigger())
        desk.store.failing = True
        await desk.pass_by(70)
        assert desk.tasks() == []
        desk.store.failing = False
        await desk.pass_by(5)
        assert [event["triggerTime"] for event in desk.fired()] == ["2027-01-15T08:01:00Z"]
        await desk.timers.close()

    run(work())


def test_switched_off_changed_and_deleted(tmp_path: Path) -> None:
    """Off fires nothing, a new schedule holds at once, a deleted trigger is forgotten."""

    async def work() -> None:
        desk = Desk(tmp_path)
        function = await desk.open()
        await desk.timers.create(function, trigger(triggerConfig='{"cronExpression": "@every 60s", "enable": false}'))
        await desk.pass_by(130)
        assert desk.tasks() == []
        await desk.timers.update(
            function, "tick", {"triggerConfig": '{"cronExpression": "@every 10s", "enable": true}'}
        )
        await desk.pass_by(21)
        assert len(desk.tasks()) == 2
        with pytest.raises(FunctionNotEmpty):
            desk.timers.check_none(function)
        await desk.timers.delete(function, "tick")
        await desk.pass_by(60)
        assert len(desk.tasks()) == 2
        with pytest.raises(TriggerNotFound):
            desk.timers.trigger(function, "tick")
        await desk.timers.close()

    run(work())


def test_a_firing_goes_to_the_version_of_its_qualifier(tmp_path: Path) -> None:
    """And a disabled function gets none."""

    async def work() -> None:
        desk = Desk(tmp_path)
        function = await desk.open()
        version = await desk.catalog.publish(function, "")
        await desk.timers.create(function, trigger(qualifier=version.version))
        await desk.pass_by(61)
        assert [(task.runs, task.qualifier) for task in desk.tasks()] == [(version.id, "1")]
        await desk.catalog.disable(desk.catalog.function(ACCOUNT, "f"), "no")
        await desk.pass_by(120)
        assert len(desk.tasks()) == 1
        await desk.timers.close()

    run(work())


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"triggerConfig": '{"cronExpression": "nonsense"}'}, "cronExpression"),
        ({"triggerConfig": "{}"}, "triggerConfig.cronExpression"),
        ({"triggerConfig": "not json"}, "triggerConfig"),
        ({"triggerConfig": '{"cronExpression": "@every 1m", "enable": "yes"}'}, "triggerConfig.enable"),
        ({"triggerConfig": '{"cronExpression": "@every 1m", "other": 1}'}, "triggerConfig.other"),
        ({"triggerType": "oss"}, "triggerType"),
        ({"triggerName": "1"}, "triggerName"),
        ({"invocationRole": "acs:ram::1:role/x"}, "invocationRole"),
        ({"sourceArn": "acs:oss:::x"}, "sourceArn"),
        ({"triggerType": "http", "triggerConfig": '{"authType": "jwt"}'}, "triggerConfig.authType"),
        ({"triggerType": "http", "triggerConfig": '{"methods": ["TRACE"]}'}, "triggerConfig.methods"),
        (
            {"triggerType": "http", "triggerConfig": '{"corsConfig": {"allowOrigins": ["*"]}}'},
            "triggerConfig.corsConfig",
        ),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, fields: dict[str, object], field: str) -> None:
    """By the field's name; nothing is kept."""

    async def work() -> None:
        desk = Desk(tmp_path)
        function = await desk.open()
        with pytest.raises(InvalidArgument, match=field):
            await desk.timers.create(function, trigger(**fields))
        assert desk.timers.triggers(function) == []
        await desk.timers.close()

    run(work())


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    """And LATEST has one address."""

    async def work() -> None:
        desk = Desk(tmp_path)
        function = await desk.open()
        await desk.timers.create(function, trigger())
        await desk.timers.create(function, {"triggerName": "web", "triggerType": "http"})
        for taken in (trigger(), {"triggerName": "other", "triggerType": "http"}):
            with pytest.raises(TriggerAlreadyExists):
                await desk.timers.create(function, taken)
        await desk.timers.close()

    run(work())
