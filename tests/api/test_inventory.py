"""Each operation of each generation answers, or says by its name that it is not there; and none is forgotten."""

from __future__ import annotations

import inspect
import re
from types import ModuleType

import fc2.client
import pytest
from alibabacloud_fc20230330 import client as newest_client
from alibabacloud_fc_open20210406 import client as open_client

from api.door import Caller
from api.inventory import BOTH, GENERATIONS, LEFT_OUT_OF_CLASSIC, OPERATIONS
from sojourn.api import v2016_08_15, v2021_04_06, v2023_03_30
from sojourn.api.routing import LeftOut

Asked = tuple[str, str, str]
"""Method, path without the version and with `x` for names, operation."""

_CLIENTS: dict[str, ModuleType] = {"2021-04-06": open_client, "2023-03-30": newest_client}
_ACTION = re.compile(r"action\s*=\s*'(\w+)',.*?pathname\s*=\s*f?['\"](.*?)['\"],\s*method\s*=\s*'(\w+)'", re.DOTALL)
_MODULES = {"2016-08-15": v2016_08_15, "2021-04-06": v2021_04_06, "2023-03-30": v2023_03_30}


def asked(generation: str) -> set[Asked]:
    """What the generation's clients can ask."""
    if generation not in _CLIENTS:
        lines = (line.split() for line in LEFT_OUT_OF_CLASSIC.strip().splitlines())
        return {(method, _any(path), name) for method, path, name in lines} | _classic()
    found = _ACTION.findall(inspect.getsource(_CLIENTS[generation]))
    return {(method, _any(path.removeprefix(f"/{generation}")), name) for name, path, method in found}


def _classic() -> set[Asked]:
    """What `aliyun-fc2` asks, by the names of the inventory and of what is left out."""
    lines = (line.split() for line in LEFT_OUT_OF_CLASSIC.strip().splitlines())
    names = {(method, _any(path)): name for method, path, name in lines}
    names |= {(row.method, _any(row.path(BOTH[0]))): row.older for row in OPERATIONS}
    found = set()
    for verb in re.split(r"\n    def ", inspect.getsource(fc2.client))[1:]:
        for path in re.findall(r"path = '/\{0\}(/.*?)'", verb):
            if path.startswith("/proxy"):  # a function's own address, see `test_go_wire`
                continue
            method = re.search(r"method = '(\w+)'", verb)
            assert method is not None, verb
            key = (method[1], _any(path))
            assert key in names, f"{verb.partition('(')[0]}: {key}"
            found.add((*key, names[key]))
    return found


def _any(path: str) -> str:
    """`path` with `x` for each name: what stands at every second place, unless it is a switch."""
    parts = re.sub(r"\{[^{}]*\}(\.\{[^{}]*\})?", "x", path).strip("/").split("/")
    return "/" + "/".join(
        "x" if place % 2 and parts[place - 1] != "invoke" else part for place, part in enumerate(parts)
    )


def own(generation: str) -> set[tuple[str, str]]:
    """What the inventory has there."""
    return {(row.method, _any(row.path(generation))) for row in OPERATIONS if row.path(generation)}


@pytest.mark.parametrize("generation", GENERATIONS)
def test_each_operation_answers(caller: Caller, generation: str) -> None:
    """One life, in the order of the table."""
    service = "s.LATEST" if generation == BOTH[0] else "s"
    for row in OPERATIONS:
        if path := row.path(generation):
            whole = f"/{generation}{path.format(service=service)}"
            reply = caller(row.method, whole, row.query, body=row.body, headers=row.headers)
            assert reply.status == row.status, (row.name(generation), reply.status, reply.body)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_what_is_left_out_says_so_by_name(caller: Caller, generation: str) -> None:
    """All that the official clients can ask, and that the inventory has not: 400, as Function Compute has it."""
    left_out = {each for each in asked(generation) if each[:2] not in own(generation)}
    assert len(left_out) > 10
    for method, path, name in sorted(left_out):
        reply = caller(method, f"/{generation}{path}", body={} if method in ("POST", "PUT") else b"")
        reply.refused(400, "PathNotSupported", f"'{name}'")


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_inventory_is_whole(generation: str) -> None:
    """Every path that answers is in it, and every operation of the inventory is one of the official clients'."""
    routes = {
        (method, _any(path))
        for method, path, handler, _ in _MODULES[generation].OPERATIONS
        if not isinstance(handler, LeftOut)
    }
    assert routes == own(generation)
    names = {name for _, _, name in asked(generation)}
    ours = {row.name(generation) for row in OPERATIONS if row.path(generation)}
    tasks = {"ListStatefulAsyncInvocations", "GetStatefulAsyncInvocation", "StopStatefulAsyncInvocation"}
    assert ours - names <= ({"GetAccountSettings"} if generation == GENERATIONS[-1] else tasks)
