"""`sojourn instance`: what runs, or waits to run, the functions of the account."""

from __future__ import annotations

import cyclopts

from sojourn.client import Instance

from .display import moment_of_text, print_many, size
from .options import COMMON, Common

app = cyclopts.App(name="instance", help="List instances.", help_format="plaintext")

HEADS = ("INSTANCE", "FUNCTION", "STATUS", "SINCE", "TASKS", "MEMORY", "PEAK", "CPU", "START", "NODE")


@app.command(name="list")
def list_(*, function: str | None = None, common: Common = COMMON) -> None:
    """List instances, the oldest first, with what each is doing and uses.

    For example:

        sojourn instance list --function hello

    Parameters
    ----------
    function
        Only those of this function.

    """
    with common.client() as client:
        found = client.instances(function)
    print_many(common.output, found, HEADS, _row)


def _row(each: Instance) -> tuple[str, ...]:
    return (
        each.id,
        each.function,
        each.status,
        moment_of_text(each.since),
        " ".join(one.task_id or one.request_id for one in each.in_flight),
        "" if each.memory_bytes is None else size(each.memory_bytes),
        "" if each.memory_peak_bytes is None else size(each.memory_peak_bytes),
        "" if each.cpu_seconds is None else f"{each.cpu_seconds:.2f} s",
        f"{each.start_ms:.1f} ms" if each.cold_start else "",
        each.node,
    )
