"""User code of a Python function: finding what a name means, and writing down what it returned.

Names are spelled `module.function`, with `/` or `.` between packages. A module is imported at its first use and kept.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from typing import Any

from . import frames
from .failure import FunctionError


def look_in(root: str) -> None:
    """Have imports look in the code at `root` first, then in layers, then in the standard library."""
    minor = "python{}.{}".format(*sys.version_info[:2])
    own = [one for one in sys.path if one.startswith((sys.prefix, sys.base_prefix))]
    sys.path[:] = [root, "/opt/python", "/opt/python/lib/" + minor + "/site-packages", *own]


def load(spelled: str, role: str = "Handler") -> Callable[..., Any]:
    """Import the module of `spelled` and find the function in it; `role` is what messages call it.

    Raises
    ------
    FunctionError: it is not there, or cannot be imported.

    """
    path, _, name = spelled.rpartition(".")
    module_name = path.replace("/", ".")
    if not module_name or not name:
        raise FunctionError("HandlerNotFound", role + " '" + spelled + "' must be spelled module.function")
    try:
        module = importlib.import_module(module_name)
    except FunctionError:
        raise
    except BaseException as error:
        raise _import_error(spelled, module_name, error) from error
    handler = getattr(module, name, None)
    if not callable(handler):
        found = "is missing on" if handler is None else "is not callable in"
        text = f"{role} '{name}' of '{spelled}' {found} module '{module_name}'"
        raise FunctionError("HandlerNotFound", text)
    return handler  # type: ignore[no-any-return]  # it is the user's


def defined(spelled: str) -> bool:
    """Whether the module of `spelled`, which was imported before, has something of that name."""
    path, _, name = spelled.rpartition(".")
    return hasattr(sys.modules.get(path.replace("/", ".")), name)


def encoded(value: object) -> bytes:
    """A handler's return value as the bytes of the answer.

    Raises
    ------
    FunctionError: it cannot be written as JSON, or it is over the limit.

    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
    else:
        try:
            text = value if isinstance(value, str) else json.dumps(value)
            data = text.encode("utf-8")
        except (TypeError, ValueError, RecursionError) as error:
            what = "The value that the handler returned cannot be serialised as JSON: " + str(error)
            raise FunctionError(type(error).__name__, what) from None
    if len(data) > frames.PAYLOAD_BYTES_MAX:
        limit = frames.PAYLOAD_BYTES_MAX
        what = f"The handler returned {len(data)} bytes; the limit of a response is {limit} bytes"
        raise FunctionError("ResponseTooLarge", what)
    return data


def _import_error(handler: str, module: str, error: BaseException) -> FunctionError:
    """What went wrong while the handler's module was imported, in words that name both."""
    kind = "ImportModuleError" if isinstance(error, ImportError) else type(error).__name__
    text = f"Unable to import module '{module}' of handler '{handler}': {_words(error)}"
    return FunctionError(kind, text, cause=error)


def _words(error: BaseException) -> str:
    try:
        return str(error) or type(error).__name__
    except Exception:  # noqa: BLE001 - a broken __str__ is user code too
        return type(error).__name__
