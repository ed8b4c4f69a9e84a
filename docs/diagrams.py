"""Draws what the docs have from the code: status diagrams, rules, the behaviours that the conformance kit checks.

A page marks the place with `<!-- diagram: task -->` and `<!-- end of diagram -->`; what is between them is replaced.
Run it after a change of a table; `tests/test_docs.py` fails as long as a page shows something else.
"""  # noqa: INP001 - a script beside the pages it draws in

from __future__ import annotations

import re
from pathlib import Path

from sojourn import hook, instance, machine, task
from sojourn.conform.checks import CHECKS
from sojourn.conform.compat import tables

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", ROOT / "docs" / "status.md", ROOT / "docs" / "lifecycle.md", ROOT / "docs" / "compat.md")

DIAGRAMS = {
    "task": machine.mermaid(task.TRANSITIONS, task.Status),
    "instance": f"stateDiagram-v2\n    [*] --> {instance.Status.CREATING.value}\n"
    + machine.mermaid(instance.TRANSITIONS, instance.Status).partition("\n")[2],
}

RULES = {"hooks": hook.table()}

BEHAVIOURS = tables(CHECKS)

_PLACE = re.compile(r"(<!-- diagram: (\w+) -->\n)(.*?)(<!-- end of diagram -->)", re.DOTALL)
_RULES_PLACE = re.compile(r"(<!-- rules: (\w+) -->\n)(.*?)(<!-- end of rules -->)", re.DOTALL)
_BEHAVIOURS_PLACE = re.compile(r"(<!-- behaviours -->\n)(.*?)(<!-- end of behaviours -->)", re.DOTALL)


def drawn(text: str) -> str:
    """A page's `text` with its diagrams, rules and behaviours as the tables have them."""
    text = _BEHAVIOURS_PLACE.sub(lambda place: f"{place[1]}{BEHAVIOURS}{place[3]}", text)
    text = _RULES_PLACE.sub(lambda place: f"{place[1]}{RULES[place[2]]}{place[4]}", text)
    return _PLACE.sub(lambda place: f"{place[1]}```mermaid\n{DIAGRAMS[place[2]]}```\n{place[4]}", text)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(drawn(page.read_text(encoding="utf-8")), encoding="utf-8")
