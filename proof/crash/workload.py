"""What clients do to tasks while a case waits for its crash, and how things are when it begins.

An operation prepares once, before passes count, and is then repeated until the server is dead.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import NamedTuple

from sojourn.identity import EPOCH_MS, Numbers, request_id
from sojourn.task import Claimed, Refused, Task, advance, submit

from .bench import NEW, OLDER, Bench
from .functions import HOOKS
from .record import ANY, Asked

WORK, HOOKED, BRIEF, CLOSED, TOLD, CHAINED, SINK = "work", "hooked", "brief", "closed", "told", "chained", "sink"
SHARED, CONTAINED = "shared", "contained"
FLOOD, FLOOD_BYTES = 40, 120_000
"""Tasks and bytes of each that a store of pages of a usual size wants to copy back."""
LONG_AGO, LONG_AGO_IDS = EPOCH_MS * 1_000, Numbers()
"""When a task ended that is kept no more, and the numbers of that time."""


def _nothing(_: Bench) -> None:
    """Everything is as it should be."""


class Operation(NamedTuple):
    """`act` is repeated, `prepare` is done once before."""

    act: Callable[[Bench], object]
    prepare: Callable[[Bench], object] = _nothing


def furnish(bench: Bench) -> None:
    """Deploy what the operations use."""
    bench.deploy(WORK)
    bench.deploy(HOOKED, settings=HOOKS)
    bench.deploy(BRIEF, timeout=1)
    bench.deploy(CLOSED, config={"maxAsyncEventAgeInSeconds": 1}, reserved_concurrency=0)
    bench.deploy(SINK)
    bench.deploy(SHARED, runtime="custom", settings={"instanceConcurrency": 2})
    if bench.image:
        bench.contain(CONTAINED)
    account = bench.server.credentials["accountId"]
    for name, target in ((TOLD, bench.receiver.url), (CHAINED, f"acs:fc:local:{account}:functions/{SINK}")):
        where = {"onSuccess": {"destination": target}}
        bench.deploy(name, config={"destinationConfig": where})
        bench.record.delivered_to[name] = target


# Tasks ----------------------------------------------------------------------------------------------------------------


def run(function: str, kind: str, fill: int = 0) -> Operation:
    """Tasks, one after another."""
    return Operation(lambda bench: bench.over(bench.submit(function, kind, fill=fill)))


def _burst(bench: Bench) -> None:
    bench.over(*[bench.submit(WORK, "quick") for _ in range(3)])


def _outlast(bench: Bench) -> None:
    """A task whose handler does not return in time."""
    bench.journal.hold()
    bench.over(bench.submit(BRIEF, "hold"))


def _fresh(bench: Bench) -> None:
    name = f"fresh{bench.record.number()}"
    bench.deploy(name, settings=HOOKS)
    bench.over(bench.submit(name, "quick"))


def _stop(function: str) -> Operation:
    def act(bench: Bench) -> None:
        asked = bench.held(function)
        bench.stop(asked)
        bench.over(asked)

    return Operation(act)


def _stop_many(bench: Bench) -> None:
    """Tasks that wait, stopped by one operation; what it does not stop, grows too old."""
    those = [bench.submit(CLOSED, "quick") for _ in range(3)]
    for asked in those:
        asked.stopping = True
    bench.client().begin_operation("stop", {"function": CLOSED})
    bench.over(*those)


def _give_up(kind: str) -> Operation:
    """Stop one of two tasks that share an instance, and let the other come to its end."""

    def act(bench: Bench) -> None:
        other = bench.held(SHARED)
        asked = bench.held(SHARED, kind)
        bench.stop(asked)
        bench.over(asked)
        bench.journal.let_go()
        bench.over(other)

    return Operation(act)


def _contained(bench: Bench) -> None:
    name = f"contained{bench.record.number()}"
    bench.contain(name)
    bench.over(bench.submit(name, "quick"))


def _refuse(bench: Bench) -> None:
    name = f"doomed{bench.record.number()}"
    bench.deploy(name, reserved_concurrency=0)
    asked = bench.submit(name, "quick")
    bench.delete(name)
    bench.over(asked)


def _rest(bench: Bench) -> None:
    """A task, and the freezing of what it ran on."""
    bench.over(bench.submit(HOOKED, "quick"))
    bench.until(lambda: [each for each in bench.client().instances(HOOKED) if each.status == "Frozen"], "frozen")


def _forget(bench: Bench) -> None:
    """A task that has been over for longer than tasks are kept goes by itself."""
    with bench.home.store().records() as records:
        function = next(each for each in records.functions() if each.name == WORK)
    task = Task(
        id=LONG_AGO_IDS.next(LONG_AGO),
        account_id=function.account_id,
        function_id=function.id,
        generation=1,
        payload=b"p" * 3_000,
    )
    for fact in (Claimed(1), Refused("FunctionNotStarted", "long ago")):
        task = advance(task if task.history else submit(task, LONG_AGO), fact, LONG_AGO)
    bench.home.keep(task)
    bench.until(lambda: bench.task(Asked(WORK, request_id(task.id), "quick", "")) is None, f"{task.id} forgotten")


def _flood(bench: Bench) -> None:
    bench.over(*[bench.submit(CLOSED, "quick", fill=FLOOD_BYTES) for _ in range(FLOOD)])


def _deliver(function: str) -> Operation:
    return Operation(lambda bench: _delivered(bench, bench.submit(function, "quick")))


def _delivered(bench: Bench, asked: Asked) -> None:
    bench.over(asked)
    client = bench.client()
    bench.until(
        lambda: client.deliveries(asked.function, asked.name)[0].status == "Succeeded", f"the record of {asked} sent"
    )


def _resend(bench: Bench) -> None:
    asked = bench.submit(TOLD, "quick")
    _delivered(bench, asked)
    bench.client().resend(asked.function, asked.name)
    _delivered(bench, asked)


def _stranger(bench: Bench) -> None:
    """A task of an account that is new, and so is its sandbox."""
    account = new_account(bench)
    bench.deploy("theirs", account=account)
    bench.over(bench.submit("theirs", "quick", account=account))


def new_account(bench: Bench) -> str:
    """Create an account, and keep its keys."""
    account = str(10**9 + bench.record.number())
    with bench.record.changing("account", account, "there"):
        made = bench.client().create_account(account)
    bench.record.secrets[account] = made.access_key_id, made.access_key_secret
    return account


def _drain(bench: Bench) -> None:
    bench.server.signal(signal.SIGTERM)
    bench.until(lambda: False, "drained")


BURST = Operation(_burst)
LARGE, BIG, FLAKY, DIE = run(WORK, "quick", fill=3_000), run(WORK, "big"), run(WORK, "flaky"), run(WORK, "die")
FRESH = Operation(_fresh)
STOP = _stop(HOOKED)
STOP_MANY = Operation(_stop_many)
GIVE_UP, NOT_GIVEN_UP = _give_up("hold"), _give_up("deaf")
CONTAIN, STOP_CONTAINED = Operation(_contained), _stop(CONTAINED)
TIMEOUT = Operation(_outlast)
EXPIRE = run(CLOSED, "quick")
REFUSE = Operation(_refuse)
FREEZE, THAW = Operation(_rest), Operation(_rest, _rest)
FLOODED = Operation(_flood)
FORGET = Operation(_forget)
DELIVER, CHAIN, RESEND = _deliver(TOLD), _deliver(CHAINED), Operation(_resend)
STRANGER = Operation(_stranger)
CALL = Operation(lambda bench: bench.client().invoke(WORK, "quick"))
DRAIN = Operation(_drain, lambda bench: bench.held(WORK))

# Things with names ----------------------------------------------------------------------------------------------------


def _deploy(bench: Bench) -> None:
    number = bench.record.number()
    bench.deploy(f"new{number}", version=str(number))


def _redeploy(bench: Bench) -> None:
    bench.deploy("changing", version=str(bench.record.number()))


def _function(bench: Bench) -> str:
    """A function of its own, with code that others have too."""
    name = f"named{bench.record.number()}"
    bench.deploy(name)
    return name


def _publish(bench: Bench) -> None:
    name = _function(bench)
    for version in ("1", "2"):
        with bench.record.changing("version", f"{name}/{version}", "there"):
            bench.ask("POST", f"{NEW}/functions/{name}/versions", {"description": version})


def _alias(bench: Bench) -> None:
    name = _function(bench)
    bench.ask("POST", f"{NEW}/functions/{name}/versions", {})
    for number in range(2):
        with bench.record.changing("alias", f"{name}/live", f"described {number}"):
            body = {"aliasName": "live", "versionId": "1", "description": f"described {number}"}
            path = f"{NEW}/functions/{name}/aliases"
            bench.ask(*(("PUT", f"{path}/live") if number else ("POST", path)), body)


def _service(bench: Bench) -> str:
    name = f"service{bench.record.number()}"
    with bench.record.changing("service", name, "made"):
        bench.ask("POST", f"{OLDER}/services", {"serviceName": name, "description": "made"})
    return name


def _change_service(bench: Bench) -> None:
    name = _service(bench)
    with bench.record.changing("service", name, "changed"):
        bench.ask("PUT", f"{OLDER}/services/{name}", {"description": "changed"})


def _publish_service(bench: Bench) -> None:
    """Publish a service of two functions, and delete what was published."""
    name = _service(bench)
    for each in ("one", "two"):
        bench.deploy(f"{name}${each}")
    path = f"{OLDER}/services/{name}/versions"
    with bench.record.changing("service version", f"{name}/1", "there"):
        bench.ask("POST", path, {"description": "first"})
    with bench.record.changing("service version", f"{name}/1", ""):
        bench.ask("DELETE", f"{path}/1")


def _account(bench: Bench) -> None:
    new_account(bench)


def _key(bench: Bench) -> None:
    made = bench.ask("POST", "/v1/credentials", {})
    bench.record.know("key", f"{made['accessKeyId']} {made['accessKeySecret']} {made['securityToken']}", "works")


def _token(bench: Bench) -> None:
    """Make an access token and revoke it, and make one that stays."""
    for name in ("stays", "goes"):
        made = bench.ask("POST", "/v1/tokens", {"scope": "read", "name": name})
        bench.record.know("token", made["token"], "works")
    with bench.record.changing("token", made["token"], ""):
        bench.ask("DELETE", f"/v1/tokens/{made['id']}")


def _secret(bench: Bench) -> None:
    with bench.record.changing("secret", "", ANY):
        made = bench.client().webhook_secret(rotate=True)
    bench.record.know("secret", "", made)


def _timer(name: str, every: str, *, enable: bool) -> dict[str, object]:
    config = f'{{"cronExpression": "@every {every}", "enable": {str(enable).lower()}}}'
    return {"triggerName": name, "triggerType": "timer", "triggerConfig": config}


def _trigger(bench: Bench) -> None:
    """Make, change and delete a trigger that does not fire."""
    name = f"idle{bench.record.number()}"
    path = f"{NEW}/functions/{SINK}/triggers"
    for number in range(2):
        with bench.record.changing("trigger", f"{SINK}/{name}", f"described {number}"):
            body = {**_timer(name, "24h", enable=False), "description": f"described {number}"}
            bench.ask(*(("PUT", f"{path}/{name}") if number else ("POST", path)), body)
    with bench.record.changing("trigger", f"{SINK}/{name}", ""):
        bench.ask("DELETE", f"{path}/{name}")


def _fire(bench: Bench) -> None:
    """A function of its own that a timer lets run every second; the lane looks after its firings."""
    name = f"ticking{bench.record.number()}"
    bench.deploy(name)
    with bench.record.changing("timer", name, "there"):
        bench.ask("POST", f"{NEW}/functions/{name}/triggers", _timer("timer", "1s", enable=True))
    bench.until(lambda: False, "dead of a firing")


DEPLOY, REDEPLOY = Operation(_deploy), Operation(_redeploy)
PUBLISH, ALIAS = Operation(_publish), Operation(_alias)
SERVICE, CHANGE_SERVICE, PUBLISH_SERVICE = Operation(_service), Operation(_change_service), Operation(_publish_service)
ACCOUNT, KEY, SECRET = Operation(_account), Operation(_key), Operation(_secret)
TOKEN = Operation(_token)
TRIGGER, FIRE = Operation(_trigger), Operation(_fire)

# What a start finds ---------------------------------------------------------------------------------------------------


def leave_running(bench: Bench) -> None:
    """Tasks that run, one of which is to be stopped, and one that waits."""
    bench.over(bench.submit(WORK, "quick"))
    for _ in range(3):
        bench.held(WORK)
    stopped = bench.held(HOOKED)
    bench.stop(stopped)
    bench.submit(CLOSED, "quick")


def leave_contained(bench: Bench) -> None:
    """A task that runs in a container."""
    bench.held(CONTAINED)


def leave_code(bench: Bench) -> None:
    """Trees that nothing names any more."""
    for _ in range(2):
        number = bench.record.number()
        name = f"gone{number}"
        bench.deploy(name, version=str(number))
        bench.delete(name)
