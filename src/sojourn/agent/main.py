"""Where processes of the sandbox begin: `main` is called with the role and the driver's facts on the command line."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sys
import traceback

_BOOTSTRAP = (
    "import sys; agent = type(sys)('agent'); agent.__path__ = [{package!r}]; sys.modules['agent'] = agent; "
    "from agent.{module} import main; main({package!r})"
)
"""Loads this package from `package` without putting the directory above it on the path, where a module of ours could
stand before one of the standard library."""


def bootstrap(package: str, module: str = "main") -> str:
    """The program text that starts `module` of this package, which lies at `package`."""
    return _BOOTSTRAP.format(package=package, module=module)


def main(package: str) -> None:
    """Be the agent or a zygote, as the command line says; ends with the process."""
    role, facts = sys.argv[1], json.loads(sys.argv[2])
    try:
        if role == "zygote":
            _zygote(facts)
        else:
            _agent(package, facts)
    except BaseException:  # noqa: BLE001 - the end of a process of ours: say why, then end without clean-up
        traceback.print_exc()
    os._exit(1)


def _agent(package: str, facts: dict[str, object]) -> None:
    from . import kernel  # noqa: PLC0415 - a zygote needs less
    from .agent import Agent, Settings  # noqa: PLC0415 - as above

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, files_max = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files_max, files_max))
    kernel.hide()
    kernel.adopt_orphans()
    channel = socket.socket(fileno=int(str(facts["channel_fd"])))
    channel.set_inheritable(False)
    Agent(channel, Settings(facts), bootstrap(package)).run()
    os._exit(0)


def _zygote(facts: dict[str, object]) -> None:
    from . import instance, zygote  # noqa: PLC0415 - the agent needs less

    instance.preload()
    namespaces, own_user = bool(facts["namespaces"]), bool(facts["own_user"])
    birth = zygote.main(3, namespaces=namespaces)
    instance.live(birth, namespaces=namespaces, code=str(facts["code"]), own_user=own_user)
