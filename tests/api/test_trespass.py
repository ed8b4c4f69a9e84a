"""A second account at everything of the first one's: it is not there, whatever is asked and however it is named.

Each request is made twice, with names of things that exist and with names of things that do not, and the answers have
to be the same but for the names; so have the questions that the server asks its store.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from api.door import VERSION, Caller, Door, creation, zipped
from api.everything import FUNCTION, MEMBER, NAMES, OPEN, WAYS, Heard, Way, furnish, heard, held, request, signed
from sojourn.api import paging

SECRET = "secret-of-the-first-account"
ABSENT = {
    "function": "zz",
    "service": "zz",
    "task": "zz",
    "version": "9",
    "alias": "zz",
    "trigger": "zz",
    "rest": "more",
    "account": "nobody",
    "digest": "0" * 64,
    "instance": "i-ffffffff",
    "operation": "1-00000000-00000000-000000000000",
}
OWN = ("account", "digest", "instance")
QUESTIONS = ("task", "task_named", "page", "logs", "deliveries", "functions", "services", "triggers", "accounts")


class Trespass:
    """Two accounts; the first has one of everything, the second one function of another name."""

    def __init__(self, door: Door) -> None:
        self.door = door
        assert door.owner
        self.first, self.second = furnish(door.caller()), door.caller()
        self.second.create("mine")
        code = {"zipFile": base64.b64encode(zipped({"index.py": f"# {SECRET}"})).decode()}
        assert self.first("PUT", FUNCTION, body={"description": SECRET, "code": code}).status == 200
        assert self.first("PUT", f"{OPEN}/services/s", body={"description": SECRET}).status == 200
        web = {"triggerName": "web", "triggerType": "http", "triggerConfig": '{"authType": "function"}'}
        for path in (FUNCTION, MEMBER):
            assert self.first("POST", f"{path}/triggers", body=web).status == 200
        function = door.catalog.function(self.first.account_id, "f")
        self.first("PUT", f"{FUNCTION}/scaling-config", body={"minInstances": 1})
        (instance,) = door.settled(self.first.account_id)
        self.there = dict(NAMES) | {"account": self.first.account_id, "digest": function.code.digest}
        self.there["instance"] = instance.id
        self.asked: Counter[str] = Counter()
        for name in QUESTIONS:
            setattr(door.store, name, self._counted(name))

    def _counted(self, name: str) -> Any:
        plain = getattr(self.door.store, name)

        async def counted(*words: Any) -> Any:
            self.asked[name] += 1
            return await plain(*words)

        return counted

    def ask(self, way: Way, names: dict[str, str]) -> tuple[Heard, Counter[str]]:
        """The second account's request, and what the server asked its store for it."""
        self.asked.clear()
        target, body = way.at(names), way.body()
        headers = signed(self.second, way.method, target, body)
        answer = heard(self.door.raw(request(way.method, target, headers, body)))
        return answer, Counter(self.asked)


@pytest.fixture(scope="module")
def trespass(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trespass]:
    """On a server of its own."""
    directory: Path = tmp_path_factory.mktemp("trespass")
    with Door(directory) as door:
        yield Trespass(door)


def alike(answer: Heard, names: dict[str, str]) -> bytes:
    """An answer without the names that were asked for, and without what is each request's own."""
    text = re.sub(rb"1-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{12}", b"ID", answer.body)
    for name, value in names.items():
        if name != "version":
            text = re.sub(rb"(?<![\w-])" + re.escape(value.encode()) + rb"(?![\w-])", b"NAME", text)
    return re.sub(rb"version or alias '\w+'", b"version", text)


NAMED = [way for way in WAYS if set(way.names) - {"rest"} and "deprecated" not in way.operation]


@pytest.mark.parametrize("way", NAMED, ids=str)
def test_what_is_anothers_is_not_there(trespass: Trespass, way: Way) -> None:
    """404, the same as for what nobody has, after the same questions; nothing of it is told, and nothing changes."""
    before = held(trespass.door)
    theirs, asked = trespass.ask(way, trespass.there)
    nobodys, asked_of_nobody = trespass.ask(way, ABSENT)
    assert theirs.status == nobodys.status == 404, (theirs, nobodys)
    assert asked == asked_of_nobody
    if way.method != "HEAD":
        assert alike(theirs, trespass.there) == alike(nobodys, ABSENT)
    assert SECRET.encode() not in theirs.body
    assert held(trespass.door) == before


LISTS = [way for way in WAYS if not way.names and way.method == "GET" and "deprecated" not in way.operation]


@pytest.mark.parametrize("way", [way for way in LISTS if not way.endless], ids=str)
def test_lists_hold_only_ones_own(trespass: Trespass, way: Way) -> None:
    """Nothing of the first account is in an answer to the second, also behind a token of the first one's list."""
    theirs = heard_of(trespass.first, way, "limit=1&Limit=1&resourceArn=functions/f")
    token = (orjson.loads(theirs.body).get("nextToken") or orjson.loads(theirs.body).get("NextToken") or "").strip()
    for query in ("", "limit=100&Limit=100", f"nextToken={token}&NextToken={token}" if token else "prefix=f"):
        answer = heard_of(trespass.second, way, query)
        assert SECRET.encode() not in answer.body
        assert trespass.first.account_id.encode() not in answer.body
        assert b'"functionName":"f"' not in answer.body
        assert answer.status in (200, 400, 403, 404)


def heard_of(caller: Caller, way: Way, query: str) -> Heard:
    """The answer to an account's request."""
    target = f"{way.path}?{query}" if query else way.path
    return heard(caller.door.raw(request(way.method, target, signed(caller, way.method, target, b""), b"")))


@pytest.mark.parametrize("name", ["arn", "short", "service"])
def test_tags_of_anothers_resources(trespass: Trespass, name: str) -> None:
    """Named by an ARN of the other account, or as if it were one's own: refused, and not told apart."""
    first, second = trespass.first, trespass.second
    before = held(trespass.door)
    spelled = {
        "arn": "acs:fc:test-1:{}:functions/{}",
        "short": "functions/{1}",
        "service": "acs:fc:test-1:{}:services/{}",
    }[name]
    for there, thing in ((first.account_id, "s" if name == "service" else "f"), (first.account_id, "zz")):
        arn = spelled.format(there, thing)
        answers = [
            second("GET", f"{OPEN}/tag", {"resourceArn": arn}),
            second("POST", f"{OPEN}/tag", body={"resourceArn": arn, "tags": {"k": "v"}}),
            second("PUT", f"{OPEN}/tag", body={"resourceArn": arn, "all": True}),
            second("POST", "/tags-v2", body={"ResourceId": [arn], "Tag": [{"Key": "k", "Value": "v"}]}),
            second("DELETE", "/tags-v2", {"ResourceId": arn, "All": "true"}),
            second("GET", "/tags-v2", {"ResourceId": arn}),
        ]
        assert {answer.status for answer in answers} == ({404} if name == "short" else {400})
    assert held(trespass.door) == before


DESTINATIONS = [
    "acs:fc:test-1:{account}:functions/f",
    "acs:fc:test-1:{account}:functions/zz",
    "acs:fc:test-1:{account}:functions/s$f",
    "acs:fc:elsewhere:{own}:functions/f",
    *(
        f"http://{host}/hook"
        for host in (
            *("127.0.0.1", "localhost", "localhost.", "x.localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1"),
            *("0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.100.100.200", "100.64.0.1"),
            *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[fe80::1]", "[fd00::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"),
            *("127.0.0.1:9000", "user@127.0.0.1", "127.0.0.1#x", "127.0.0.1\\@example.com", "example.com@127.0.0.1"),
        )
    ),
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "acs:mq:::x",
    "//example.com/",
    "http://",
]


@pytest.mark.parametrize("target", DESTINATIONS)
def test_a_destination_leads_nowhere_it_should_not(trespass: Trespass, target: str) -> None:
    """Other accounts' functions, this machine, its networks and its metadata services, whatever the spelling."""
    second = trespass.second
    before = held(trespass.door)
    spelled = target.format(account=trespass.first.account_id, own=second.account_id)
    for end in ("onSuccess", "onFailure"):
        body = {"destinationConfig": {end: {"destination": spelled}}}
        reply = second("PUT", "/functions/mine/async-invoke-config", body=body)
        reply.refused(400, "InvalidArgument", "destination")
    assert held(trespass.door) == before


@pytest.mark.parametrize("name", ["s$f", "s%24f", "{account}$f", "../{account}/f", "{account}/f", "f\0", "s$s$f", "$f"])
def test_a_name_does_not_cross_accounts(trespass: Trespass, name: str) -> None:
    """However a function of another account, or of its service, is written into a path."""
    before = held(trespass.door)
    spelled = name.format(account=trespass.first.account_id).replace("\0", "%00").replace("/", "%2F")
    for method, tail in (("GET", ""), ("POST", "/invocations"), ("GET", "/async-tasks"), ("GET", "/async-tasks/t1")):
        target = f"{VERSION}/functions/{spelled}{tail}"
        answer = heard(trespass.door.raw(request(method, target, signed(trespass.second, method, target, b""), b"")))
        assert answer.status in (400, 404, 405), answer
        assert SECRET.encode() not in answer.body
    assert held(trespass.door) == before


def test_the_same_names_are_another_accounts_own(trespass: Trespass) -> None:
    """A function, a service and a task of the same names are two; neither sees or stops the other's."""
    third = trespass.door.caller()
    assert third("POST", "/functions", body=creation("s$f")).status == 200
    third.create("f")
    headers = {"x-fc-invocation-type": "Async", "x-fc-async-task-id": "t2"}
    assert third("POST", f"{FUNCTION}/invocations", headers=headers).status == 202
    task = trespass.first.submit("f")
    for each in (f"1-{task.id >> 32:08x}", "t1"):
        assert third("GET", f"{FUNCTION}/async-tasks/{each}").status == 404
        assert third("PUT", f"{FUNCTION}/async-tasks/{each}/stop").status == 404
    assert trespass.first("GET", f"{FUNCTION}/async-tasks/t2").status == 404
    assert trespass.first("GET", f"{FUNCTION}/async-tasks/t1").json["status"] == "Enqueued"


@pytest.mark.parametrize("kind", ["tasks", "functions", "services", "async", "versions", "aliases", "triggers", "tags"])
@pytest.mark.parametrize("position", ["", "x", "f", "9" * 19, "9" * 40, "-1", "²", "\0", "ü", "' OR 1=1 --"])
def test_a_forged_token_shows_nothing(trespass: Trespass, kind: str, position: str) -> None:
    """Anybody can make a token; it only says where one's own list goes on, or is refused."""
    token = paging.token(kind, position)
    paths = {
        "tasks": "/functions/mine/async-tasks",
        "functions": "/functions",
        "services": f"{OPEN}/services",
        "async": "/async-invoke-configs",
        "versions": "/functions/mine/versions",
        "aliases": "/functions/mine/aliases",
        "triggers": "/functions/mine/triggers",
        "tags": "/tags-v2",
    }
    reply = trespass.second("GET", paths[kind], {"nextToken": token, "NextToken": token})
    assert reply.status in (200, 400, 404)
    assert SECRET.encode() not in reply.body
    assert trespass.first.account_id.encode() not in reply.body
