"""Preloading: what a template imports before instances are forked from it, and what a fork of it must do anew.

A fork takes one thread along and no child. So modules that leave threads or processes behind are refused: their copies
in an instance would wait for something that is not there. Libraries for linear algebra start a thread per core unless
they are told otherwise, so they are told to do without while modules are imported, where the function says nothing.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import socket
import sys
import time
from collections.abc import Iterable
from typing import Any, NoReturn

from . import frames, tree
from .context import Contexts, install_logging
from .user_code import load as load_function
from .user_code import look_in

_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")


class PreloadError(Exception):
    """A module cannot be preloaded; the message names it and says why."""


def load(modules: Iterable[str], root: str) -> None:
    """Import `modules` with the code at `root` in reach.

    Raises
    ------
    PreloadError: one cannot be imported, or leaves threads or processes behind.

    """
    look_in(root)
    sys.argv = [""]
    ours = [name for name in _THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(ours, "1"))
    for name in modules:
        try:
            importlib.import_module(name)
        except BaseException as error:  # noqa: BLE001 - every way an import can end is the function's mistake
            what = f"preload: module '{name}' cannot be imported: {type(error).__name__}: {error}"
            raise PreloadError(what) from None
        _must_be_alone(f"preload: module '{name}'")
    for name in ours:
        os.environ.pop(name, None)


def initialize(spec: dict[str, Any]) -> None:
    """Import the handler's module and run Initializer, for all instances at once.

    Raises
    ------
    PreloadError: one of them failed, or leaves threads or processes behind.

    """
    hook = spec["lifecycle"][frames.INITIALIZER]
    deadline_at = int(time.time() * 1_000_000) + int(hook["timeout"]) * 1_000_000
    spelled = str(spec["handler"])
    try:
        load_function(spelled)
        spelled = str(hook["handler"])
        install_logging()
        context = Contexts(spec["context"], str(spec["runtime"])).make("", 0, deadline_at)
        load_function(spelled, "Initializer")(context)
    except BaseException as error:  # noqa: BLE001 - as above
        raise PreloadError(f"snapshot: '{spelled}' failed: {type(error).__name__}: {error}") from None
    _must_be_alone(f"snapshot: '{spelled}'")


def _must_be_alone(who: str) -> None:
    """Raise `PreloadError` when `who` left threads or processes behind."""
    threads = len(os.listdir("/proc/self/task")) - 1  # noqa: PTH208 - pathlib is not loaded here
    if threads:
        raise PreloadError(f"{who} starts threads ({threads} left), which instances would be without")
    if tree.children(os.getpid()):
        raise PreloadError(f"{who} starts processes, which instances would be without")


def reseed() -> None:
    """Give a fresh fork random numbers of its own; `random` sees to itself."""
    loaded = sys.modules.get("numpy.random")
    if loaded is not None:
        with contextlib.suppress(Exception):  # it is the function's, and may be something else
            loaded.seed()


def fail(control: socket.socket, why: str) -> NoReturn:
    """Tell the agent why there is no template, and end."""
    control.send(json.dumps({"failure": why[:16_000]}).encode())
    os._exit(1)
