"""The loop that delivers, in virtual time: when it sends, to whom, what it makes durable, and what it survives."""

from __future__ import annotations

import asyncio
import itertools
import json

import pytest

from delivering import BAD, GOOD, DeliveringWorld
from scripted import Behaviour, Gate, answers, raises, takes
from sojourn.destination import Deferred, Delivered, DeliveryStatus, Refused
from sojourn.errors import DeliveryNotFound
from sojourn.identity import request_id
from sojourn.queue import wire_name
from sojourn.task import Status
from virtual_time import run
from world import ACCOUNT


def own(name: str) -> str:
    """The ARN of a function of this world."""
    return f"acs:fc:local:{ACCOUNT}:functions/{name}"


def test_a_success_and_a_failure_go_their_ways() -> None:
    """Once each, signed for the account, named for the task."""

    async def main() -> None:
        async with DeliveringWorld() as world:
            good = await world.submit(world.sending("good", answers(b"42")), b"event")
            bad = await world.submit(world.sending("bad", raises(), retries=0))
            first, second = await world.settled(good, bad)

            (to_good,), (to_bad,) = world.targets.to(GOOD), world.targets.to(BAD)
            assert (to_good.message_id, to_good.secret, to_good.trusted) == (
                request_id(good.id),
                f"secret of {ACCOUNT}",
                False,
            )
            assert (to_good.record["requestPayload"], to_good.record["responsePayload"]) == ("event", "42")
            assert to_bad.record["responseContext"] == {"statusCode": 200, "functionError": "InvocationError"}
            assert (first.status, first.attempts, second.attempts) == (DeliveryStatus.SUCCEEDED, 1, 1)

    run(main())


def test_a_task_without_a_destination_costs_nothing() -> None:
    """No row, no write, no record."""

    async def main() -> None:
        async with DeliveringWorld() as world:
            function = world.sending("f", answers(), success="")
            await world.warm(function)
            task = await world.submit(function)
            await world.end(task)
            assert (world.store.calls, world.store.data.deliveries, world.targets.sent) == (3, {}, [])

    run(main())


def test_the_delivery_is_durable_with_the_end() -> None:
    """In the same write, so that no crash comes between."""

    async def main() -> None:
        async with DeliveringWorld() as world:
            held = world.store.hold(Status.SUCCEEDED, after=True)
            task = await world.submit(world.sending("f", answers()))
            await held.reached.wait()
            assert world.row(task).status is Status.SUCCEEDED
            assert world.delivery(task).status is DeliveryStatus.PENDING
            assert world.targets.sent == []
            held.release()
            await world.settled(task)

    run(main())


@pytest.mark.parametrize("end", ["Stopped", "Expired", "Invalid"])
def test_other_ends_send_a_record_too(end: str) -> None:
    """To the target for failures, with a condition that says which."""

    async def main() -> None:
        async with DeliveringWorld() as world:
            function = world.sending("f", answers(), reserved=0, age_seconds=10)
            task = await world.submit(function)
            if end == "Stopped":
                await world.stop(task)
            if end == "Invalid":
                world.change(world.functions[function.id], deleted=True)
            await world.settled(task)
            (sent,) = world.targets.to(BAD)
            assert world.row(task).status.value == end
            assert sent.record["requestContext"]["condition"] == end
            assert sent.record["requestContext"]["approximateInvokeCount"] == 0

    run(main())


def test_a_stop_and_a_result_agree_with_the_record() -> None:
    """Whichever end is durable is the one that is told, and only that one."""

    async def main() -> None:
        for moment in (0.0, 0.001, 0.01):
            async with DeliveringWorld() as world:
                function = world.sending("f", takes(0.01))
                await world.warm(function)
                task = await world.submit(function)
                await asyncio.sleep(moment)
                stopped = asyncio.ensure_future(world.stop(task))
                await world.settled(task)
                await asyncio.gather(stopped, return_exceptions=True)
                (sent,) = world.targets.sent
                ended = world.row(task).status
                assert (sent.url, sent.record["requestContext"]["condition"]) == (
                    (GOOD, "") if ended is Status.SUCCEEDED else (BAD, "Stopped")
                )

    run(main())


def test_it_is_tried_again_with_growing_waits() -> None:
    """The same bytes and the same id at every attempt."""

    async def main() -> None:
        async with DeliveringWorld() as world:
            world.targets.answers[GOOD] = [Deferred("503"), Deferred("down"), Deferred("slow", 60.0), Delivered()]
            task = await world.submit(world.sending("f", answers()))
            (delivery,) = await world.settled(task)

            sent = world.targets.to(GOOD)
            waits = [later.at - earlier.at for earlier, later in itertools.pairwise(sent)]
            assert [round(wait / expected, 1) for wait, expected in zip(waits, (0.5, 1.0, 60.0), strict=True)] == [
                pytest.approx(1.0, abs=0.2)
            ] * 3
            assert len({(each.message_id, each.body) for each in sent}) == 1
            assert (delivery.status, delivery.attempts, delivery.last_error) == (DeliveryStatus.SUCCEEDED, 4, "")

    run(main())


def test_it_is_given_up_in_the_end() -> None:
    """After half an hour, with the last reason; the task stays what it was."""

    async def main() -> None:
        async with DeliveringWorld() as world:
            world.targets.always[GOOD] = Deferred("the target answered 500")
            task = await world.submit(world.sending("f", answers()))
            (delivery,) = await world.settled(task)

            sent = world.targets.to(GOOD)
            assert sent[-1].at - sent[0].at == pytest.approx(1800, abs=1)
            assert (delivery.status, delivery.last_error) == (DeliveryStatus.FAILED, "the target answered 500")
            assert delivery.attempts == len(sent) > 10
            assert world.row(task).status is Status.SUCCEEDED

    run(main())


def test_a_refusal_is_final() -> None:
    """One attempt."""

    async def main() -> None:
        async with DeliveringWorld() as world:
            world.targets.always[GOOD] = Refused("the target answered 404, which is final")
            task = await world.submit(world.sending("f", answers()))
            (delivery,) = await world.settled(task)
            await asyncio.sleep(4000)
            assert len(world.targets.sent) == delivery.attempts == 1
            assert delivery.status is DeliveryStatus.FAILED

    run(main())


def test_a_function_gets_a_record_as_a_task() -> None:
    """Its payload is the record, its name says where it came from."""

    async def main() -> None:
        async with DeliveringWorld() as world:
            after = world.deploy("after", answers())
            task = await world.submit(world.sending("f", answers(b"42"), success=own("after")))
            await world.settled(task)
            derived = await world.queue.find(after, f"destination-1-{request_id(task.id)}")
            assert json.loads(derived.payload)["responsePayload"] == "42"

    run(main())


@pytest.mark.parametrize(
    ("behaviour", "target", "reason"),
    [
        (answers(), own("nobody"), "function 'nobody' does not exist"),
        (answers(b"x" * 200_000), own("after"), "an asynchronous payload 131072"),
        (answers(b"x" * (5 << 20)), GOOD, "the limit is 4194304"),
        (answers(), "acs:mns:local:1234567890:/queues/q/messages", "needs a bridge"),
        (answers(), "http://127.0.0.1/", "public address"),
    ],
)
def test_what_cannot_be_delivered_says_why(behaviour: Behaviour, target: str, reason: str) -> None:
    """At once, and it can be seen."""

    async def main() -> None:
        async with DeliveringWorld() as world:
            world.deploy("after", answers())
            task = await world.submit(world.sending("f", behaviour, success=target))
            (delivery,) = await world.settled(task)
            assert (delivery.status, delivery.attempts) == (DeliveryStatus.FAILED, 1)
            assert reason in delivery.last_error
            assert world.targets.sent == []

    run(main())


def test_a_full_queue_is_waited_for() -> None:
    """429 is no final word."""

    async def main() -> None:
        async with DeliveringWorld() as world:
            gate, last = Gate(), Gate()
            busy, f = world.deploy("busy", gate), world.sending("f", last, success=own("after"))
            world.deploy("after", answers())
            await world.submit(busy)
            task = await world.submit(f)
            await last.busy()
            world.queue._tasks_open_max = 1
            last.leave()
            await asyncio.sleep(5)
            assert "which is the limit" in world.delivery(task).last_error
            gate.leave()
            (delivery,) = await world.settled(task)
            assert delivery.status is DeliveryStatus.SUCCEEDED

    run(main())


def test_a_loop_of_functions_ends() -> None:
    """A to B to A: eight hops, then the record fails and says why."""

    async def main() -> None:
        async with DeliveringWorld() as world:
            a = world.sending("a", answers(), success=own("b"))
            world.sending("b", answers(), success=own("a"))
            await world.submit(a)
            rows = world.store.data.deliveries
            await world.store.until(lambda: any(each.status is DeliveryStatus.FAILED for each in rows.values()))
            assert len(world.store.data.tasks) == 9
            (failed,) = [each for each in rows.values() if each.status is DeliveryStatus.FAILED]
            assert "looks like a loop" in failed.last_error

    run(main())


def test_a_bridge_gets_the_record_and_the_name_of_its_target() -> None:
    """The operator's URL is trusted."""

    async def main() -> None:
        async with DeliveringWorld(bridges={"mns": "http://10.0.0.1/mns"}) as world:
            arn = f"acs:mns:local:{ACCOUNT}:/queues/q/messages"
            await world.settled(await world.submit(world.sending("f", answers(), success=arn)))
            (sent,) = world.targets.sent
            assert (sent.url, sent.headers, sent.trusted) == (
                "http://10.0.0.1/mns",
                {"x-sojourn-destination": arn},
                True,
            )

    run(main())


def test_a_record_is_sent_again_on_request() -> None:
    """Also one that was taken; a function gets another task."""

    async def main() -> None:
        async with DeliveringWorld() as world:
            after = world.deploy("after", answers())
            web = await world.submit(world.sending("web", answers()))
            fun = await world.submit(world.sending("fun", answers(), success=own("after")))
            await world.settled(web, fun)
            for task in (web, fun):
                again = await world.deliveries.resend(world.row(task), wire_name(task))
                assert (again.status, again.round) == (DeliveryStatus.PENDING, 2)
            await world.settled(web, fun)
            assert len({each.message_id for each in world.targets.sent}) == 1
            assert len(world.targets.sent) == 2
            derived = [each for each in world.store.data.tasks.values() if each.function_id == after.id]
            assert len(derived) == 2
            await world.end(*derived)

    run(main())


def test_a_task_without_a_record_cannot_send_it_again() -> None:
    """Not over, or no destination."""

    async def main() -> None:
        async with DeliveringWorld() as world:
            gate = Gate()
            plain, open_one = (
                await world.submit(world.sending("a", answers(), success="")),
                await world.submit(world.sending("b", gate)),
            )
            await world.end(plain)
            for task in (plain, open_one):
                with pytest.raises(DeliveryNotFound):
                    await world.deliveries.resend(world.row(task), wire_name(task))
            gate.leave()
            await world.settled(open_one)

    run(main())


def test_the_configuration_at_the_end_decides() -> None:
    """A change while the task runs holds for it; one after it does not."""

    async def main() -> None:
        async with DeliveringWorld() as world:
            gate = Gate()
            function = world.sending("f", gate, success="")
            task = await world.submit(function)
            await gate.busy()
            other = world.sending("other", answers())
            world.change(function, async_config=other.async_config)
            held = world.store.hold(Status.SUCCEEDED, after=True)
            gate.leave()
            await held.reached.wait()
            world.change(world.functions[function.id], async_config=None)
            held.release()
            await world.settled(task)
            assert [each.url for each in world.targets.sent] == [GOOD]

    run(main())
