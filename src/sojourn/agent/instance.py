"""An instance: a fork of the zygote that becomes one function's execution environment.

It keeps exactly four descriptors (null input, output twice, the socket to the agent; a Python function with a PreStop
has a second socket for that), takes the function's environment,
walks into its namespaces, gives up its rights, and only then hands over to the runtime, which loads user code. Whatever
goes wrong on the way is told to the agent in one FAILED frame.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import sys
from types import ModuleType
from typing import Any

from . import frames, kernel, namespace, preloading, python_runtime
from .failure import StartFailed
from .zygote import Birth, Zygote

_CHANNEL_FD, _CONTROL_FD = 3, 4
_PYTHON = "python"
_CONTAINER = "container"
_TEMPLATE = "template"
_RUNTIMES = {
    "node": "node_runtime",
    "custom": "custom_runtime",
    "poll": "poll_runtime",
    _CONTAINER: "container_runtime",
}
"""The module that serves each other kind: it offers `prepare(channel, root, spec)`, which returns an object with
`serve()` or raises `StartFailed`. It is loaded before the instance moves in, because the agent's files are out of
sight afterwards: a module must load everything of this package when it is loaded itself."""
_PRELOADED = ("base64", "datetime", "functools", "hashlib", "random", "subprocess", "tempfile", "urllib.parse", "uuid")
CODE_MISSING, SETUP_FAILED = "CodeMissing", "InstanceSetupFailed"


def live(birth: Birth, *, namespaces: bool, code: str, own_user: bool) -> None:
    """Become the instance of `birth`; ends with the process.

    Parameters
    ----------
    birth: the specification and the descriptors.
    namespaces: whether this process was made the first one of its own pid namespace.
    code: the directory of the code trees as this process sees it, used without namespaces.
    own_user: whether the user's processes are all of this account.

    """
    if birth.spec.get("kind") == _TEMPLATE:
        birth = _be_template(birth, namespaces=namespaces, code=code, own_user=own_user)
    channel = _settle(birth)
    spec = birth.spec
    kind = str(spec.get("kind", _PYTHON))
    try:
        module = _runtime(kind)
        root = "/"
        if kind != _CONTAINER:  # whose engine does all this with the image's program; here runs only code of ours
            root = _settle_in(spec, namespaces=namespaces, code=code, own_user=own_user)
            namespace.confine(birth.bounding, must=namespaces)
    except namespace.CodeMissing as error:
        _fail(channel, CODE_MISSING, str(error))
    except (OSError, ImportError) as error:
        _fail(channel, SETUP_FAILED, str(error))
    if kind != _PYTHON:
        _tie(birth)  # preparing it runs user code
    if spec.get("template"):
        preloading.reseed()
    try:
        runtime = module.prepare(channel, root, spec)
    except StartFailed as error:
        _fail(channel, error.cause, error.message)
    channel.sendall(frames.pack(frames.READY, 0, 0, str(spec.get("contained_pid", "")).encode()))
    if kind == _PYTHON:
        _tie(birth)
        runtime.serve(_control(birth))
    runtime.serve()


def _be_template(birth: Birth, *, namespaces: bool, code: str, own_user: bool) -> Birth:
    """Become what the instances of a function are forked from; returns only in one of those.

    It gives up its rights as an instance does, but for those over namespaces that it makes itself.
    """
    spec, control = birth.spec, _settle(birth)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        root = _settle_in(spec, namespaces=namespaces, code=code, own_user=own_user)
        if namespaces:
            namespace.reign()
        else:
            namespace.confine(birth.bounding, must=False)
        _tie(birth)
        preloading.load(spec.get("preload", ()), root)
        if spec.get("snapshot"):
            preloading.initialize(spec)
    except (OSError, namespace.CodeMissing) as error:
        preloading.fail(control, "the template of the function cannot be set up: " + str(error))
    except preloading.PreloadError as error:
        preloading.fail(control, str(error))
    return Zygote(control, namespaces=namespaces, announced=True).run()


def _runtime(kind: str) -> ModuleType:
    """The module that serves functions of `kind`."""
    if kind == _PYTHON:
        return python_runtime
    if kind not in _RUNTIMES:
        raise ImportError("there is no runtime of kind " + repr(kind))
    return importlib.import_module("." + _RUNTIMES[kind], __package__)


def _settle(birth: Birth) -> socket.socket:
    """Arrange descriptors and signals as a new process has them."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()
    kernel.adopt_orphans()
    os.dup2(birth.output_fd, 1)
    os.dup2(birth.output_fd, 2)
    if birth.channel_fd != _CHANNEL_FD:
        os.dup2(birth.channel_fd, _CHANNEL_FD)
    os.set_inheritable(_CHANNEL_FD, False)
    next_fd = _CONTROL_FD
    if birth.control_fd >= 0:
        os.dup2(birth.control_fd, _CONTROL_FD)
        os.set_inheritable(_CONTROL_FD, False)
        next_fd += 1
    os.dup2(birth.go_fd, next_fd)
    birth.go_fd = next_fd
    kernel.close_from(next_fd + 1)
    kernel.unhide()
    namespace.volunteer_for_oom()
    return socket.socket(fileno=_CHANNEL_FD)


def _control(birth: Birth) -> socket.socket | None:
    """PreStop's socket, where there is one."""
    return socket.socket(fileno=_CONTROL_FD) if birth.control_fd >= 0 else None


def _tie(birth: Birth) -> None:
    """Tie our life to the zygote's, which is our parent once the launcher is gone: it says when.

    After READY, so that nobody waits for the launcher's end; before any user code. A zygote that dies before says
    nothing, and we go.
    """
    if os.read(birth.go_fd, 1) != b"g":
        os._exit(1)
    os.close(birth.go_fd)
    kernel.die_with_parent()


def _settle_in(spec: dict[str, Any], *, namespaces: bool, code: str, own_user: bool) -> str:
    """Go to the code, with the function's environment and limits; returns its root as user code sees it."""
    root = _move_in(spec, namespaces=namespaces, code=code)
    _take_environment(spec, root)
    bounds = int(spec["memory_mb"]), int(spec["tmp_mb"])
    namespace.limit(*bounds, namespaces=namespaces, own_user=own_user, held=spec.get("held", ()))
    return root


def _move_in(spec: dict[str, Any], *, namespaces: bool, code: str) -> str:
    """Go to the code; returns its root as user code sees it."""
    digest = str(spec["code_digest"])
    if namespaces:
        namespace.part()
        if spec.get("template"):
            namespace.refurnish(int(spec["tmp_mb"]))
        else:
            namespace.furnish(digest, int(spec["tmp_mb"]))
        if spec.get("offline"):
            namespace.go_offline()
        root = namespace.CODE
    else:
        root = code + "/" + digest
        if not os.path.isdir(root):  # noqa: PTH112 - pathlib is not loaded here
            raise namespace.CodeMissing("the code of digest " + digest + " is not there")
        if spec.get("offline"):
            raise OSError("without namespaces an instance cannot be kept from the network")
    os.chdir(root)
    return root


def _take_environment(spec: dict[str, Any], root: str) -> None:
    """The function's variables and ours; nothing of the zygote's stays."""
    temporary = str(spec.get("directory") or "/tmp")  # noqa: S108 - the instance's own /tmp
    own = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": temporary,
        "TMPDIR": temporary,
    }
    forced = {
        "FC_FUNC_CODE_PATH": root,
        "FC_INSTANCE_ID": str(spec["id"]),
        "SOJOURN_SANDBOX": os.environ.get("SOJOURN_SANDBOX", ""),
    }
    os.environ.clear()
    for part in (own, spec["environment"], forced):
        for name in part:
            os.environ[name] = str(part[name])


def _fail(channel: socket.socket, cause: str, message: str) -> None:
    channel.sendall(frames.pack(frames.FAILED, 0, 0, json.dumps({"cause": cause, "message": message}).encode()))
    os._exit(1)


def preload() -> None:
    """Load what most functions use, once for all instances; never a function's own code."""
    for name in _PRELOADED:
        importlib.import_module(name)
    import site  # noqa: PLC0415 - -S skips it because it would add site-packages; we want its names only

    site.setquit()
    site.sethelper()
    sys.dont_write_bytecode = True
