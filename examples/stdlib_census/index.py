"""Census of the Python standard library: what one of its modules consists of.

The event names a module, `{"module": "json.decoder"}`, or a source file below the standard library's directory,
`{"module": "json/decoder.py"}`. The handler parses the source that the running interpreter itself came with and answers
with numbers:

    {"module": "json.decoder", "lines": 356, "functions": 9, "classes": 2, "imports": 3}

`imports` counts the distinct modules that the source names in import statements. A module without Python source
(`math` may be compiled in) raises `ModuleNotFoundError`, which makes the task fail with that error.
"""

from __future__ import annotations

import ast
import json
import sysconfig
import tokenize
from pathlib import Path

STDLIB = Path(sysconfig.get_paths()["stdlib"]).resolve()


def handler(event: bytes, context: object) -> dict[str, str | int]:
    """Count what the module of `event` holds."""
    module = json.loads(event)["module"]
    with tokenize.open(source_of(module)) as file:
        source = file.read()
    nodes = list(ast.walk(ast.parse(source)))
    return {
        "module": module,
        "lines": source.count("\n"),
        "functions": sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in nodes),
        "classes": sum(isinstance(node, ast.ClassDef) for node in nodes),
        "imports": len({name for node in nodes for name in imported_by(node)}),
    }


def source_of(module: str) -> Path:
    """The file that holds `module`, given as a dotted name or as a path below the standard library's directory."""
    if module.endswith(".py"):
        candidates = [STDLIB / module]
    else:
        path = STDLIB.joinpath(*module.split("."))
        candidates = [path.with_suffix(".py"), path / "__init__.py"]
    for candidate in candidates:
        if candidate.is_file() and STDLIB in candidate.resolve().parents:
            return candidate
    raise ModuleNotFoundError(f"no source of {module} below {STDLIB}", name=module)


def imported_by(node: ast.AST) -> list[str]:
    """The modules that `node` imports, if it is an import; relative ones keep their dots."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return ["." * node.level + (node.module or "")]
    return []
