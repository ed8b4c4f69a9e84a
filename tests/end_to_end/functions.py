"""Functions that the tests of this folder deploy, as users would write them."""

from __future__ import annotations

import sys

RUNTIME = f"python3.{sys.version_info.minor}"
HANDLER = "index.handler"

ECHO = """
def handler(event, context):
    return event
"""

SLEEPER = """
import time

def handler(event, context):
    print("began", flush=True)
    time.sleep(float(event or b"60"))
    return "slept"
"""

FLAKY = """
def handler(event, context):
    if context.retry_count < int(event):
        raise ConnectionError("not yet")
    return {"attempt": context.retry_count + 1}
"""
