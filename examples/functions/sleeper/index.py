"""Sleeps and says so: something to watch, to stop, and to wait behind.

The event is `{"seconds": 30}`; a tick is logged about once a second, so that the log of a running task shows how far it
came before it was stopped.
"""

import json
import time
from typing import Any

TICK_SECONDS = 1.0


def handler(event: bytes, context: Any) -> dict[str, float]:
    """Sleep for as many seconds as the event says."""
    seconds = float(json.loads(event)["seconds"])
    began = time.monotonic()
    while (slept := time.monotonic() - began) < seconds:
        context.logger.info("slept %.1f of %.1f seconds", slept, seconds)
        time.sleep(min(TICK_SECONDS, seconds - slept))
    return {"seconds": seconds}
