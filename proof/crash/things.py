"""How things with names are read back from a server, each as one short text; `ABSENT` when it is not there."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sojourn.client import Unauthorized
from sojourn.client.call import Call

from .bench import NEW, OLDER, Bench
from .record import ABSENT, ANY, Thing


def read(bench: Bench, thing: Thing) -> str:
    """What it is now."""
    return _READERS[thing.kind](bench, thing.name)


def wrong(bench: Bench, thing: Thing) -> str:
    """What is wrong with a thing, "" when it is one of the values that it may have; from then on it has this one."""
    possible = bench.record.things[thing]
    found = read(bench, thing)
    if found not in possible and not (ANY in possible and found != ABSENT):
        return f"{thing.kind} {thing.name} is {found!r}, and not one of {sorted(possible)}"
    bench.record.things[thing] = {found}
    return ""


def _function(bench: Bench, name: str) -> str:
    """The version of its code, known by the checksum of the archive."""
    account, _, name = name.partition("/")
    found = bench.ask("GET", f"{NEW}/functions/{name}", account=account)
    if found is None:
        return ABSENT
    checksum = found["codeChecksum"]
    return bench.record.versions.get(checksum, f"of code that nobody sent: {checksum}")


def _version(bench: Bench, name: str) -> str:
    function, _, version = name.partition("/")
    found = bench.ask("GET", f"{NEW}/functions/{function}/versions")
    return "there" if found and version in [each["versionId"] for each in found["versions"]] else ABSENT


def _alias(bench: Bench, name: str) -> str:
    function, _, alias = name.partition("/")
    return _described(bench, f"{NEW}/functions/{function}/aliases/{alias}")


def _service(bench: Bench, name: str) -> str:
    return _described(bench, f"{OLDER}/services/{name}")


def _trigger(bench: Bench, name: str) -> str:
    function, _, trigger = name.partition("/")
    return _described(bench, f"{NEW}/functions/{function}/triggers/{trigger}")


def _described(bench: Bench, path: str) -> str:
    found = bench.ask("GET", path)
    return ABSENT if found is None else str(found["description"])


def _timer(bench: Bench, name: str) -> str:
    return "there" if bench.ask("GET", f"{NEW}/functions/{name}/triggers/timer") else ABSENT


def _service_version(bench: Bench, name: str) -> str:
    """Whether a service lists a version, and whether each of its functions has it then."""
    service, _, version = name.partition("/")
    found = bench.ask("GET", f"{OLDER}/services/{service}/versions")
    if version not in [each["versionId"] for each in found["versions"]]:
        return ABSENT
    for each in ("one", "two"):
        if bench.ask("GET", f"{OLDER}/services/{service}.{version}/functions/{each}") is None:
            return f"without {each}"
    return "there"


def _account(bench: Bench, name: str) -> str:
    return "there" if name in [each.account_id for each in bench.client().list_accounts()] else ABSENT


def _secret(bench: Bench, _: str) -> str:
    return bench.client().webhook_secret()


def _key(bench: Bench, name: str) -> str:
    """Whether a request that is signed with a key for a time is answered."""
    key_id, secret, token = name.split(" ")
    headers = {"x-acs-security-token": token}
    client = bench.server.client(key_id, secret)
    try:
        client.ask(Call("", "GET", f"{NEW}/functions", lambda _: None, headers=headers))
    except Unauthorized as error:
        return f"refused: {error}"
    return "works"


def _token(bench: Bench, text: str) -> str:
    """Whether a request that brings an access token is answered."""
    headers = {"authorization": f"Bearer {text}"}
    try:
        bench.client().ask(Call("", "GET", f"{NEW}/functions", lambda _: None, headers=headers, signed=False))
    except Unauthorized:
        return ABSENT
    return "works"


_READERS: Mapping[str, Callable[[Bench, str], str]] = {
    "function": _function,
    "version": _version,
    "alias": _alias,
    "service": _service,
    "service version": _service_version,
    "trigger": _trigger,
    "timer": _timer,
    "account": _account,
    "secret": _secret,
    "key": _key,
    "token": _token,
}
