"""The log of a task in the native API: as JSON, as text, or followed as it comes."""

from __future__ import annotations

from sojourn.errors import InvalidArgument
from sojourn.logs import in_a_row
from sojourn.output import whole

from . import answer
from .answer import TEXT, Answer
from .call import Call, boolean

FORMATS = ("json", "text")
_PLAIN = ((b"x-content-type-options", b"nosniff"),)
"""For browsers: what a function wrote is text, whatever it looks like."""
_LIVE = (*_PLAIN, (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"))
"""For proxies: nothing of it is kept, and nothing of it is held back."""


async def get_logs(call: Call) -> Answer:
    """What the attempts of a task wrote, a running one's so far; with `follow` also what it will write."""
    follow = boolean("follow", call.query.get("follow"))
    wanted = call.query.get("format", "text" if follow else FORMATS[0])
    if wanted not in FORMATS:
        raise InvalidArgument("format", wanted, f"must be one of {FORMATS}")
    if follow and wanted != "text":
        raise InvalidArgument("format", wanted, "must be text, or left out, with follow=true")
    backend = call.backend
    function = backend.catalog.remembered(call.account_id, call.path["function"])
    if follow:
        return Answer(200, b"", TEXT, _LIVE, await backend.logs.follow(function, call.path["task"]))
    logs = await backend.logs.read(await backend.queue.find(function, call.path["task"]))
    if wanted == "text":
        return Answer(200, in_a_row(logs), TEXT, _PLAIN)
    return answer.of_json(
        {
            "logs": [
                {"attempt": log.attempt, "text": whole(log).decode("utf-8", "replace"), "dropped": log.dropped}
                for log in logs
            ]
        }
    )
