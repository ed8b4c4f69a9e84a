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
from collections.abc import Iterable
from typing import NoReturn

from . import tree
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
        threads = len(os.listdir("/proc/self/task")) - 1  # noqa: PTH208 - pathlib is not loaded here
        if threads:
            what = f"preload: module '{name}' starts threads ({threads} left), which instances would be without"
            raise PreloadError(what)
        if tree.children(os.getpid()):
            raise PreloadError(f"preload: module '{name}' starts processes, which instances would be without")
    for name in ours:
        os.environ.pop(name, None)


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
